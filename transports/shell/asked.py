"""What the shell's requests may hold, checked: whatever comes through the control socket passes here first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from transports.control import Refused, Request
from transports.xmpp.address import JidError, bare

#: What JSON can carry; times in it are seconds since the epoch.
Answer: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """user: a bare JID, prepared; ids: of messages, None is all; body: whether a message's text is wanted."""

    bridge: str = ""
    user: str = ""
    id: str = ""
    ids: tuple[str, ...] | None = ()
    body: bool = False

    @classmethod
    def of(cls, request: Request) -> Asked:
        """Refused when a part is of the wrong kind."""
        texts = {name: request.get(name, "") for name in ("bridge", "user", "id")}
        ids = request.get("ids", [])
        if not all(map(_is_text, texts.values())):
            raise Refused("This is not a request.")
        if ids is not None and not (isinstance(ids, list) and all(map(_is_text, ids))):
            raise Refused("This is not a request.")
        try:
            texts["user"] = texts["user"] and bare(texts["user"])
        except JidError as error:
            raise Refused(f"{texts['user']} is not an address.") from error
        return cls(**texts, ids=None if ids is None else tuple(ids), body=request.get("body") is True)


def _is_text(value: object) -> bool:
    """Whether it is a text as JSON, a database and a log all take it: no lone surrogates, no controls."""
    return isinstance(value, str) and value.isprintable()
