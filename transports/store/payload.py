"""Events as JSON and back, for the journal. Fields by name: rows outlive the program that wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from transports.events import (
    Address,
    Correct,
    Corrected,
    File,
    Letter,
    Message,
    More,
    React,
    Reacted,
    Retract,
    Retracted,
    Said,
    Say,
    Sent,
    Span,
    Told,
)

#: What the journal holds.
Event: TypeAlias = Message | Letter | Told

_KINDS: Final[Mapping[str, type[Event]]] = {
    kind.__name__: kind
    for kind in (Said, Corrected, Retracted, Reacted, Sent, Say, Correct, Retract, React, Told)
}


def dump(event: Event) -> str:
    """ASCII JSON, `{"Say": {"to": ["person", "+15551234567"], …}}`; any character survives, lone surrogates and NUL included.

    `ref` does not: it is the asker's own, and means nothing to the next process.
    """
    fields = {name: value for name, value in event._asdict().items() if name != "ref"}
    if fields.get("more") is not None:
        fields["more"] = {**_told(fields["more"]), "files": [_told(file) for file in fields["more"].files]}
    return json.dumps({type(event).__name__: fields}, separators=(",", ":"))


def load(text: str) -> Event:
    """The event that `dump` wrote; fields unknown today are dropped, missing ones take their default.

    ValueError, KeyError or TypeError when it is none.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no event")
    [(name, stored)] = found.items()
    kind = _KINDS[name]
    return kind(**{field: _field(field, stored[field]) for field in kind._fields if field in stored})


def _field(name: str, value: Any) -> Any:
    if name in ("to", "where"):
        return Address(*value)
    if name == "more" and value is not None:
        more = _made(More, value)
        return more._replace(
            files=tuple(_made(File, file) for file in more.files), spans=tuple(Span(*span) for span in more.spans)
        )
    return tuple(value) if isinstance(value, list) else value


def _told(value: More | File) -> dict[str, Any]:
    """The fields that say something."""
    default = value._field_defaults
    return {name: field for name, field in value._asdict().items() if name not in default or field != default[name]}


def _made(kind: type[More] | type[File], stored: Mapping[str, Any]) -> Any:
    fields: Any = {name: _tuples(stored[name]) for name in kind._fields if name in stored}
    return kind(**fields)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
