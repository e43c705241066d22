"""The bridge of docs/writing-a-bridge.md, used as its reader would: registered, written to, asked, left. On both XMPP servers."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.domain import XmppServer
from lab.gateway import Gateway, settings
from lab.process import folder
from lab.xmpp import NS, Client, Stanza, condition, find, text

ROOT = Path(__file__).parents[2]
MODULE = "docs.examples.echo.bridge"
DOMAIN = "test.localhost"
REMOVE = f"<iq type='set' to='{DOMAIN}'><query xmlns='jabber:iq:register'><remove/></query></iq>"


def form(**answers: str) -> str:
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in answers.items())
    query = f"<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>"
    return f"<iq type='set' to='{DOMAIN}'>{query}</iq>"


@pytest_asyncio.fixture(loop_scope="session")
async def echo(server: XmppServer) -> AsyncIterator[Gateway]:
    tables = settings(server)
    del tables["irc"]
    tables["bridges"] = {"echo": {"module": MODULE, "domain": DOMAIN}}  # type: ignore[dict-item]
    with folder("transports-test-") as path:
        async with Gateway(path, tables) as gateway:
            yield gateway


async def command(client: Client, node: str, inner: str = "", session: str = "", action: str = "execute") -> Stanza:
    more = f" sessionid='{session}'" if session else ""
    asked = f"<command xmlns='{NS['commands']}' node='{node}' action='{action}'{more}>{inner}</command>"
    answer = await client.iq(f"<iq type='set' to='{DOMAIN}'>{asked}</iq>")
    found = find(answer, "iq/commands:command")
    assert found is not None, condition(answer)
    return found


async def test_a_reader_of_the_page_has_it_all(echo: Gateway, server: XmppServer) -> None:
    async with Client("alice@localhost", "alicepw", server.c2s_port, "desk") as alice:
        await alice.say(f"bob@{DOMAIN}", "too early", kind="chat")
        refused = await alice.until(f"message[@from='bob@{DOMAIN}'][@type='error']")
        assert condition(refused) == "registration-required"

        wrong = await alice.iq(form(nick="not a name!", word="x"))
        assert condition(wrong) == "not-acceptable" and "letters" in (text(wrong, "iq/error/stanzas:text") or "")
        assert condition(await alice.iq(form(nick="Alice", word="wrong"))) == "not-authorized"
        assert condition(await alice.iq(form(nick="Alice", word="canary-secret"))) is None
        shown = await alice.iq(f"<iq type='get' to='{DOMAIN}'><query xmlns='jabber:iq:register'/></iq>")
        assert text(shown, "iq/register:query/register:nick") == "alice"
        assert find(shown, "iq/register:query/register:registered") is not None
        assert "canary" not in "".join(shown.itertext())

        await alice.say(f"bob@{DOMAIN}", "hello, hills", kind="chat")
        assert (await alice.body("hello, hills")).get("from", "").startswith(f"bob@{DOMAIN}")
        sent = await alice.say(f"bob@{DOMAIN}", "hush", kind="chat")
        quiet = await alice.until("message[@type='error']")
        assert quiet.get("id") == sent and "does not answer" in (text(quiet, "message/error/stanzas:text") or "")

        first = await command(alice, "shout")
        assert first.get("status") == "executing"
        answers = "<x xmlns='jabber:x:data' type='submit'><field var='text'><value>hey</value></field></x>"
        last = await command(alice, "shout", answers, first.get("sessionid", ""), "complete")
        assert last.get("status") == "completed"
        heard = {(await alice.body("hey")).get("from", "").partition("/")[0] for _ in range(2)}
        assert heard == {f"near@{DOMAIN}", f"far@{DOMAIN}"}

        assert condition(await alice.iq(REMOVE)) is None
        await alice.say(f"bob@{DOMAIN}", "too late", kind="chat")
        gone = await alice.until(f"message[@from='bob@{DOMAIN}'][@type='error']")
        assert condition(gone) == "registration-required"
    assert "canary-secret" not in echo.log_text()
    assert not any(b"canary-secret" in path.read_bytes() for path in echo.dir.glob("*.db*"))


def test_the_page_shows_the_bridge_as_it_is() -> None:
    page = (ROOT / "docs" / "writing-a-bridge.md").read_text()
    source = (ROOT / "docs" / "examples" / "echo" / "bridge.py").read_text()
    assert f"```python\n{source}```" in page


@pytest.mark.parametrize("path", [f"{MODULE.replace('.', '/')}.py", "transports/bridges/irc/people.py"])
def test_a_description_fits_on_one_screen(path: str) -> None:
    """Each function that makes a part of it, from its beginning to its end."""
    functions = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)]
    parts = [f for f in functions if f.name in ("describe", "description", "preferences")]
    spans = [part.end_lineno - part.lineno for part in parts if part.end_lineno is not None]
    assert spans and max(spans) <= 25
