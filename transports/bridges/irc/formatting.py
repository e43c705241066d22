"""IRC's formatting in both directions: control characters to marks and spans, marks to control characters.

Pure, and linear in the text. In: bold, italics, underline, strike-through and monospace become XEP-0393's marks where a client
reads them as that and nothing else, and XEP-0394's spans in any case; colours and reverse mean nothing in XMPP and go.
Out: the marks that a client shows as styled become control characters; links and code stay as they are.
https://modern.ircdocs.horse/formatting
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from transports.bridges.irc import styling
from transports.bridges.irc import text as irc_text
from transports.bridges.irc.text import FORMAT
from transports.events import More, Span

#: Preferences: what becomes of formatting in what is heard (MARKS, PLAIN), and whether what is said has any.
FORMATTING, FORMATTING_OUT = "formatting", "formatting_out"
MARKS, PLAIN = "marks", "plain"
#: Spans and marks of one message; with more, it is no emphasis that counts.
MOST: Final = 50

#: Control character -> its bit. XMPP has no underline: it is emphasis as well.
_TOGGLES: Final[Mapping[str, int]] = {"\x02": 1, "\x1d": 2, "\x1f": 4, "\x1e": 8, "\x11": 16}
_ANY_TOGGLE: Final = re.compile("[\x02\x11\x1d-\x1f]")
_BITS: Final = {"strong": 1, "emphasis": 2 | 4, "deleted": 8, "code": 16}
_MARKS: Final = {style: mark for mark, style in styling.STYLES.items()}
#: Where several begin at one place: code may hold no other, so it is innermost.
_ORDER: Final = ("strong", "emphasis", "deleted", "code")
#: Which of them the bits mean.
_STYLES: Final = [tuple(style for style in _ORDER if bits & _BITS[style]) for bits in range(32)]
_ANY_DIRECTIVE: Final = re.compile("[*_~`]")


class _Run(NamedTuple):
    """Part of the text, by code points, that is in these styles."""

    start: int
    end: int
    styles: tuple[str, ...]


class Manners(NamedTuple):
    """What a user wants. marks: XEP-0393 in what is heard; codes: formatting in what is said."""

    marks: bool = True
    codes: bool = False


USUAL: Final = Manners()


def told(text: str, more: More | None, marks: bool) -> tuple[str, More | None]:
    """A text with control characters as it is told: `styled`, with its spans among what else it carries."""
    body, spans = styled(text, marks)
    if not spans:
        return body, more
    return body, More(spans=spans) if more is None else more._replace(spans=spans)


def styled(text: str, marks: bool = True) -> tuple[str, tuple[Span, ...]]:
    """A line without its control characters, with XEP-0393's marks instead if wanted; and the spans of that (XEP-0394)."""
    if _ANY_TOGGLE.search(text) is None:
        return FORMAT.sub("", text), ()
    plain, runs = _read(text)
    if not runs or len(runs) > MOST:
        return plain, ()
    body, places = _marked(plain, runs) if marks else (plain, [])
    return body, tuple(Span(*_moved(run, places), run.styles) for run in runs)


def _read(text: str) -> tuple[str, list[_Run]]:
    """What is said, and how: runs in order, none empty, none without style."""
    pieces: list[str] = []
    runs: list[_Run] = []
    bits = at = length = 0
    for code in (*FORMAT.finditer(text), None):
        piece = text[at : code.start() if code is not None else len(text)]
        if piece:
            pieces.append(piece)
            end = length + len(piece)
            if runs and runs[-1].end == length and runs[-1].styles == _STYLES[bits]:
                runs[-1] = runs[-1]._replace(end=end)
            elif bits and len(runs) <= MOST:
                runs.append(_Run(length, end, _STYLES[bits]))
            length = end
        if code is not None:
            at = code.end()
            bits = 0 if code[0] == "\x0f" else bits ^ _TOGGLES.get(code[0], 0)
    return "".join(pieces), runs


def _moved(run: _Run, places: list[int]) -> tuple[int, int]:
    """Where a run lies among the marks, which stand before these places."""
    before = sum(place <= run.start for place in places)
    inside = sum(run.start < place < run.end for place in places)
    return run.start + before, run.end + before + inside


# In: marks --------------------------------------------------------------------------------------------------------


class _Stretch(NamedTuple):
    """Part of the text that is to stand between two marks."""

    start: int
    end: int
    style: str


