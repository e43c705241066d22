"""XEP-0394 (message markup): which parts of a body are set apart, as an element beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from transports.events import Said, Span
from transports.xmpp import xml

NS: Final = "urn:xmpp:markup:0"
#: Spans of one message, and characters of a body that has any.
MOST, LONGEST = 50, 5_000
_NAMES: Final = frozenset({"strong", "emphasis", "deleted", "code"})


def beside(fact: Said, body: str) -> str:
    """The element for what somebody said; `body` ends with its text. '' where there is nothing to set apart."""
    if fact.more is None or not fact.more.spans:
        return ""
    # in the XML other characters are fewer: places would be wrong
    if len(body) > LONGEST or xml.clean(body) != body or "\r" in body:
        return ""
    return element(fact.more.spans[:MOST], len(body) - len(fact.text), len(body))


def element(spans: Sequence[Span], shift: int, length: int) -> str:
    """`shift`: characters of the body before the text that the spans are of; `length`: of the body."""
    inner = "".join(
        f"<span start='{start + shift:d}' end='{end + shift:d}'>{''.join(f'<{style}/>' for style in styles)}</span>"
        for start, end, styles in spans
        if 0 <= start < end <= length - shift and styles and _NAMES.issuperset(styles)
    )
    return f"<markup xmlns='{NS}'>{inner}</markup>" if inner else ""
