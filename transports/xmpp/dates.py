"""Dates and times as XMPP writes them: XEP-0082. Milliseconds since the epoch, whole numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch


def moment(text: str) -> int | None:
    """A DateTime; None when it is none."""
    found = _DATETIME(text.strip()[:50])
    if found is None:
        return None
    fraction = (found[1] or ".")[1:4].ljust(3, "0")
    try:
        whole = datetime.fromisoformat(f"{found[0][:19]}{found[2]}")
    except ValueError:
        return None
    return round(whole.timestamp()) * 1000 + int(fraction)


def stamped(at: int) -> str:
    """A DateTime in UTC; times that no calendar holds become the epoch."""
    seconds, rest = divmod(at, 1000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00.000Z"
