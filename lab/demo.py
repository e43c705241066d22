"""scripts/demo: the house of lab/house.py, until Ctrl-C; or tried by a headless Chromium.

    python -m lab.demo --converse DIRECTORY [--check [--screenshot FILE]]

All of it lives in one temporary directory, which is removed however this ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lab import process
from lab.demo_check import check
from lab.house import ACCOUNTS, CHANNEL, ROOT, House, house
from lab.process import LabError, Server

SCREENSHOT = ROOT / ".cache" / "screenshot.png"

def announcement(running: House, folder: Path) -> str:
    """What a person is told: where to go, as whom, what else can be reached."""
    pages = [(running.page(name), name, password) for name, password in ACCOUNTS.items()]
    width = max(len(page) for page, *_ in pages)
    lines = "\n".join(f"    {page:{width}}   {name}@localhost, password {password}" for page, name, password in pages)
    host, irc_port, xmpp_port = process.HOST, running.ircd.port, running.prosody.c2s_port
    return f"""
Open in a browser (both, in two tabs, are two people; each logs in by itself):

{lines}

Then you are in the IRC channel {CHANNEL}, which XMPP knows as
    {running.plan.room}
IRC clients reach it at {host} port {irc_port}, other XMPP clients log in at {host} port {xmpp_port}, without TLS.
Logs are below {folder}. Ctrl-C ends everything and leaves nothing behind.
"""


async def until_one_ends(servers: Sequence[Server]) -> NoReturn:
    """LabError, with the server's last words, as soon as one is no longer there."""
    running = {asyncio.create_task(server.process.wait()): server for server in servers if server.process is not None}
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
    server = running[done.pop()]
    raise LabError(f"{server.name} has ended by itself{server.tail()}")


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Either way; LabError when something does not work."""
    async with house(folder, options.converse) as running:
        if options.check:
            await check(running, folder, options.screenshot)
        else:
            print(announcement(running, folder), flush=True)
            await until_one_ends(running.servers)


async def until_told(options: argparse.Namespace) -> int:
    """Run; a signal (Ctrl-C, TERM, the terminal closed) ends it in good order, however far it is. The exit status."""
    with process.folder("transports-demo-") as folder:
        work = asyncio.create_task(run(options, folder))
        for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(which, end, work)
        try:
            await work
        except asyncio.CancelledError:
            return 1 if options.check else 0
        except LabError as error:
            print(f"\nerror: {error}", file=sys.stderr, flush=True)
            return 1
        return 0


def end(work: asyncio.Task[None]) -> None:
    """Cancel `work`, once: a second Ctrl-C does not disturb the cleaning up."""
    if not work.cancelling():
        with contextlib.suppress(OSError):  # a terminal that is no longer there
            print("\nEnding everything", flush=True)
        work.cancel()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    parser.add_argument("--converse", type=Path, required=True, help="the dist directory of Converse.js")
    parser.add_argument("--check", action="store_true", help="try it with a headless Chromium; exit 0 or 1")
    parser.add_argument("--screenshot", type=Path, default=SCREENSHOT, help="where to save what Chromium shows")
    options = parser.parse_args()
    os.umask(0o022)
    return asyncio.run(until_told(options))


if __name__ == "__main__":
    sys.exit(main())
