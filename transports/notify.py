"""sd_notify(3) and the service manager's watchdog, on the standard library.

Tells systemd READY, STATUS, STOPPING and, regularly, that the event loop still turns. Outside systemd every call does
nothing. Never raises: a service manager that does not listen is no reason to stop.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping

from transports.log import clean


class Notifier:
    """The way to the service manager that started this process, if one did."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL of Linux's abstract sockets; other kinds (vsock) are for virtual machines.
        self._address = "\0" + path[1:] if path.startswith("@") else path if path.startswith("/") else ""
        self.interval = _watchdog(environ)

    def ready(self, status: str = "") -> None:
        self._send("READY=1", status)

    def status(self, text: str) -> None:
        """One line that `systemctl status` shows."""
        self._send("", text)

    def stopping(self, status: str = "") -> None:
        self._send("STOPPING=1", status)

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    async def beat(self) -> None:
        """Say `alive` twice per watchdog interval for as long as this task runs; returns at once without a watchdog.

        It runs on the event loop on purpose: a loop that hangs falls silent and is restarted.
        """
        while self.interval:
            self.alive()
            await asyncio.sleep(self.interval / 2)

    def _send(self, state: str, status: str = "") -> None:
        if not self._address:
            return
        lines = [line for line in (state, f"STATUS={clean(status, 500)}" if status else "") if line]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            pass


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds within which systemd wants to hear from this process, or None; WATCHDOG_PID may name another."""
    try:
        microseconds = int(environ.get("WATCHDOG_USEC", ""))
        if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None
