"""Events as JSON and back, for the journal. Fields by name: rows outlive the program that wrote them."""

from __future__ import annotations

import json
from typing import Final

from transports.events import Address, Said, Say

#: The events that durable bridges exchange.
Message = Said | Say

_KINDS: Final[dict[str, type[Said] | type[Say]]] = {kind.__name__: kind for kind in (Said, Say)}


def dump(event: Message) -> str:
    """ASCII JSON, `{"Say": {"to": ["person", "+15551234567"], …}}`; any character survives, lone surrogates and NUL included.

    `ref` does not: it is the asker's own, and means nothing to the next process.
    """
    fields = {name: value for name, value in event._asdict().items() if name != "ref"}
    return json.dumps({type(event).__name__: fields}, separators=(",", ":"))


def load(text: str) -> Message:
    """The event that `dump` wrote; fields unknown today are dropped, missing ones take their default."""
    [(name, stored)] = json.loads(text).items()
    kind = _KINDS[name]
    fields = {field: stored[field] for field in kind._fields if field in stored}
    place = "where" if kind is Said else "to"
    fields[place] = Address(*fields[place])
    return kind(**fields)
