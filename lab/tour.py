"""The house of a tour: what a person has who sits down with a client. Prosody with privileges and uploads, an IRC channel
with somebody in it, the gateway with IRC and with the bridge of docs/writing-a-bridge.md, whose contacts say things back.

    async with house(folder) as running: running.prosody.c2s_port, running.irc, running.echo
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from lab.desktop import Account
from lab.gateway import Gateway, settings
from lab.house import Plan, make_page
from lab.irc import Greeter
from lab.ircd import Inspircd, Ircd
from lab.prosody import Prosody

IRC, ECHO = "irc.localhost", "echo.localhost"
CHANNEL = "#garden"
NETWORK = "irc.test"
SECRET = "a secret of the tours"


class House(NamedTuple):
    prosody: Prosody
    ircd: Ircd
    gateway: Gateway
    greeter: Greeter

    @property
    def room(self) -> str:
        return f"{CHANNEL}%{self.ircd.server_name}@{IRC}"


@contextlib.asynccontextmanager
async def house(folder: Path, converse: Path | None = None, **options: object) -> AsyncIterator[House]:
    """converse: the folder of Converse.js, for tours in a browser. options: Prosody's; with `tls` the gateway trusts it."""
    async with contextlib.AsyncExitStack() as stack:
        www = folder / "prosody" / "www"
        if converse is not None:
            www.parent.mkdir(parents=True, exist_ok=True)
            make_page(www, converse, Plan("", 0, "", IRC, NETWORK, 0))
        components = {IRC: SECRET, ECHO: SECRET}
        more = {"www": www, **options} if converse is not None else options
        prosody = await stack.enter_async_context(Prosody(folder / "prosody", components, **more))  # type: ignore[arg-type]
        ircd = await stack.enter_async_context(Inspircd(folder / "ircd", server_name=NETWORK))
        greeter = await stack.enter_async_context(Greeter(ircd.host, ircd.port, channels=[CHANNEL]))
        await greeter.send(f"TOPIC {CHANNEL} :A garden on IRC")
        tables = settings(prosody, ircd, changes={"xmpp": {"secret": SECRET}})
        tables["bridges"] = {"echo": {"module": "docs.examples.echo.bridge", "domain": ECHO}}  # type: ignore[dict-item]
        trusted = {"SSL_CERT_FILE": str(prosody.certificate.ca)} if prosody.certificate is not None else {}
        gateway = Gateway(folder / "gateway", tables, environment=trusted)
        yield House(prosody, ircd, await stack.enter_async_context(gateway), greeter)


def hills(folder: Path) -> Path:
    """A picture to send, in a file that everybody may read."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (320, 200))
    pen = ImageDraw.Draw(picture)
    for y in range(200):
        pen.line([(0, y), (320, y)], fill=(100 + y * 3 // 4, 140 + y // 3, 210 - y // 3))
    pen.polygon([(0, 200), (90, 80), (160, 150), (240, 50), (320, 200)], fill=(34, 102, 51))
    path = folder / "hills.png"
    picture.save(path)
    path.chmod(0o644)
    return path


def account(house: House, name: str = "alice") -> Account:
    prosody = house.prosody
    authority = prosody.certificate.ca if prosody.certificate is not None else None
    return Account(prosody.jid(name), prosody.accounts[name], prosody.c2s_port, authority)
