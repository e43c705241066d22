"""What was said on IRC, found again: XEP-0313 and XEP-0045 history through real servers, also after a restart of the gateway."""

from __future__ import annotations

from lab.domain import XmppServer
from lab.gateway import StartGateway
from lab.irc import Person
from lab.ircd import Ircd
from lab.xmpp import NS, Client, Stanza, condition, find, text
from tests.scenarios.irc import Scene, client, room

RSM = "{http://jabber.org/protocol/rsm}"
JABBER = "{jabber:client}"


async def query(asker: Client, place: str, paging: str = "", form: str = "") -> tuple[list[Stanza], Stanza]:
    """The results of a query, and its answer."""
    fields = f"<field var='FORM_TYPE' type='hidden'><value>{NS['mam']}</value></field>{form}"
    data = f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"
    page = f"<set xmlns='{RSM[1:-1]}'>{paging}</set>"
    answer = await asker.iq(f"<iq type='set' to='{place}'><query xmlns='{NS['mam']}' queryid='f1'>{data}{page}</query></iq>")
    count = len(asker.waiting("message/mam:result[@queryid='f1']"))
    return [await asker.until("message/mam:result[@queryid='f1']") for _ in range(count)], answer


def forwarded(result: Stanza) -> Stanza:
    inner = find(result, "message/mam:result/forward:forwarded")
    assert inner is not None
    return inner[-1]


def same(stanza: Stanza) -> tuple[str | None, ...]:
    """What must be the same wherever a message is seen."""
    found = [stanza.find(path, NS) for path in ("sid:stanza-id", "occupant:occupant-id", "sid:origin-id")]
    ids = [None if element is None else element.get("id") for element in found]
    return (stanza.get("from"), stanza.get("id"), stanza.findtext(f"{JABBER}body"), *ids)


def paged(answer: Stanza) -> tuple[str, str]:
    """count, complete."""
    fin = answer[0]
    return fin.findtext(f"{RSM}set/{RSM}count") or "", fin.get("complete", "false")


async def test_live_history_and_archive_are_the_same_also_after_a_restart(
    gateway: StartGateway, pair: tuple[XmppServer, Ircd]
) -> None:
    server, ircd = pair
    there = await gateway(server, ircd)
    place = room("#past")
    async with (
        client(server, "alice") as alice,
        client(server, "bob") as bob,
        Person(ircd.host, ircd.port, "eve") as eve,
    ):
        await eve.join("#past")
        await alice.join(place, "alice")
        live = []
        for number in range(3):
            await eve.say("#past", f"<line> & {number}")
            live.append(same(await alice.body(f"<line> & {number}")))
        await alice.say(place, "mine", "own-1")
        live.append(same(await alice.body("mine")))
        await eve.say("#past", "\x01ACTION waves\x01")
        live.append(same(await alice.body("/me waves")))
        await there.restart()
        alice.forget()
        stanzas = await alice.join(place, "alice")
        assert [same(stanza) for stanza in stanzas if text(stanza) is not None] == live
        assert find(stanzas[-1], "message/subject") is not None

        results, answer = await query(alice, place, "<max>2</max>")
        first = [same(forwarded(result)) for result in results]
        assert paged(answer) == ("5", "false")
        results, answer = await query(alice, place, f"<max>10</max><after>{first[-1][3]}</after>")
        assert first + [same(forwarded(result)) for result in results] == live and paged(answer) == ("5", "true")
        assert all(forwarded(result).get("type") == "groupchat" for result in results)
        results, _ = await query(alice, place, "<max>1</max><before/>")
        assert [same(forwarded(result)) for result in results] == live[-1:]

        results, answer = await query(bob, place)
        assert (results, paged(answer)) == ([], ("0", "true"))
        results, answer = await query(bob, place, f"<after>{first[0][3]}</after>")
        assert (results, condition(answer)) == ([], "item-not-found")


async def test_a_room_says_that_it_has_an_archive(scene: Scene) -> None:
    await scene.enter()
    answer = await scene.alice.iq(f"<iq type='get' to='{scene.room}'><query xmlns='{NS['info']}'/></iq>")
    features = {feature.get("var") for feature in answer[0].iterfind(f"{{{NS['info']}}}feature")}
    assert {"urn:xmpp:mam:2", "urn:xmpp:mam:2#extended", "urn:xmpp:sid:0"} <= features


async def test_a_client_that_joins_late_sees_what_was_said_and_then_what_is_said(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.say(scene.channel, "before")
    await scene.alice.body("before")
    stanzas = await scene.phone.join(scene.room, "alice")
    bodies = [(text(stanza), find(stanza, "message/delay:delay") is not None) for stanza in stanzas if text(stanza)]
    assert bodies == [("before", True)]
    await scene.eve.say(scene.channel, "after")
    assert find(await scene.phone.body("after"), "message/delay:delay") is None
    stanzas = await scene.phone.join(scene.room, "alice", history=0)
    assert [text(stanza) for stanza in stanzas if text(stanza)] == []
