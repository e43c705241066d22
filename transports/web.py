"""What listens for HTTP: one aiohttp application for the world behind a reverse proxy, one for the operator alone.

    [http] listen   /healthz, /files/NAME/FILENAME (ours to serve: `depot`), and what bridges add: their webhooks
    [http] admin    /healthz, /readyz

Whatever comes is hostile: bodies, headers and times are bounded, answers tell nothing of the program, logs have no query and no
whole name of a file (who knows it may have the file). A file is shown in place only when nothing in it can run; it is served
with a policy under which a browser runs nothing (RFC 9110; Fetch; CSP 3). A place that is taken costs a log line and is tried
again; bridges go on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from aiohttp import web, web_response
from aiohttp.abc import AbstractAccessLogger

from transports.config_values import HostPort
from transports.errors import LegacyError
from transports.files import media
from transports.files.depot import Depot
from transports.log import kv

log = logging.getLogger(__name__)

#: Bytes of a request's body; seconds for a request until its answer begins, and between two of a connection.
LARGEST: Final = 1_048_576
WITHIN, IDLE = 30.0, 15.0
#: Seconds that who asked may take to read on when the buffers are full.
STALLED: Final = 30.0
#: Connections at a time, beyond which new ones are closed; seconds until a place that was taken is tried again.
CONNECTIONS: Final = 500
AGAIN: Final = 5.0
#: Seconds that downloads under way may take when the gateway stops, and that the rest of a refused body is read.
GOODBYE: Final = 1.0

#: A file's answers: nothing in it runs, nothing of it is shared with others, pages elsewhere may show it.
_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

_ASKED_OFTEN: Final = frozenset(("/healthz", "/readyz"))

# aiohttp names itself and its version in what it answers to what is no HTTP, which no application sees.
web_response.SERVER_SOFTWARE = "transports"  # type: ignore[attr-defined]

Place = HostPort | str


class AccessLog(AbstractAccessLogger):
    """One line for each request; see above for what is not in it."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        path = request.path
        if path.startswith("/files/"):
            path = f"{path[:13]}…"
        level = logging.DEBUG if path in _ASKED_OFTEN and response.status < 500 else logging.INFO
        size = response.body_length
        self.logger.log(level, kv("http", method=request.method, path=path, status=response.status, bytes=size, seconds=time))


