"""Who is in a channel, under which nick and rank, and how they go (XEP-0045 7.6, 8, 9), through real servers."""

from __future__ import annotations

import pytest

from lab.xmpp import NS, codes, condition, find, text
from tests.scenarios.irc import Scene, item, nick, of, presence_of, room, words


def reason(presence):  # type: ignore[no-untyped-def]
    return text(presence, "presence/user:x/user:item/user:reason")


def actor(presence):  # type: ignore[no-untyped-def]
    found = find(presence, "presence/user:x/user:item/user:actor")
    return None if found is None else found.get("nick")


# Nicks ----------------------------------------------------------------------------------------------------------------


async def test_an_own_nick_change_is_seen_in_all_rooms_of_the_server(scene: Scene) -> None:
    await scene.enter(scene.alice, scene.phone)
    home = room("#home")
    for new in ("[al]_", "alice"):
        old = "alice" if new == "[al]_" else "[al]_"
        await scene.alice.send(f"<presence to='{scene.room}/{new}'/>")
        for place in (scene.room, home):
            gone = await scene.alice.until(presence_of(of(place, old), "unavailable", 303, 110))
            assert item(gone)["nick"] == new
            assert codes(await scene.alice.until(presence_of(of(place, new), None, 110))) == {110}
        await scene.phone.until(presence_of(of(scene.room, new), None, 110))
        assert (await scene.eve.until("NICK")).params == [new]
        await scene.alice.say(scene.room, f"as {new}")
        assert nick(await scene.alice.body(f"as {new}")) == new


async def test_a_nick_that_is_taken_or_that_irc_does_not_take(scene: Scene) -> None:
    await scene.enter()
    for wanted, conditions in (("eve", {"conflict"}), ("1st", {"not-acceptable"}), ("two words", {"not-acceptable"})):
        await scene.alice.send(f"<presence to='{scene.room}/{wanted}' id='n'/>")
        error = await scene.alice.until("presence[@type='error'][@id='n']")
        assert condition(error) in conditions and error.get("from") == f"{scene.room}/{wanted}" and words(error)
    await scene.alice.say(scene.room, "still alice")
    assert nick(await scene.alice.body("still alice")) == "alice"


async def test_presence_with_the_same_nick_changes_nothing(scene: Scene) -> None:
    await scene.enter()
    await scene.alice.send(f"<presence to='{scene.room}/alice'><show>away</show></presence>")
    await scene.settle()
    assert scene.eve.waiting("NICK") == []
    news = scene.alice.waiting(lambda stanza: stanza.tag.endswith("}presence") and nick(stanza) == "alice")
    assert [stanza for stanza in news if stanza.get("type") or 303 in codes(stanza)] == []  # that one is away is news


async def test_somebody_comes_changes_nick_and_goes(scene: Scene) -> None:
    await scene.enter()
    async with scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        came = item(await scene.alice.until(presence_of(of(scene.room, "carl"))))
        assert (came["affiliation"], came["role"]) == ("none", "participant")
        assert came["jid"].startswith(f"{room('carl')}/") and came["jid"].endswith("@127.0.0.1")
        await carl.send("NICK carl|away")
        gone = await scene.alice.until(presence_of(of(scene.room, "carl"), "unavailable", 303))
        assert item(gone)["nick"] == "carl|away"
        await scene.alice.until(presence_of(of(scene.room, "carl|away")))
        await carl.send(f"PART {scene.channel} :got to go")
        gone = await scene.alice.until(presence_of(of(scene.room, "carl|away"), "unavailable"))
        assert (
            codes(gone) == set()
            and item(gone)["role"] == "none"
            and "got to go" in (text(gone, "presence/status") or "")
        )
        await carl.join(scene.channel)
        await scene.alice.until(presence_of(of(scene.room, "carl|away")))
        await carl.send("QUIT :bye bye")
        gone = await scene.alice.until(presence_of(of(scene.room, "carl|away"), "unavailable"))
        assert "bye bye" in (text(gone, "presence/status") or "") and codes(gone) == set()


# Put out --------------------------------------------------------------------------------------------------------------


async def test_a_kick_says_who_and_why_and_the_way_back_is_open(scene: Scene) -> None:
    await scene.enter(scene.alice, scene.phone)
    await scene.eve.send(f"KICK {scene.channel} alice :too <loud>")
    for one in (scene.alice, scene.phone):
        gone = await one.until(presence_of(of(scene.room, "alice"), "unavailable", 307, 110))
        assert codes(gone) == {307, 110} and (actor(gone), reason(gone)) == ("eve", "too <loud>")
    await scene.alice.say(scene.room, "may I?", "out")
    assert condition(await scene.alice.until("message[@type='error'][@id='out']")) == "not-acceptable"
    await scene.enter(scene.alice)