def _marked(plain: str, runs: list[_Run]) -> tuple[str, list[int]]:
    """The text with marks, and the places before which they stand; without any when a client would read it otherwise."""
    kept = list(_fitting(plain, runs))
    if len(kept) > 1:
        kept = list(_nested(sorted(kept, key=lambda one: (one.start, -one.end, _ORDER.index(one.style)))))
    # of those that end together the inner one does so first, of those that begin together the outer one
    edges = [(one.end, 0, -number) for number, one in enumerate(kept)]
    edges += [(one.start, 1, number) for number, one in enumerate(kept)]
    body, last, opened, meant = "", 0, {}, set()
    for place, opens, number in sorted(edges):
        mark = _MARKS[kept[abs(number)].style]
        body += plain[last:place]
        last = place
        if opens:
            opened[number] = len(body)
        else:
            meant.add(styling.Styled(opened[-number], len(body), mark))
        body += mark
    body += plain[last:]
    # where there was no mark before, there is nothing that ours could be read together with
    if _ANY_DIRECTIVE.search(plain) is None or set(_spans(body)) == meant:
        return body, [place for place, _, _ in edges]
    return plain, []


def _spans(body: str) -> Iterator[styling.Styled]:
    """What a client shows as styled."""
    for start, end, counts in styling.blocks(body):
        if counts:
            yield from styling.spans(body, start, end)


def _fitting(plain: str, runs: list[_Run]) -> Iterator[_Stretch]:
    """Stretches of one style without whitespace at their ends, between word boundaries, on one line, without their mark."""
    used = {style for run in runs for style in run.styles}
    for style in used:
        mark = _MARKS[style]
        for start, end in _stretches(runs, style):
            words = plain[start:end]
            left, right = start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())
            fits = left < right and mark not in words and "\n" not in words.strip()
            if fits and (left == 0 or plain[left - 1].isspace()) and not plain[right : right + 1].isalnum():
                yield _Stretch(left, right, style)


def _stretches(runs: list[_Run], style: str) -> Iterator[tuple[int, int]]:
    """Where one style is on, whatever others are."""
    start = end = -1
    for run in runs:
        if style in run.styles:
            if run.start != end:
                if end >= 0:
                    yield start, end
                start = run.start
            end = run.end
    if end >= 0:
        yield start, end


def _nested(stretches: Iterable[_Stretch]) -> Iterator[_Stretch]:
    """Those that lie inside one another or apart; what would overlap, or stand in code, is left out."""
    around: list[_Stretch] = []
    for one in stretches:
        while around and around[-1].end <= one.start:
            around.pop()
        if not around or (one.end <= around[-1].end and around[-1].style != "code"):
            around.append(one)
            yield one


# Out ----------------------------------------------------------------------------------------------------------------

_CODES: Final = {"*": "\x02", "_": "\x1d", "~": "\x1e"}
_ANY_MARK: Final = re.compile("[*_~]")
_LINK: Final = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}:[^\s*_~]\S*", re.IGNORECASE)
#: The longest line (RFC 1459 2.3).
LINE: Final = 512
_ACTION: Final = irc_text.action("")[:-1]
#: What `whole` may add to a line, in bytes.
CARRIED: Final = len(_CODES)


def coded(body: str) -> str:
    """A body as IRC shows it: the marks that a client would show as styles (XEP-0393) as control characters.

    Code keeps its marks, and so do links and preformatted blocks.
    """
    if _ANY_MARK.search(body) is None:
        return body
    edges = [edge for link in _LINK.finditer(body) for edge in link.span()]
    changes: dict[int, str] = {}
    for start, end, mark in _spans(body):
        if mark in _CODES and not (_within(edges, start) or _within(edges, end)):
            changes[start] = changes[end] = _CODES[mark]
    return "".join([changes.get(at, char) for at, char in enumerate(body)]) if changes else body


def _within(edges: list[int], place: int) -> bool:
    """Whether a place is in one of the stretches between the 1st and the 2nd, the 3rd and the 4th … edge."""
    return bisect_right(edges, place) % 2 == 1


def utterances(body: str, target: str, prefix: str, codes: bool) -> list[str]:
    """`text.utterances`, with formatting if that is wanted."""
    formatted = coded(body) if codes else body
    if formatted is body:
        return irc_text.utterances(body, target, prefix)
    return list(whole(irc_text.utterances(formatted, target, prefix, LINE - CARRIED)))


def whole(lines: Iterable[str]) -> Iterator[str]:
    """The pieces of a message, each with the styles that were on at the end of the one before: IRC begins each line without."""
    on: dict[str, None] = {}
    for line in lines:
        head = _ACTION if line.startswith(_ACTION) else ""
        yield head + "".join(on) + line[len(head) :]
        for code in _ANY_TOGGLE.findall(line):
            if code in on:
                del on[code]
            else:
                on[code] = None