class Listener:
    """One application at one place: listens as long as it runs, or tries to."""

    def __init__(self, name: str, place: Place, application: web.Application) -> None:
        self._name = name
        self._place = place
        self._application = application
        self._runner: web.AppRunner | None = None
        self._server: asyncio.AbstractServer | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not, and for a socket in the file system."""
        sockets = getattr(self._server, "sockets", ())
        return next((int(each.getsockname()[1]) for each in sockets if each.family != socket.AF_UNIX), 0)

    async def start(self) -> None:
        """Returns when it listens, or when that is retried."""
        self._runner = web.AppRunner(
            self._application,
            access_log_class=AccessLog,
            access_log=log,
            keepalive_timeout=IDLE,
            lingering_time=GOODBYE,
            shutdown_timeout=GOODBYE,
            logger=log,
        )
        await self._runner.setup()
        if not await self._listen():
            self._retrying = asyncio.create_task(self._listen_later())

    async def stop(self) -> None:
        self._stopping = True
        if self._retrying is not None:
            self._retrying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._retrying
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen_later(self) -> None:
        while True:
            await asyncio.sleep(AGAIN)
            if await self._listen():
                return

    async def _listen(self) -> bool:
        loop, where = asyncio.get_running_loop(), _text(self._place)
        try:
            if isinstance(self._place, HostPort):
                self._server = await loop.create_server(self._answer, self._place.host, self._place.port)
            else:
                self._server = await loop.create_unix_server(self._answer, sock=_bound(self._place.removeprefix("unix:")))
        except OSError as error:
            taken = "another program has it: end that one, or " if error.errno == errno.EADDRINUSE else ""
            fields = {"error": os.strerror(error.errno or 0), "advice": f"{taken}change [http] {self._name}"}
            log.error(kv("cannot listen", listen=where, **fields, retry=AGAIN))
            return False
        log.info(kv("listening", listen=where, http=self._name))
        return True

    def _answer(self) -> asyncio.Protocol:
        """What answers a new connection."""
        server = self._runner.server if self._runner is not None else None
        if server is None or self._stopping or len(server.connections) >= CONNECTIONS:
            return _Full()
        return _Patient(server())


class _Patient(asyncio.Protocol):
    """A connection, as `answering` has it; ended when who is there asks and does not read, which aiohttp would wait for."""

    def __init__(self, answering: asyncio.Protocol) -> None:
        self._answering = answering
        self._end: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._answering.data_received(data)

    def eof_received(self) -> bool | None:
        return self._answering.eof_received()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._answering.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        self._answering.connection_lost(exc)

    def pause_writing(self) -> None:
        self._rest()
        self._end = asyncio.get_running_loop().call_later(STALLED, self._transport.abort)
        self._answering.pause_writing()

    def resume_writing(self) -> None:
        self._rest()
        self._answering.resume_writing()

    def _rest(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


# The applications -------------------------------------------------------------------------------------------------------


def public(depot: Depot | None, routes: Iterable[web.AbstractRouteDef] = ()) -> web.Application:
    """For the world. `routes`: what bridges add (`routes()` of a bridge)."""
    application = _application()
    application.router.add_get("/healthz", _healthy)
    if depot is not None:
        application.router.add_get("/files/{name}/{filename}", _serving(depot))
    application.add_routes(routes)
    return application


def admin(waiting: Callable[[], Iterable[str]]) -> web.Application:
    """For the operator. `waiting`: what is not there yet, nothing when all is."""

    async def ready(request: web.Request) -> web.Response:
        missing = ", ".join(waiting())
        return web.Response(text=f"waiting for {missing}\n" if missing else "ready\n", status=503 if missing else 200)

    application = _application()
    application.router.add_get("/healthz", _healthy)
    application.router.add_get("/readyz", ready)
    return application


def _application() -> web.Application:
    application = web.Application(client_max_size=LARGEST, middlewares=[_bounded])
    application.on_response_prepare.append(_plain)
    return application


@web.middleware
async def _bounded(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """An answer in time and without secrets, whatever the handler does."""
    try:
        async with asyncio.timeout(WITHIN):
            return await handler(request)
    except web.HTTPException as answer:
        return web.Response(status=answer.status, text=f"{answer.reason}\n", headers=_kept(answer))
    except TimeoutError:
        return web.Response(status=408, text="Too slow\n")
    except LegacyError:
        return web.Response(status=503, text="Not now\n")
    except Exception:
        log.exception(kv("a request failed", method=request.method))
        return web.Response(status=500, text="Failed\n")


def _kept(answer: web.HTTPException) -> dict[str, str]:
    return {name: answer.headers[name] for name in ("Allow", "Location") if name in answer.headers}


async def _plain(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer has, and has not."""
    response.headers.popall("Server", None)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _serving(depot: Depot) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        found = await depot.find(request.match_info["name"], request.match_info["filename"])
        if found is None:
            raise web.HTTPNotFound
        path, row = found
        shown = "inline" if row.type in media.INLINE else "attachment"
        headers = {
            **_HEADERS,
            "Cache-Control": "private, max-age=86400, immutable",
            "Content-Type": row.type,
            "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(row.filename)}",
        }
        return web.FileResponse(path, headers=headers)

    return serve


def _text(place: Place) -> str:
    return f"{place.host}:{place.port}" if isinstance(place, HostPort) else place


def _bound(path: str) -> socket.socket:
    """A socket at a path, for the reverse proxy's group too. Takes away one that an earlier run has left; never one that
    answers, never anything else (`create_unix_server` would take any socket's place). OSError when the place is taken."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(1)
    try:
        if Path(path).is_socket() and made.connect_ex(path) == errno.ECONNREFUSED:
            Path(path).unlink()
        made.close()
        made = socket.socket(socket.AF_UNIX)
        made.bind(path)
        os.chmod(path, 0o660)
    except OSError:
        made.close()
        raise
    return made


def routes_of(bridges: Iterable[Any]) -> list[web.AbstractRouteDef]:
    """What bridges add to the public application: those that have `routes()` name their own paths."""
    return [route for bridge in bridges if callable(getattr(bridge, "routes", None)) for route in bridge.routes()]
