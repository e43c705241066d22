"""Running a room from XMPP (XEP-0045 7.8, 8, 9, 10), and finding one, through real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lab.xmpp import NS, Client, Stanza, codes, condition, find, text
from tests.scenarios.irc import DOMAIN, House, Scene, client, item, of, presence_of, room, words

ADMIN = "http://jabber.org/protocol/muc#admin"
OWNER = "http://jabber.org/protocol/muc#owner"
CONFIG = "http://jabber.org/protocol/muc#roomconfig"


async def admin(who: Client, room: str, items: str, kind: str = "set") -> Stanza:
    return await who.iq(f"<iq type='{kind}' to='{room}'><query xmlns='{ADMIN}'>{items}</query></iq>")


async def configure(who: Client, room: str, *fields: tuple[str, str]) -> Stanza:
    inner = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields)
    form = f"<field var='FORM_TYPE'><value>{CONFIG}</value></field>{inner}"
    return await who.iq(
        f"<iq type='set' to='{room}'><query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'>{form}</x></query></iq>"
    )


async def form(who: Client, room: str) -> dict[str, str]:
    answer = await who.iq(f"<iq type='get' to='{room}'><query xmlns='{OWNER}'/></iq>")
    fields = answer.iter("{jabber:x:data}field")
    return {field.get("var", ""): field.findtext("{jabber:x:data}value") or "" for field in fields}


def done(answer: Stanza) -> bool:
    assert answer.get("type") == "result", f"{condition(answer)}: {words(answer)}"
    return True


def entries(answer: Stanza) -> list[dict[str, str]]:
    assert done(answer)
    return [dict(found.attrib) for found in answer.iter(f"{{{ADMIN}}}item")]


def reason(stanza: Stanza) -> str | None:
    return text(stanza, "presence/user:x/user:item/user:reason")


@asynccontextmanager
async def run_by_alice(scene: Scene) -> AsyncIterator[None]:
    """alice is the operator of the channel, and eve is there."""
    await scene.enter()
    await scene.eve.send(f"MODE {scene.channel} +o alice")
    await scene.alice.until(presence_of(of(scene.room, "alice"), None, 110))
    scene.house.forget()
    yield


# Ranks ----------------------------------------------------------------------------------------------------------------


async def test_voice_and_rank_are_given_and_taken(scene: Scene) -> None:
    async with run_by_alice(scene), scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        await scene.alice.until(presence_of(of(scene.room, "carl")))
        carl.forget()
        jid = room("carl")
        for wanted, rank, mode in (
            ("nick='carl' role='participant'", ("member", "participant"), ["+v", "carl"]),
            ("nick='carl' role='visitor'", ("none", "participant"), ["-v", "carl"]),
            (f"jid='{jid}' affiliation='admin'", ("admin", "moderator"), ["+o", "carl"]),
            (f"jid='{jid}' affiliation='member'", ("member", "participant"), None),
            (f"jid='{jid}' affiliation='none'", ("none", "participant"), ["-v", "carl"]),
        ):
            assert done(await admin(scene.alice, scene.room, f"<item {wanted}/>"))

            def ranked(stanza: Stanza, rank: tuple[str, str] = rank) -> bool:
                there = presence_of(of(scene.room, "carl"))(stanza)
                return there and (item(stanza)["affiliation"], item(stanza)["role"]) == rank

            await scene.alice.until(ranked)
            if mode:
                assert (await carl.until("MODE")).params[1:] == mode
            else:
                await carl.until("MODE")


async def test_a_kick_is_answered_and_seen_with_its_reason(scene: Scene) -> None:
    async with run_by_alice(scene), scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        await scene.alice.until(presence_of(of(scene.room, "carl")))
        kick = "<item nick='carl' role='none'><reason>Avaunt, you cullion!</reason></item>"
        assert done(await admin(scene.alice, scene.room, kick))
        gone = await scene.alice.until(presence_of(of(scene.room, "carl"), "unavailable", 307))
        assert reason(gone) == "Avaunt, you cullion!" and item(gone) == {"affiliation": "none", "role": "none"}
        assert (await carl.until("KICK")).params[1:] == ["carl", "Avaunt, you cullion!"]
        again = await admin(scene.alice, scene.room, kick)
        assert condition(again) == "item-not-found" and words(again)


async def test_a_ban_is_answered_listed_and_lifted(scene: Scene) -> None:
    async with run_by_alice(scene), scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        await scene.alice.until(presence_of(of(scene.room, "carl")))
        # all of the lab come from one host: by mask, so that nobody else is meant
        mask = f"carl!*\\40*%irc.test@{DOMAIN}"
        ban = f"<item jid='{mask}' affiliation='outcast'/>"
        assert done(await admin(scene.alice, scene.room, ban))
        (entry,) = entries(await admin(scene.alice, scene.room, "<item affiliation='outcast'/>", "get"))
        assert entry == {"affiliation": "outcast", "jid": mask}
        assert done(await admin(scene.alice, scene.room, "<item nick='carl' role='none'/>"))
        await scene.alice.until(presence_of(of(scene.room, "carl"), "unavailable", 301))
        await carl.send(f"JOIN {scene.channel}")
        await carl.until("474")
        assert done(await admin(scene.alice, scene.room, f"<item jid='{room('carl')}' affiliation='none'/>"))
        assert entries(await admin(scene.alice, scene.room, "<item affiliation='outcast'/>", "get")) == []
        await carl.join(scene.channel)


async def test_a_member_is_banned_with_the_reason(scene: Scene) -> None:
    async with run_by_alice(scene), scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        await scene.alice.until(presence_of(of(scene.room, "carl")))
        ban = f"<item jid='{room('carl')}' affiliation='outcast'><reason>Treason</reason></item>"
        assert done(await admin(scene.alice, scene.room, ban))
        gone = await scene.alice.until(presence_of(of(scene.room, "carl"), "unavailable", 301))
        assert (reason(gone), item(gone)["affiliation"], codes(gone)) == ("Treason", "outcast", {301})


async def test_who_is_no_operator_is_told_so(scene: Scene) -> None:
    await scene.enter()
    answers = [
        await admin(scene.alice, scene.room, "<item nick='eve' role='none'/>"),
        await admin(scene.alice, scene.room, "<item nick='eve' role='participant'/>"),
        await admin(scene.alice, scene.room, f"<item jid='*!*\\40x%irc.test@{DOMAIN}' affiliation='outcast'/>"),
        await configure(scene.alice, scene.room, ("muc#roomconfig_moderatedroom", "1")),
    ]
    assert [condition(answer) for answer in answers] == ["forbidden"] * 4 and all(map(words, answers))
    for value, code in (("false", 171), ("unset", 170)):
        assert done(await configure(scene.alice, scene.room, ("record_history", value)))
        assert (await form(scene.alice, scene.room))["record_history"] == value
        told = await scene.alice.until(lambda stanza: stanza.tag.endswith("}message") and codes(stanza) != set())
        assert codes(told) == {code}


async def test_requests_amid_traffic_have_their_own_answers(scene: Scene) -> None:
    async with run_by_alice(scene), scene.house.person("carl") as carl, scene.house.person("dora") as dora:
        for one in (carl, dora):
            await one.join(scene.channel)
            await scene.alice.until(presence_of(of(scene.room, one.nick)))
        for n in range(30):
            await scene.eve.send(f"PRIVMSG {scene.channel} :{n}")
        wanted = ["carl' role='participant", "nobody' role='none", "dora' role='none", "carl' role='none"]
        answers = await asyncio.gather(*(admin(scene.alice, scene.room, f"<item nick='{each}'/>") for each in wanted))
        assert [condition(answer) for answer in answers] == [None, "item-not-found", None, None]


async def test_the_lists_of_a_room(scene: Scene) -> None:
    async with run_by_alice(scene):
        found = entries(await admin(scene.alice, scene.room, "<item affiliation='admin'/>", "get"))
        assert {"affiliation": "admin", "nick": "alice", "jid": "alice@localhost"} in found
        found = entries(await admin(scene.alice, scene.room, "<item role='moderator'/>", "get"))
        assert {entry["nick"] for entry in found} == {"alice", "eve"}
        for bad in ("", "<item/>", "<item role='king'/>", "<item role='none' affiliation='none'/>"):
            assert condition(await admin(scene.alice, scene.room, bad, "get")) == "bad-request"


# Configuration --------------------------------------------------------------------------------------------------------


async def test_the_rooms_form_is_the_channels_modes(scene: Scene) -> None:
    async with run_by_alice(scene):
        before = await form(scene.alice, scene.room)
        assert before["FORM_TYPE"] == CONFIG and before["muc#roomconfig_moderatedroom"] == "0"
        changes = [("muc#roomconfig_moderatedroom", "1"), ("muc#roomconfig_maxusers", "30")]
        assert done(await configure(scene.alice, scene.room, *changes))
        seen = (await scene.eve.until("MODE")).params[1:]
        assert seen == ["+ml", "30"] or seen == ["+lm", "30"] or seen[0] in ("+m", "+l")
        await scene.alice.until(lambda stanza: stanza.tag.endswith("}message") and 104 in codes(stanza))
        after = await form(scene.alice, scene.room)
        assert after == {**before, "muc#roomconfig_moderatedroom": "1", "muc#roomconfig_maxusers": "30"}
        assert done(await configure(scene.alice, scene.room, ("muc#roomconfig_maxusers", "")))
        assert await form(scene.alice, scene.room) == {**before, "muc#roomconfig_moderatedroom": "1"}


async def test_a_password_is_set_and_taken(scene: Scene) -> None:
    async with run_by_alice(scene):
        protected, secret = "muc#roomconfig_passwordprotectedroom", "muc#roomconfig_roomsecret"
        answer = await configure(scene.alice, scene.room, (protected, "1"))
        assert condition(answer) == "not-acceptable" and words(answer)
        assert done(await configure(scene.alice, scene.room, (protected, "1"), (secret, "sesame")))
        assert condition((await scene.bob.join(scene.room, "bob"))[-1]) == "not-authorized"
        assert done(await configure(scene.alice, scene.room, (protected, "0")))
        assert (await scene.bob.join(scene.room, "bob"))[-1].get("type") != "error"


async def test_a_room_is_not_destroyed_and_a_cancelled_form_changes_nothing(scene: Scene) -> None:
    async with run_by_alice(scene):
        head = f"<iq type='set' to='{scene.room}'><query xmlns='{OWNER}'>"
        refused = await scene.alice.iq(f"{head}<destroy><reason>Macbeth doth come.</reason></destroy></query></iq>")
        assert condition(refused) == "not-allowed" and words(refused)
        assert done(await scene.alice.iq(f"{head}<x xmlns='jabber:x:data' type='cancel'/></query></iq>"))
        assert done(await scene.alice.iq(f"{head}<x xmlns='jabber:x:data' type='submit'/></query></iq>"))
        await scene.eve.barrier()
        assert scene.eve.waiting("MODE") == []


# Invitations and voice ------------------------------------------------------------------------------------------------


async def test_invitations_to_irc(scene: Scene) -> None:
    async with run_by_alice(scene), scene.house.person("carl") as carl:
        user = "http://jabber.org/protocol/muc#user"
        await scene.alice.send(
            f"<message to='{scene.room}' id='i1'><x xmlns='{user}'><invite to='{room('carl')}'/></x></message>"
        )
        assert (await carl.until("INVITE")).params == ["carl", scene.channel]
        direct = f"<x xmlns='jabber:x:conference' jid='{scene.room}' reason='come'/>"
        await scene.alice.send(f"<message to='{room('carl')}' id='i2'>{direct}</message>")
        assert (await carl.until("INVITE")).params == ["carl", scene.channel]
        for whom, wanted in (("nobody", "item-not-found"), ("eve", "conflict")):
            await scene.alice.send(
                f"<message to='{scene.room}' id='{whom}'><x xmlns='{user}'><invite to='{room(whom)}'/></x></message>"
            )
            error = await scene.alice.until(f"message[@type='error'][@id='{whom}']")
            assert condition(error) == wanted and words(error)


async def test_invitations_from_irc_and_to_others_of_the_gateway(scene: Scene) -> None:
    async with run_by_alice(scene):
        user = "http://jabber.org/protocol/muc#user"
        await scene.eve.join("#party")
        await scene.eve.send("INVITE alice #party")
        invited = await scene.alice.until("message/user:x/user:invite")
        assert invited.get("from") == room("#party")
        assert find(invited, "message/{jabber:x:conference}x").get("jid") == room("#party")  # type: ignore[union-attr]
        invite = "<invite to='bob@localhost'><reason>Join us</reason></invite>"
        await scene.alice.send(f"<message to='{scene.room}'><x xmlns='{user}'>{invite}</x></message>")
        invited = await scene.bob.until("message/user:x/user:invite")
        assert invited.get("from") == scene.room and find(invited, "message/user:x/user:invite/user:reason") is not None
        await scene.bob.send(f"<message to='{scene.room}'><x xmlns='{user}'><decline to='alice@localhost'/></x></message>")
        stranger = "<invite to='stranger@elsewhere.example'/>"
        await scene.alice.send(f"<message to='{scene.room}' id='s'><x xmlns='{user}'>{stranger}</x></message>")
        assert condition(await scene.alice.until("message[@type='error'][@id='s']")) == "item-not-found"
        await scene.bob.barrier()
        assert scene.bob.waiting("message[@type='error']") == []
        await scene.eve.send("PART #party")


async def test_a_wish_to_be_heard_reaches_the_operators_where_the_server_lets_it(house: House, scene: Scene) -> None:
    await scene.enter()
    fields = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>"
    fields += "<field var='muc#role'><value>participant</value></field>"
    request = f"<message to='{scene.room}' id='v'><x xmlns='jabber:x:data' type='submit'>{fields}</x></message>"
    await scene.alice.send(request)
    if house.ircd.name == "ngircd":  # has no STATUSMSG
        error = await scene.alice.until("message[@type='error'][@id='v']")
        assert condition(error) == "feature-not-implemented" and words(error)
        return
    heard = await scene.eve.until("NOTICE")
    assert heard.params[0] == f"@{scene.channel}" and "alice" in heard.text
    await scene.eve.send(f"MODE {scene.channel} +m")
    await scene.eve.barrier()
    await scene.alice.send(request)
    error = await scene.alice.until("message[@type='error'][@id='v']")
    assert condition(error) == "forbidden" and words(error)


# Finding rooms --------------------------------------------------------------------------------------------------------


def form_of(answer: Stanza) -> dict[str, str]:
    return {field.get("var", ""): field.findtext("{jabber:x:data}value") or "" for field in answer.iter("{jabber:x:data}field")}


async def test_a_room_that_one_is_not_in_is_described(scene: Scene) -> None:
    await scene.eve.send(f"TOPIC {scene.channel} :of all things")
    await scene.eve.barrier()
    info = f"<query xmlns='{NS['info']}'/>"
    answer = await scene.alice.iq(f"<iq type='get' to='{scene.room}'>{info}</iq>")
    fields = form_of(answer)
    assert fields["muc#roominfo_occupants"] == "1" and "of all things" in fields["muc#roominfo_subject"]
    # of a channel that nobody made, and of a network that alice is not on, at once
    for jid in (room("#nobody-made-this"), room("#c", "other.test")):
        answer = await asyncio.wait_for(scene.alice.iq(f"<iq type='get' to='{jid}'>{info}</iq>"), 6)
        assert done(answer) and "muc#roominfo_occupants" not in form_of(answer)


async def test_the_channels_of_a_server_page_by_page(scene: Scene) -> None:
    await scene.eve.send("LUSERS")
    async with client(scene.house.server, "carol") as carol:
        await carol.join(room("#finding"), "carol")
        names = [f"#find{n}" for n in range(7)]
        for name in names:
            await scene.eve.join(name)
        await scene.eve.send("TOPIC #find3 :the third of them")
        await scene.eve.barrier()

        async def page(more: str) -> tuple[list[str], Stanza]:
            answer = await carol.iq(
                f"<iq type='get' to='{room('')}'><query xmlns='{NS['items']}'>"
                f"<set xmlns='http://jabber.org/protocol/rsm'>{more}</set></query></iq>"
            )
            return [found.get("jid", "") for found in answer.iter(f"{{{NS['items']}}}item")], answer

        seen: list[str] = []
        jids, answer = await page("<max>3</max>")
        while jids:
            seen += jids
            last = next(answer.iter("{http://jabber.org/protocol/rsm}last")).text
            jids, answer = await page(f"<max>3</max><after>{last}</after>")
        assert len(seen) == len(set(seen)) and {room(name) for name in names} <= set(seen)
        (count,) = answer.iter("{http://jabber.org/protocol/rsm}count")
        assert count.text == str(len(seen))

        search = "urn:xmpp:channel-search:0:search"
        asked = (
            "<field var='FORM_TYPE'><value>urn:xmpp:channel-search:0:search-params</value></field>"
            "<field var='q'><value>third them</value></field>"
        )
        answer = await carol.iq(
            f"<iq type='get' to='{room('')}'><search xmlns='{search}'>"
            f"<x xmlns='jabber:x:data' type='submit'>{asked}</x></search></iq>"
        )
        (found,) = answer.iter(f"{{{search}}}item")
        assert found.get("address") == room("#find3") and found.findtext(f"{{{search}}}nusers") == "1"
        for name in names:
            await scene.eve.send(f"PART {name}")
        await carol.leave(room("#finding"), "carol")


async def test_a_channel_that_sends_its_visitors_on(house: House, scene: Scene) -> None:
    if house.ircd.name != "inspircd":
        pytest.skip("ngIRCd forwards nobody")
    await scene.enter(scene.bob)  # whose connection stays
    await scene.eve.join("#elsewhere")
    await scene.eve.join("#full")
    await scene.eve.send("MODE #full +lL 1 #elsewhere")
    await scene.eve.barrier()
    await scene.alice.send(f"<presence to='{room('#full')}/alice'><x xmlns='{NS['muc']}'/></presence>")
    error = await scene.alice.until("presence[@type='error']")
    assert condition(error) == "not-allowed" and "#elsewhere" in words(error)
    assert (await scene.alice.until("message/user:x/user:invite")).get("from") == room("#elsewhere")
    stanzas = await scene.alice.join(room("#elsewhere"), "alice")
    assert {"eve", "alice"} <= {stanza.get("from", "").partition("/")[2] for stanza in stanzas}
    await scene.alice.leave(room("#elsewhere"), "alice")
    await scene.eve.send("PART #elsewhere,#full")
