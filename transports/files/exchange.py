"""Files both ways, for one bridge: implements ports.Files.

Out to a user's client, the first that takes it: the upload service of the user's server, asked as the user; the same, and the
gateway's own server's, asked in our own name; our own depot, if there is one. In from a link: only from the hosts where the
user's server keeps its uploads, from that server's own domain, and from `[files] hosts`. Only the operator's own word
(`[files] hosts`, or what the operator's server names as its upload service) leads to private addresses or to plain HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from transports.config_models import Files as Settings
from transports.errors import LegacyError
from transports.events import File
from transports.files import media
from transports.files.pictures import Pictures
from transports.log import kv
from transports.resolve import Resolver
from transports.words import say
from transports.xmpp.uploads import Origin, Uploads, in_words

if TYPE_CHECKING:
    from yarl import URL

    from transports.files.depot import Depot
    from transports.files.reach import Reach

log = logging.getLogger(__name__)

#: Files of one user under way; files of all users of a bridge; of one user that wait.
AT_ONCE, ALTOGETHER, WAITING = 2, 8, 30
#: XEP-0300's names of the hashes that we can compute.
ALGORITHMS: Final = {
    "sha-1": "sha1",
    "sha-256": "sha256",
    "sha-512": "sha512",
    "sha3-256": "sha3_256",
    "sha3-512": "sha3_512",
    "blake2b-512": "blake2b",
}
#: Errors of upload services that are worth a user's reading; the others only say that there is no place for the file.
_TELLING: Final = frozenset(("not-acceptable", "remote-server-timeout", "resource-constraint"))


class Turns:
    """Who may move a file now: bounded for each user and for all, and so is who waits."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(ALTOGETHER)
        self._users: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        turn, here = self._users.setdefault(user, (asyncio.Semaphore(AT_ONCE), []))
        if len(here) >= AT_ONCE + WAITING:
            raise LegacyError("resource-constraint", say("files.busy"), retry_after=60)
        here.append(None)
        try:
            async with turn, self._all:
                yield
        finally:
            here.pop()
            if not here:
                del self._users[user]


class Files:
    """`bridge` is its name in the store. One per bridge; nothing of the web is imported before the first file."""

    def __init__(self, bridge: str, uploads: Uploads, settings: Settings, depot: Depot | None = None) -> None:
        self._bridge = bridge
        self._uploads = uploads
        self._settings = settings
        self._depot = depot
        self._turns = Turns()
        self._pictures = Pictures()
        self._resolver = Resolver(1)
        self._net: Reach | None = None

    async def _reach(self) -> Reach:
        if self._net is None:
            # imported here, and in a thread: a gateway that never moves a file does without aiohttp's 15 MB
            reach = await asyncio.to_thread(_import_web)
            self._net = reach(self._resolver.addresses)
        return self._net

    # From a link ------------------------------------------------------------------------------------------------------

    async def fetch(self, user: str, file: File, types: Collection[str] = ()) -> tuple[File, bytes]:
        """ports.Files.fetch."""
        async with self._turns.of(user):
            data, said = await self._get(user, file.url)
            hashes = await asyncio.to_thread(_digests, data, {"sha-256", *(name for name, _ in file.hashes)})
        for name, digest in file.hashes:
            if hashes.get(name, digest) != digest:
                raise LegacyError("not-acceptable", say("files.changed"))
        name = file.name or media.name_in(file.url)
        type = media.type_of(data, said or file.type, name)
        if types and not any(fnmatchcase(type, wanted) for wanted in types):
            raise LegacyError("not-acceptable", say("files.type", type=type))
        sure = (("sha-256", hashes["sha-256"]),)
        return file._replace(name=media.safe_name(name, type), type=type, size=len(data), hashes=sure), data

    async def _get(self, user: str, link: str) -> tuple[bytes, str]:
        """What lies behind a link, and the type that its server says it has."""
        if self._depot is not None and (kept := await self._depot.read(link)) is not None:
            return kept  # our own: the way round by the reverse proxy may not even lead back to us
        net = await self._reach()
        from transports.files.fetching import fetch

        async def permit(url: URL) -> bool:
            return await self._permit(user, Origin(url.scheme, (url.host or "").lower(), url.port or 0))

        got = await fetch(net, user, link, permit, self._settings.max_size)
        return got.data, "" if media.media_type(got.type) == media.UNKNOWN else got.type

    async def _permit(self, user: str, origin: Origin) -> bool:
        """Whether a place may be in a private network; LegacyError when nothing may be fetched there."""
        scheme, host, port = origin
        default = 443 if scheme == "https" else 80
        if any(named.host == host and (named.port or default) == port for named in self._settings.hosts):
            return True
        own = self._uploads.own(user.rpartition("@")[2])
        known = origin in await self._uploads.origins(user)
        if not known and host not in await self._uploads.hosts(user):
            raise LegacyError("not-allowed", say("files.foreign", host=host))
        if scheme != "https" and not (known and own):
            raise LegacyError("not-allowed", say("files.plain", host=host))
        return known and own

    # To a client --------------------------------------------------------------------------------------------------------

    async def share(self, user: str, data: bytes, name: str, type: str = "") -> File:
        """ports.Files.share."""
        most = self._settings.max_size
        if len(data) > most:
            raise LegacyError("not-acceptable", say("files.too-large", size=in_words(most)))
        if not data:
            raise LegacyError("not-acceptable", say("files.empty"))
        type = media.type_of(data, type, name)
        name = media.safe_name(name, type)
        async with self._turns.of(user):
            digests = await asyncio.to_thread(_digests, data, {"sha-256"})
            look = await self._pictures.look(data) if type in media.PICTURES else None
            url = await self._put(user, data, name, type)
        file = File(url, name, type, len(data), hashes=tuple(digests.items()))
        return file._replace(width=look.width, height=look.height, thumbnail=look.thumbnail) if look else file

    async def _put(self, user: str, data: bytes, name: str, type: str) -> str:
        """Put a file where the user's client can get it: the URL."""
        why = LegacyError("service-unavailable", say("files.nowhere"))
        ways = await self._uploads.ways(user)
        if ways:
            net = await self._reach()
            from transports.files.putting import put
        for way in ways:
            try:
                slot = await self._uploads.slot(way, name, len(data), type)
                await put(net, user, slot, data, type)
            except LegacyError as error:
                fields = {"service": way.service.jid, "as_user": bool(way.user), "condition": error.condition}
                log.log(logging.DEBUG if way.user else logging.INFO, kv("an upload failed", **fields, error=error.text))
                why = error if error.condition in _TELLING else why
            else:
                return slot.get
        if self._depot is not None:
            return await self._depot.put(self._bridge, user, data, name, type)
        raise why


def _import_web() -> type[Reach]:
    from transports.files import fetching, putting  # noqa: F401
    from transports.files.reach import Reach

    return Reach


def _digests(data: bytes, algorithms: set[str]) -> dict[str, str]:
    """XEP-0300's name -> Base64, of those that we can compute."""
    return {
        name: b64encode(hashlib.new(ALGORITHMS[name], data, usedforsecurity=False).digest()).decode()
        for name in sorted(algorithms & ALGORITHMS.keys())
    }