async def test_a_ban_with_a_kick_is_a_ban(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(f"MODE {scene.channel} +b alice!*@*")
    await scene.eve.send(f"KICK {scene.channel} alice :enough")
    gone = await scene.alice.until(presence_of(of(scene.room, "alice"), "unavailable", 301, 110))
    assert codes(gone) == {301, 110} and (actor(gone), reason(gone)) == ("eve", "enough")


async def test_a_kick_of_another(scene: Scene) -> None:
    await scene.enter()
    async with scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        await scene.eve.send(f"KICK {scene.channel} carl :spam")
        gone = await scene.alice.until(presence_of(of(scene.room, "carl"), "unavailable"))
    assert codes(gone) == {307} and (actor(gone), reason(gone)) == ("eve", "spam")


async def test_a_kill_of_another(scene: Scene) -> None:
    await scene.enter()
    async with scene.house.person("carl") as carl:
        await carl.join(scene.channel)
        await scene.eve.oper()
        await scene.eve.send("KILL carl :spammer")
        gone = await scene.alice.until(presence_of(of(scene.room, "carl"), "unavailable"))
    assert "spammer" in (text(gone, "presence/status") or "")
    await scene.eve.send("MODE eve -o")


# Ranks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "rank"),
    [
        ("+v", {"affiliation": "member", "role": "participant"}),
        ("+o", {"affiliation": "admin", "role": "moderator"}),
        ("+h", {"affiliation": "member", "role": "moderator"}),
    ],
)
async def test_modes_are_roles_and_affiliations(scene: Scene, mode: str, rank: dict[str, str]) -> None:
    await scene.enter()
    await scene.eve.send(f"MODE {scene.channel} {mode} alice")
    here = await scene.alice.until(presence_of(of(scene.room, "alice")))
    assert item(here) == rank | {"jid": "alice@localhost"} and codes(here) == {110}
    await scene.eve.send(f"MODE {scene.channel} {mode.replace('+', '-')} alice")
    assert item(await scene.alice.until(presence_of(of(scene.room, "alice")))) == {
        "affiliation": "none",
        "role": "participant",
        "jid": "alice@localhost",
    }


async def test_other_modes_are_words_of_the_room(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(f"MODE {scene.channel} +kl key 77")
    heard = await scene.alice.until(lambda s: "+k key" in (text(s) or ""))
    assert heard.get("from") == scene.room and "+l 77" in (text(heard) or "")
    await scene.eve.send(f"MODE {scene.channel} -kl key")


# Subjects and invitations ---------------------------------------------------------------------------------------------


async def test_subjects_both_ways(scene: Scene) -> None:
    await scene.enter()
    await scene.eve.send(f"TOPIC {scene.channel} :Of all <things>")
    heard = await scene.alice.until("message/subject/..")
    assert (nick(heard), text(heard, "message/subject"), text(heard)) == ("eve", "Of all <things>", None)
    await scene.eve.send(f"MODE {scene.channel} +o alice")
    await scene.eve.barrier()
    await scene.eve.until("TOPIC")
    await scene.alice.send(f"<message to='{scene.room}' type='groupchat'><subject>mine\nnow</subject></message>")
    assert (await scene.eve.until("TOPIC")).text == "mine now"
    heard = await scene.alice.until("message/subject/..")
    assert (nick(heard), text(heard, "message/subject")) == ("alice", "mine now")
    await scene.alice.send(f"<message to='{scene.room}' type='groupchat'><subject/></message>")
    assert (await scene.eve.until("TOPIC")).text == ""
    assert text(await scene.alice.until("message/subject/.."), "message/subject") == ""


async def test_a_subject_that_is_not_allowed(scene: Scene) -> None:
    await scene.eve.send(f"MODE {scene.channel} +t")
    await scene.enter()
    await scene.alice.send(f"<message to='{scene.room}' type='groupchat' id='s'><subject>mine</subject></message>")
    error = await scene.alice.until("message[@type='error'][@id='s']")
    assert condition(error) == "forbidden" and error.get("from") == scene.room and words(error)


async def test_an_invitation_names_who_and_where(scene: Scene) -> None:
    await scene.eve.send(f"INVITE alice {scene.channel}")
    heard = await scene.alice.until("message/user:x/user:invite/../..")
    invite = find(heard, "message/user:x/user:invite")
    assert invite is not None and (heard.get("from"), invite.get("from")) == (scene.room, room("eve"))
    assert heard.find("{jabber:x:conference}x", NS) is not None
