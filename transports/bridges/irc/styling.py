"""XEP-0393 (message styling) read: which parts of a body a client shows strong, emphasised, struck through or as code.

Pure, and linear in the text, whatever it holds. Written is nothing here: `formatting` does, and asks here whether it reads right.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

#: Directive -> the element of XEP-0394 that means the same.
STYLES: Final = {"*": "strong", "_": "emphasis", "~": "deleted", "`": "code"}
_FENCE: Final = "```"


class Styled(NamedTuple):
    """From the opening directive at `start` to the closing one at `end`, both included."""

    start: int
    end: int
    mark: str


def spans(line: str, start: int = 0, end: int | None = None) -> list[Styled]:
    """The spans of one line (a plain block) between two places, those around others first (XEP-0393, "Spans")."""
    end = len(line) if end is None else end
    closing: dict[str, list[int]] = {}
    for at in range(start + 1, end):
        if line[at] in STYLES and not line[at - 1].isspace():
            closing.setdefault(line[at], []).append(at)
    found: list[Styled] = []
    if closing:
        _walk(line, start, end, closing, found)
    return found


def _walk(line: str, start: int, end: int, closing: dict[str, list[int]], found: list[Styled]) -> None:
    """The spans between two places; at most one level of depth per kind of directive."""
    at = start
    while at < end:
        mark = line[at]
        if mark not in closing or not _may_open(line, at, start, end):
            at += 1
            continue
        places = closing[mark]
        index = bisect_left(places, at + 1)
        close = places[index] if index < len(places) else end
        if close >= end:
            at += 1
        elif close == at + 1:  # nothing between them: neither is one
            at += 2
        else:
            found.append(Styled(at, close, mark))
            if mark != "`":
                _walk(line, at + 1, close, closing, found)
            at = close + 1


def _may_open(line: str, at: int, start: int, end: int) -> bool:
    """At the beginning, behind whitespace or behind another opening directive, and before what is no whitespace."""
    return (at == start or line[at - 1].isspace()) and at + 1 < end and not line[at + 1].isspace()


def blocks(body: str) -> list[tuple[int, int, bool]]:
    """The lines of a body: where its words begin (behind quotation marks) and end, and whether styles count there.

    They do not in preformatted blocks (XEP-0393, "Preformatted Text"), whose fences are told like their lines.
    """
    found: list[tuple[int, int, bool]] = []
    at, inside = 0, -1  # inside: the depth of quotation in which a preformatted block was opened
    for line in body.split("\n"):
        depth, start = _unquoted(line)
        if inside > depth:
            inside = -1
        words = line[start:]
        if inside >= 0:
            inside = -1 if words == _FENCE else inside
            found.append((at + start, at + len(line), False))
        elif words.startswith(_FENCE):
            inside = depth
            found.append((at + start, at + len(line), False))
        else:
            found.append((at + start, at + len(line), True))
        at += len(line) + 1
    return found


def _unquoted(line: str) -> tuple[int, int]:
    """How deep a line is quoted, and where its words begin."""
    depth = at = 0
    while line[at : at + 1] == ">":
        depth += 1
        at += 1
        if line[at : at + 1].isspace():
            at += 1
    return depth, at
