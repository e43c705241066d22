"""The control socket: how `transports status` and its like talk to the daemon that runs. Both ends of it.

A unix socket beside the database, mode 0600. One connection carries one request and its answer, each a JSON object on one line:
    {"do": "status"}  ->  {"done": {…}}  or  {"error": "words for a person"}
Only root and the daemon's own user are heard (SO_PEERCRED, unix(7)), a few at a time, and each only so long and so much. What
the requests mean is `shell/answers`' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from transports.errors import LegacyError
from transports.log import kv
from transports.tasks import Tasks

log = logging.getLogger(__name__)

Request: TypeAlias = dict[str, Any]

#: Connections at a time, requests that are being met at a time; bytes of a request and of an answer.
CONNECTIONS: Final = 32
MOST: Final = 8
LONGEST: Final = 64 * 1024
LARGEST: Final = 16 * 1024 * 1024
#: Seconds for a request to come, for its answer to be found, for that to be read.
HEAR, THINK, TELL = 10.0, 60.0, 30.0
#: Bytes that the path of a unix socket may have, on Linux less than 108.
_PATH: Final = 100


class Refused(Exception):
    """The request cannot be met; the text says why."""


class NotRunning(Exception):
    """Nobody listens there."""


def socket_of(database: Path) -> Path:
    """Where the daemon that uses this database listens: `transports.sock` beside `transports.db`."""
    return database.with_suffix(".sock")


# The daemon's end -----------------------------------------------------------------------------------------------------


class Control:
    """`answer` meets a request, now or later: what JSON can carry, or Refused or LegacyError with words."""

    def __init__(self, path: Path, answer: Callable[[Request], Awaitable[object]]) -> None:
        self._path = path
        self._answer = answer
        self._tasks = Tasks("control socket")
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._meeting = 0

    async def start(self) -> bool:
        """Listen; False, and a line in the log, where that cannot be: the gateway works without."""
        try:
            listening = _listening(self._path)
        except (OSError, Refused) as error:
            log.warning(
                kv("no control socket: transports status will not reach this daemon", path=self._path, error=error)
            )
            return False
        self._inode = os.stat(self._path).st_ino
        self._server = await asyncio.start_unix_server(self._came, sock=listening, limit=LONGEST)
        return True

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await self._tasks.end()
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:  # not somebody else's by now
                self._path.unlink()

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _peer(writer.get_extra_info("socket"))
        if uid not in (0, os.geteuid()):
            log.warning(kv("somebody else came to the control socket", uid=uid))
            writer.close()
        elif len(self._tasks) >= CONNECTIONS:
            writer.close()
        else:
            self._tasks.start(self._talk(reader, writer))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, the end."""
        try:
            async with asyncio.timeout(HEAR):
                line = await reader.readline()
            writer.write(await self._meet(line))
            async with asyncio.timeout(TELL):
                await writer.drain()
        except (OSError, TimeoutError):
            pass
        except ValueError:  # StreamReader.readline's word for a line that is too long
            writer.write(_line({"error": f"A request has at most {LONGEST} bytes."}))
        finally:
            await _close(writer)

    async def _meet(self, line: bytes) -> bytes:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            return _line({"error": "This is not a request."})
        if self._meeting >= MOST:
            return _line({"error": "The daemon is answering others; try again in a moment."})
        self._meeting += 1
        try:
            async with asyncio.timeout(THINK):
                return _line({"done": await self._answer(request)})
        except Refused as error:
            return _line({"error": str(error)})
        except LegacyError as error:
            return _line({"error": error.text or error.condition})
        except TimeoutError:
            return _line({"error": f"The daemon did not get it done within {THINK:.0f} s."})
        except Exception:
            log.exception("a request at the control socket could not be met")
            return _line({"error": "The daemon failed at this; its log says why."})
        finally:
            self._meeting -= 1


def _listening(path: Path) -> socket.socket:
    """A socket that listens at `path`. What a crash left there is replaced; anything else is not: Refused."""
    with _address(path) as address:
        if os.path.lexists(address):
            _clear(address)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            listening.bind(address)
            os.chmod(address, 0o600)  # before it listens: nobody can have come yet
            listening.listen(MOST)
        except BaseException:
            listening.close()
            raise
    return listening


def _clear(address: str) -> None:
    if not stat.S_ISSOCK(os.lstat(address).st_mode):
        raise Refused("something that is no socket has that name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            os.unlink(address)
            return
        except BlockingIOError:
            pass  # so many come that one more has to wait: somebody is there
    raise Refused("another daemon is running with this database")


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close, also where the other end does not read."""
    writer.close()
    try:
        async with asyncio.timeout(1):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _peer(connection: socket.socket) -> int:
    """The user at the other end."""
    _pid, uid, _gid = struct.unpack(
        "iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    )
    return int(uid)


def _line(value: Request) -> bytes:
    line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return line if len(line) <= LARGEST else _line({"error": "The answer is too long; ask for less."})


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """`path` as a unix socket's address takes it; a long one by way of its folder's descriptor."""
    if len(os.fsencode(path)) < _PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


# The shell's end ------------------------------------------------------------------------------------------------------


def ask(path: Path, request: Request, within: float = THINK + HEAR) -> Any:
    """What the daemon that listens at `path` answers, within so many seconds.

    Raises NotRunning when none does, Refused with words when it cannot be asked or does not do it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(within)
        try:
            with _address(path) as address:
                connection.connect(address)
            connection.sendall(_line(request))
            answer = json.loads(_all(connection))
            if not isinstance(answer, dict) or len(answer) != 1:
                raise ValueError("no answer")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning from error
        except PermissionError as error:
            raise Refused(f"{path}: only root and the user that the daemon runs as may ask it") from error
        except TimeoutError as error:
            raise Refused("the daemon does not answer") from error
        except (OSError, ValueError) as error:
            raise Refused("the daemon hung up without an answer; its log may say why") from error
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["done"]


def _all(connection: socket.socket) -> bytes:
    received = bytearray()
    while piece := connection.recv(65536):
        received += piece
        if len(received) > LARGEST:
            raise ValueError("too long")
    return bytes(received)
