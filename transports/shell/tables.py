"""Text for a terminal: tables, spans of time, sizes. Whatever came from outside is cleaned of what could steer a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Final
from unicodedata import combining, east_asian_width

from transports.log import clean

#: A column is not cut below this, however narrow the terminal.
NARROWEST: Final = 12
_GAP: Final = "  "
_SPANS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> str:
    """Rows under their headings; cut to `width` cells (default: the terminal's, none where there is no terminal).

    Numbers stand to the right. The widest columns give way first.
    """
    given = [list(row) for row in rows]
    numbers = [bool(given) and all(isinstance(row[at], int) for row in given) for at in range(len(columns))]
    lines = [list(columns), *([clean(str(cell)) for cell in row] for row in given)]
    widths = _fitted([max(map(cells, column)) for column in zip(*lines, strict=True)], width or terminal())
    return "\n".join(_GAP.join(map(_padded, line, widths, numbers)).rstrip() for line in lines)


def terminal() -> int:
    """How wide the terminal is that stdout goes to; 0 when it goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def span(seconds: float) -> str:
    """`3 h 12 min`: the two largest units."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in _SPANS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "0 s"


def size(count: int) -> str:
    """`41.2 MB`, in powers of ten."""
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= of:
            return f"{count / of:.1f} {unit}"
    return f"{count} B"


def moment(when: float) -> str:
    """Seconds since the epoch as this machine's time: `2025-11-21 09:30`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(map(_cell, text)) if not text.isascii() else len(text)


def _cell(char: str) -> int:
    return 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1


def _fitted(widths: list[int], most: int) -> list[int]:
    """Widths that fit together into `most` cells (0: any)."""
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - most if most else 0
    while over > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
        over -= 1
    return widths


def _padded(cell: str, width: int, right: bool) -> str:
    text = _cut(cell, width)
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _cut(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    kept, taken = "", 0
    for char in text:
        taken += _cell(char)
        if taken >= width:
            break
        kept += char
    return kept + "…"
