"""Putting a file into a slot of an upload service (XEP-0363 6): one guarded PUT, no redirects."""

from __future__ import annotations

import io
from typing import Final

from multidict import CIMultiDict

from transports.errors import LegacyError
from transports.files import reach
from transports.files.reach import Reach
from transports.words import say
from transports.xmpp.uploads import Slot

#: 201 is what XEP-0363 says; COMPAT: some web servers behind upload services say that it is done in other words.
_DONE: Final = frozenset((200, 201, 204))


async def put(net: Reach, user: str, slot: Slot, data: bytes, type: str) -> None:
    """Upload. LegacyError when the service did not take the file."""
    url = reach.parse(slot.put)
    if url.scheme != "https" and not slot.own:
        raise LegacyError("not-allowed", say("files.plain", host=url.host or ""))  # XEP-0363 4
    headers = CIMultiDict([("Content-Type", type), *slot.headers])
    async with net.request(user, "PUT", url, slot.own, len(data), headers=headers, data=io.BytesIO(data)) as response:
        status = response.status
    if status not in _DONE:
        again = 60.0 if status in (408, 425, 429) or status >= 500 else None
        raise LegacyError("remote-server-not-found", say("files.upload-refused", status=status), retry_after=again)
