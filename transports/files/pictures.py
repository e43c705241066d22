"""Pictures: how large they are, and a small one of each, made by a worker process that lives for one picture (`thumbnail`).

Whatever a picture does to the worker (a bomb, a crash, an endless loop) only costs its thumbnail. One worker at a time: a
process that starts costs a tenth of a second of a core.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

from transports.log import kv

log = logging.getLogger(__name__)

WORKER: Final = Path(__file__).with_name("thumbnail.py")
#: Seconds of the wall's clock for one picture; pictures that wait, beyond which there are no thumbnails.
WITHIN, WAITING = 15.0, 20
#: Bytes of an answer, and of a picture that is worth looking at.
_ANSWER, LARGEST = 10_000, 64 * 2**20
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class Look(NamedTuple):
    """Pixels as shown; `thumbnail` is a data: URI of a JPEG or PNG below 8 kB."""

    width: int
    height: int
    thumbnail: str


class Pictures:
    """`command` is what looks at a picture; the bytes go to its stdin."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-I", str(WORKER))) -> None:
        self._command = command
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def look(self, data: bytes) -> Look | None:
        """What is known of a picture; None when it cannot be shown, whyever. Never raises but when cancelled."""
        if len(data) > LARGEST or self._waiting >= WAITING:
            return None
        self._waiting += 1
        try:
            async with self._turn:
                return _read(await self._work(data))
        except TimeoutError:
            log.info(kv("a picture took too long to look at", size=len(data)))
        except (OSError, ValueError) as error:
            log.info(kv("a picture could not be looked at", size=len(data), error=f"{type(error).__name__}: {error}"))
        finally:
            self._waiting -= 1
        return None

    async def _work(self, data: bytes) -> bytes:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        worker = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=nothing, env={}, cwd="/", start_new_session=True
        )
        try:
            async with asyncio.timeout(WITHIN):
                assert worker.stdin is not None and worker.stdout is not None
                with contextlib.suppress(ConnectionError):
                    worker.stdin.write(data)
                    await worker.stdin.drain()
                worker.stdin.close()
                return await worker.stdout.read(_ANSWER + 1)
        finally:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


def _read(answer: bytes) -> Look | None:
    """The worker's answer, which is as little to be trusted as the picture. ValueError when it is none."""
    if len(answer) > _ANSWER:
        raise ValueError("too long an answer")
    found = json.loads(answer or b"{}")
    if not isinstance(found, dict) or not found:
        return None
    width, height, type, thumbnail = (found.get(key) for key in ("width", "height", "type", "thumbnail"))
    if type not in ("image/jpeg", "image/png") or not isinstance(thumbnail, str) or not _BASE64.fullmatch(thumbnail):
        raise ValueError("not a thumbnail")
    if not (isinstance(width, int) and isinstance(height, int) and 0 < width < 10**6 and 0 < height < 10**6):
        raise ValueError("not a size")
    return Look(width, height, f"data:{type};base64,{thumbnail}")
