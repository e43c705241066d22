"""Logging to stderr: one line per event, whatever the text in it.

A line is `level logger: event key=value …`; under systemd's journal it begins with the priority that sd-daemon(3) reads
(`<6>`), elsewhere with the time (UTC). The formatter is the one door: what could break or disguise a line is escaped
here, so callers may hand it hostile text. Stanza bodies and secrets are never handed to it; slixmpp and irc log both
at their debug level, so their loggers stay at WARNING.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Final, TextIO

#: Libraries whose debug and info lines carry wire traffic (passwords among it) or noise.
PINNED: Final = ("slixmpp", "irc", "jaraco", "asyncio", "sqlalchemy", "alembic", "aiohttp")

LONGEST: Final = 4000

#: Controls, the separators that some readers take for a line break, and the characters that reorder text (UAX 9).
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_PLAIN: Final = re.compile(r"[^\s\"'=\\]+")
_PRIORITY: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def clean(text: str, longest: int = LONGEST) -> str:
    """`text` as part of one line: unsafe characters as \\xNN or \\uNNNN, cut at `longest` characters."""
    if len(text) > longest:
        text = text[:longest] + "…"
    return _UNSAFE.sub(_escaped, text)


def kv(event: str, /, **fields: object) -> str:
    """An event and its fields: `kv("connected", domain="irc.example.org")` is `connected domain=irc.example.org`.

    A value that is not plain is quoted as JSON quotes it. Fields that are None are left out.
    """
    return " ".join([event, *(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)])


class OneLine(logging.Formatter):
    """Any record, exceptions included, as exactly one line."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = clean(f"{record.levelname.lower()} {record.name}: {_message(record)}{_cause(record)}", 2 * LONGEST)
        return f"<{_PRIORITY.get(record.levelno, 6)}>{text}" if self._journal else f"{_stamp(record.created)} {text}"


def start(level: str = "info", stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Log to `stream` (stderr) from now on; `level` is debug, info, warning or error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(OneLine(journal="JOURNAL_STREAM" in environ))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a closed stderr is no reason to fail, nor to write to stderr
    for name in PINNED:
        logging.getLogger(name).setLevel(logging.WARNING)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {0x09: " ", 0x0A: "\\n", 0x0D: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = clean(str(value), 1000)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    try:
        return clean(record.getMessage())
    except Exception:
        # A wrong argument to a log call must not cost the caller its work.
        return f"unreadable log call at {record.filename}:{record.lineno}"


def _cause(record: logging.LogRecord) -> str:
    """An exception as fields: what, and where the calls went, the innermost last."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error = record.exc_info[1]
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    path = " > ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames)
    return " " + kv("exception", type=type(error).__name__, text=error, at=path or None)


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
