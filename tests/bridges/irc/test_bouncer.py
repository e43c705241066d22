"""Networks that are lost and come back, against a scripted server: where the user stays, what is told, under which nick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.scripted_irc import Guest, ScriptedIrc
from tests.bridges.irc.scene import BY, ME, ROOM
from tests.bridges.irc.test_wire import Stage, until
from transports.bridges.irc import regain, retry
from transports.bridges.irc.bouncer import Return
from transports.bridges.irc.connections import IrcSession
from transports.bridges.irc.wire import DEAD, QUIET, Link
from transports.config_models import IrcLimits
from transports.errors import LegacyError
from transports.events import (
    Address,
    Down,
    Entered,
    Failed,
    Interrupted,
    Join,
    Leave,
    Left,
    Notice,
    Refused,
    Renamed,
    Say,
    Seen,
    Up,
)

SERVER = Address("server", "irc.test")
OTHER = Address("room", "#d%irc.test")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "SHORTEST", 0.01)
    monkeypatch.setattr(retry, "LONGEST", 0.02)
    monkeypatch.setattr(retry, "REJOIN", 0.01)
    monkeypatch.setattr(retry, "REJOIN_LATEST", 0.02)


class Bounced(Stage):
    """ada stays on irc.test when she is lost."""

    def back(self) -> Return:
        assert self.session.bouncer is not None
        return self.session.bouncer.returns["irc.test"]

    async def lost(self, guest: Guest) -> None:
        before = len(self.out.of(Interrupted))
        await guest.close()
        await until(lambda: len(self.out.of(Interrupted)) > before)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(irc: ScriptedIrc) -> AsyncIterator[Bounced]:
    made = Bounced(irc.port, persistent=True)
    yield made
    made.session.close("")


async def entered(stage: Bounced, irc: ScriptedIrc, *isupport: str) -> tuple[Link, Guest]:
    link = stage.join()
    guest = await irc.guest()
    await guest.welcome(*isupport)
    await guest.until("JOIN #c")
    guest.let_in("#c", "bob")
    await until(lambda: stage.out.of(Entered))
    return link, guest


async def again(stage: Bounced, irc: ScriptedIrc, *isupport: str) -> Guest:
    guest = await irc.guest()
    await guest.welcome(*isupport)
    return guest


# Lost and back --------------------------------------------------------------------------------------------------------


async def test_a_room_that_is_lost_keeps_its_user_and_comes_back(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    assert stage.out.of(Interrupted)[0].room == ROOM
    assert stage.out.of(Left) == stage.out.of(Down) == []
    assert not stage.session.idle
    guest = await again(stage, irc)
    await guest.until("JOIN #c")
    guest.let_in("#c", "bob", "carol")
    await until(lambda: len(stage.out.of(Entered)) == 2)
    assert set(stage.out.of(Entered)[1].members) == {ME, "bob", "carol"}
    assert stage.out.of(Refused) == []


async def test_a_room_that_is_not_persistent_is_lost_for_good(irc: ScriptedIrc) -> None:
    stage = Bounced(irc.port, persistent=False)
    _, guest = await entered(stage, irc)
    await guest.close()
    await until(lambda: stage.out.of(Left))
    assert stage.out.of(Left)[0].cause == "lost" and stage.out.of(Interrupted) == []
    assert stage.out.of(Down) and stage.session.idle


async def test_only_what_is_to_stay_stays(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    stage.session.do(Join(OTHER, ME, BY, "sesame"))
    await guest.until("JOIN #d sesame")
    guest.let_in("#d")
    await until(lambda: len(stage.out.of(Entered)) == 2)
    await stage.bridge.options.put("ada@example.org", ROOM, {"persistent": False})
    await stage.lost(guest)
    await until(lambda: stage.out.of(Left))
    assert [fact.room for fact in stage.out.of(Left)] == [ROOM]
    assert [fact.room for fact in stage.out.of(Interrupted)] == [OTHER]
    guest = await again(stage, irc)
    assert await guest.until("JOIN") == "JOIN #d sesame"


async def test_the_server_is_shown_as_it_stands(stage: Bounced, irc: ScriptedIrc) -> None:
    def shown() -> list[tuple[str, str]]:
        return [(fact.show, fact.status) for fact in stage.out.of(Seen) if fact.contact == SERVER]

    _, guest = await entered(stage, irc)
    assert stage.bridge.presence("ada@example.org", SERVER) == ("", "Connected as ada")
    await stage.lost(guest)
    await until(lambda: any("Connecting again in" in status for _, status in shown()))
    guest = await again(stage, irc)
    await until(lambda: stage.bridge.presence("ada@example.org", SERVER) == ("", "Connected as ada"))
    assert [show for show, _ in shown()] == ["away", "away"]


async def test_what_is_sent_meanwhile_is_refused_for_now(
    stage: Bounced, irc: ScriptedIrc, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, guest = await entered(stage, irc)
    monkeypatch.setattr(retry, "SHORTEST", 60.0)
    monkeypatch.setattr(retry, "LONGEST", 60.0)
    await stage.lost(guest)
    stage.session.do(Say(ROOM, "", "hello?", BY, "1"))
    error = stage.out.of(Failed)[0].error
    assert (error.condition, error.type) == ("recipient-unavailable", "wait") and "60 s" in error.text


async def test_what_is_sent_before_the_room_is_back_is_refused_for_now(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await again(stage, irc)
    await guest.until("JOIN #c")
    stage.session.do(Say(ROOM, "", "hello?", BY, "1"))
    error = stage.out.of(Failed)[0].error
    assert (error.condition, error.type) == ("recipient-unavailable", "wait")


async def test_attempts_in_vain_are_counted_and_go_on(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    for attempt in (1, 2, 3):
        guest = await irc.guest()
        await guest.close()
        await until(lambda attempt=attempt: stage.back().attempts > attempt)  # type: ignore[misc]
    assert len(stage.out.of(Interrupted)) == 1 and stage.out.of(Refused) == []
    guest = await again(stage, irc)
    await guest.until("JOIN #c")


async def test_a_good_connection_begins_anew(stage: Bounced, irc: ScriptedIrc, monkeypatch: pytest.MonkeyPatch) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    back = stage.back()
    guest = await again(stage, irc)
    guest.let_in("#c")
    await until(lambda: back.up is not None and not back.rooms)
    back.attempts = 7
    assert back.up is not None
    back.up -= retry.STABLE + 1
    await stage.lost(guest)
    assert back.attempts == 1


async def test_a_half_open_link_is_a_lost_one(stage: Bounced, irc: ScriptedIrc) -> None:
    link, guest = await entered(stage, irc)
    guest.answers = False
    link.tick(link.heard + QUIET + 1)
    await guest.until("PING alive")
    assert stage.out.of(Interrupted) == []
    link.tick(link.heard + DEAD + 1)
    assert [fact.room for fact in stage.out.of(Interrupted)] == [ROOM]
    guest = await again(stage, irc)
    await guest.until("JOIN #c")


async def test_who_leaves_the_last_channel_is_shown_to_be_gone(stage: Bounced, irc: ScriptedIrc) -> None:
    link, guest = await entered(stage, irc)
    stage.session.do(Leave(ROOM))
    await guest.until("PART")
    guest.write(":ada!u@h PART #c", "PING :parted")
    await guest.until("PONG parted")
    link.tick(link.loop.time())
    await guest.until("QUIT")
    assert stage.out.of(Down) == [Down(SERVER)]
    assert stage.bridge.presence("ada@example.org", SERVER).show == "unavailable"


async def test_a_network_that_is_whole_for_a_minute_is_as_any_other(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    back = stage.back()
    guest = await again(stage, irc)
    guest.let_in("#c")
    await until(lambda: len(stage.out.of(Entered)) == 2)
    bouncer = stage.session.bouncer
    assert bouncer is not None and back.link is not None and back.up is not None
    assert back.link.net.tell == stage.out.tell  # nothing stands in the way of its facts any more
    bouncer.tick(back.up + retry.STABLE - 1)
    assert bouncer.returns
    bouncer.tick(back.up + retry.STABLE + 1)
    assert not bouncer.returns and not stage.bridge.bouncers


async def test_who_is_connected_without_a_channel_comes_back_too(stage: Bounced, irc: ScriptedIrc) -> None:
    stage.session.attach("irc.test")
    guest = await irc.guest()
    await guest.welcome()
    await until(lambda: stage.out.of(Up))
    await guest.close()
    guest = await again(stage, irc)
    await until(lambda: len(stage.out.of(Up)) == 2)
    assert stage.bridge.presence("ada@example.org", SERVER).text == "Connected as ada"
    stage.session.leave("irc.test", "bye")
    await guest.until("QUIT")
    assert stage.session.idle


async def test_networks_that_are_to_come_back_count(irc: ScriptedIrc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "SHORTEST", 60.0)
    monkeypatch.setattr(retry, "LONGEST", 60.0)
    stage = Bounced(irc.port, persistent=True)
    stage.bridge.settings = stage.bridge.settings.model_copy(update={"limits": IrcLimits(networks=1)})
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    stage.session.do(Join(Address("room", "#c%other.test"), ME, BY))
    assert stage.out.of(Refused)[0].error.condition == "resource-constraint"
    stage.session.do(Join(OTHER, ME, BY))  # on the network that is to come back
    guest = await again(stage, irc)
    assert await guest.until("JOIN") == "JOIN #c,#d"
    stage.session.close("")


# What is final --------------------------------------------------------------------------------------------------------


async def test_a_ban_ends_the_attempts_and_is_told(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    guest.write("ERROR :Closing link: (ada@127.0.0.1) [K-Lined: spam]")
    await stage.lost(guest)
    await until(lambda: len(stage.out.of(Notice)) == 3)
    to_server, stopped, in_room = stage.out.of(Notice)
    assert (to_server.where, stopped.where, in_room.where) == (SERVER, SERVER, ROOM)
    assert "reconnect" in stopped.text and stopped.text == in_room.text
    assert stage.back().stopped and stage.back().timer is None
    assert stage.bridge.presence("ada@example.org", SERVER).show == "xa"
    stage.session.do(Say(ROOM, "", "hello?", BY, "1"))
    assert stage.out.of(Failed)[0].error.type == "cancel"
    stage.session.do(Join(OTHER, ME, BY))
    assert "reconnect" in stage.out.of(Refused)[0].error.text
    stage.session.reattach("irc.test")
    guest = await again(stage, irc)
    await guest.until("JOIN #c")


async def test_connecting_is_as_good_as_connecting_again(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    guest.write("ERROR :Closing link: (ada@127.0.0.1) [K-Lined: spam]")
    await stage.lost(guest)
    stage.session.attach("irc.test")
    guest = await again(stage, irc)
    await guest.until("JOIN #c")


async def test_a_login_that_fails_at_the_return_ends_the_attempts(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await irc.guest()
    await guest.until("USER")
    guest.write(":irc.test 464 ada :Password incorrect")
    await until(lambda: stage.back().stopped)
    await until(lambda: any(notice.where == ROOM for notice in stage.out.of(Notice)))


async def test_a_throttled_return_is_not_hurried_by_a_join(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await irc.guest()
    guest.write("ERROR :Closing link: [Trying to reconnect too fast: throttled]")
    await guest.close()
    back = stage.back()
    await until(lambda: back.error is not None and back.error.condition == "resource-constraint")
    back.wait_no_longer()
    stage.session.do(Join(OTHER, ME, BY))
    assert stage.out.of(Refused)[0].error.type == "wait"


async def test_a_join_meanwhile_connects_at_once(
    stage: Bounced, irc: ScriptedIrc, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, guest = await entered(stage, irc)
    monkeypatch.setattr(retry, "SHORTEST", 60.0)
    monkeypatch.setattr(retry, "LONGEST", 60.0)
    await stage.lost(guest)
    stage.session.do(Join(OTHER, ME, BY))
    guest = await again(stage, irc)
    assert await guest.until("JOIN") == "JOIN #c,#d"


# Channels that refuse -------------------------------------------------------------------------------------------------


async def test_a_channel_that_bans_the_user_is_given_up(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await again(stage, irc)
    await guest.until("JOIN #c")
    guest.write(":irc.test 474 ada #c :Cannot join channel (+b)")
    await until(lambda: stage.out.of(Refused))
    assert stage.out.of(Refused)[0].room == ROOM
    assert any(notice.where == SERVER and "#c" in notice.text for notice in stage.out.of(Notice))


async def test_a_full_channel_is_asked_again(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await again(stage, irc)
    for _ in range(3):
        await guest.until("JOIN #c")
        guest.write(":irc.test 471 ada #c :Cannot join channel (+l)")
    await guest.until("JOIN #c")
    guest.let_in("#c")
    await until(lambda: len(stage.out.of(Entered)) == 2)
    assert stage.out.of(Refused) == []
    assert len([notice for notice in stage.out.of(Notice) if notice.where == ROOM]) == 1


# Leaving --------------------------------------------------------------------------------------------------------------


async def test_leaving_the_last_room_meanwhile_ends_it(
    stage: Bounced, irc: ScriptedIrc, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, guest = await entered(stage, irc)
    monkeypatch.setattr(retry, "SHORTEST", 60.0)
    monkeypatch.setattr(retry, "LONGEST", 60.0)
    await stage.lost(guest)
    stage.session.do(Leave(ROOM))
    assert stage.session.idle and not stage.bridge.bouncers


async def test_leaving_the_network_meanwhile_tells_the_rooms(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    stage.session.leave("irc.test", "bye")
    assert stage.out.of(Left) == [Left(ROOM, (ME,), "left", "bye")]
    assert stage.session.idle


async def test_leaving_while_a_return_is_under_way_ends_it(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await again(stage, irc)
    await guest.until("JOIN #c")
    stage.session.leave("irc.test", "bye")
    await guest.until("QUIT")
    assert stage.session.idle and stage.out.of(Left) == [Left(ROOM, (ME,), "left", "bye")]


async def test_leaving_a_room_for_good(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    assert stage.session.part(ROOM, "irc.test", "bye")
    assert await guest.until("PART") == "PART #c bye"
    assert stage.out.of(Left) == [Left(ROOM, (ME,), "left", "bye")]
    assert not stage.session.part(ROOM, "irc.test", "bye")


async def test_leaving_a_room_for_good_while_it_is_lost(
    stage: Bounced, irc: ScriptedIrc, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, guest = await entered(stage, irc)
    monkeypatch.setattr(retry, "SHORTEST", 60.0)
    monkeypatch.setattr(retry, "LONGEST", 60.0)
    await stage.lost(guest)
    assert stage.session.part(ROOM, "irc.test", "bye")
    assert stage.out.of(Left) == [Left(ROOM, (ME,), "left", "bye")]
    assert stage.session.idle


async def test_leaving_a_room_for_good_while_the_server_greets(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await irc.guest()
    await guest.until("USER")
    assert stage.session.part(ROOM, "irc.test", "bye")
    guest.nick = ME
    guest.greet()
    guest.write("PING :done")
    await guest.until("PONG done")
    assert not any(line.startswith("JOIN") for line in guest.lines)


async def test_leaving_a_room_before_it_is_entered(stage: Bounced, irc: ScriptedIrc) -> None:
    stage.join()
    guest = await irc.guest()
    await guest.welcome()
    await guest.until("JOIN #c")
    assert stage.session.part(ROOM, "irc.test", "bye")
    assert stage.out.of(Refused) and stage.out.of(Left) == []


async def test_joins_of_a_greeting_wait_for_their_turn_among_all_users(irc: ScriptedIrc) -> None:
    stage = Bounced(irc.port, persistent=True, connect_rate=[1, 20.0])
    second: IrcSession = stage.bridge.open("eve@example.org", stage.out)
    for session, nick in ((stage.session, "ada"), (second, "eve")):
        for number in range(30):
            session.do(Join(Address("room", f"#{nick}{number}%irc.test"), nick, ""))
    guests = [await irc.guest(), await irc.guest()]
    began = asyncio.get_running_loop().time()
    for guest in guests:
        await guest.welcome()
    for guest in guests:
        await guest.until("JOIN")
        await guest.until("JOIN")  # 30 channels are two lines
    assert asyncio.get_running_loop().time() - began >= 3 / 20.0
    for session in (stage.session, second):
        session.close("")


async def test_a_new_connection_on_the_users_word(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    stage.session.reattach("irc.test")
    await guest.until("QUIT")
    assert [fact.room for fact in stage.out.of(Interrupted)] == [ROOM]
    guest = await again(stage, irc)
    await guest.until("JOIN #c")
    guest.let_in("#c")
    await until(lambda: len(stage.out.of(Entered)) == 2)


async def test_nothing_to_connect_to_again(stage: Bounced) -> None:
    with pytest.raises(LegacyError):
        stage.session.bounce().again("irc.test")


async def test_a_session_that_ends_comes_back_to_nothing(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    timer = stage.back().timer
    stage.session.close("")
    assert timer is None or timer.cancelled()
    assert stage.session.idle


# After a restart ------------------------------------------------------------------------------------------------------


async def test_rooms_of_before_are_joined_in_one_line(stage: Bounced, irc: ScriptedIrc) -> None:
    rooms = [Address("room", f"#r{number}%irc.test") for number in range(20)]
    for room in rooms:
        stage.session.do(Join(room, ME, ""))
    guest = await again(stage, irc)
    line = await guest.until("JOIN")
    assert line == "JOIN " + ",".join(f"#r{number}" for number in range(20))


async def test_limits_hold_for_rooms_of_before(stage: Bounced, irc: ScriptedIrc) -> None:
    limits = IrcLimits(channels=3, networks=1)
    stage.bridge.settings = stage.bridge.settings.model_copy(update={"limits": limits})
    rooms = [Address("room", f"#r{number}%irc.test") for number in range(5)]
    for room in (*rooms, rooms[0], Address("room", "#c%other.test")):
        stage.session.do(Join(room, ME, ""))
    refused = stage.out.of(Refused)
    assert [fact.room.name for fact in refused] == ["#r3%irc.test", "#r4%irc.test", "#c%other.test"]
    assert {fact.error.condition for fact in refused} == {"resource-constraint"}
    guest = await again(stage, irc)
    assert await guest.until("JOIN") == "JOIN #r0,#r1,#r2"


async def test_a_return_that_fails_goes_on_where_the_user_stays(stage: Bounced, irc: ScriptedIrc) -> None:
    await stage.bridge.options.put("ada@example.org", OTHER, {"persistent": False})
    stage.session.do(Join(ROOM, ME, ""))
    stage.session.do(Join(OTHER, ME, ""))
    guest = await irc.guest()
    await guest.close()
    await until(lambda: stage.out.of(Refused))
    assert {fact.room for fact in stage.out.of(Refused)} == {OTHER}
    guest = await again(stage, irc)
    assert await guest.until("JOIN") == "JOIN #c"


# Nicks ----------------------------------------------------------------------------------------------------------------


async def taken(stage: Bounced, irc: ScriptedIrc, *isupport: str) -> Guest:
    """ada comes back while somebody else is called so, and is in #c as ada_."""
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await irc.guest()
    await guest.until("USER")
    guest.write(":irc.test 433 * ada :Nickname is already in use.")
    assert await guest.until("NICK") == "NICK ada_"
    guest.nick = "ada_"
    guest.greet(*isupport)
    await guest.until("JOIN #c")
    guest.let_in("#c", "ada")
    await until(lambda: len(stage.out.of(Entered)) == 2)
    assert stage.out.of(Entered)[1].nick == "ada_"
    return guest


async def test_a_nick_that_is_taken_is_had_back_when_its_owner_goes(stage: Bounced, irc: ScriptedIrc) -> None:
    guest = await taken(stage, irc)
    guest.write(":ada!x@y QUIT :gone")
    assert await guest.until("NICK") == "NICK ada"
    guest.write(":ada_!u@h NICK :ada")
    await until(lambda: stage.out.of(Renamed))
    assert stage.out.of(Renamed)[0][1:3] == ("ada_", "ada")
    assert stage.back().link is not None and stage.back().link.net.regain == ""  # type: ignore[union-attr]


async def test_a_nick_is_had_back_when_its_owner_takes_another(stage: Bounced, irc: ScriptedIrc) -> None:
    guest = await taken(stage, irc)
    guest.write(":ada!x@y NICK :eve")
    assert await guest.until("NICK") == "NICK ada"


async def test_a_server_that_tells_of_nicks_is_asked_to(stage: Bounced, irc: ScriptedIrc) -> None:
    guest = await taken(stage, irc, "CHANTYPES=#", "PREFIX=(ov)@+", "MONITOR=100")
    assert any(line == "MONITOR + ada" for line in guest.lines)
    guest.write(":irc.test 731 ada_ :ada")
    assert await guest.until("NICK") == "NICK ada"
    guest.write(":irc.test 433 ada_ ada :Nickname is already in use.")
    guest.write(":irc.test 731 ada_ :ada")
    assert await guest.until("NICK") == "NICK ada"
    guest.write(":ada_!u@h NICK :ada")
    assert await guest.until("MONITOR") == "MONITOR - ada"
    assert not any("already in use" in notice.text for notice in stage.out.of(Notice))


async def test_one_that_does_not_is_asked_once_a_minute(stage: Bounced, irc: ScriptedIrc) -> None:
    guest = await taken(stage, irc)
    bouncer, now = stage.session.bouncer, stage.back().up
    assert bouncer is not None and now is not None
    bouncer.tick(now + regain.EVERY - 1)
    bouncer.tick(now + regain.EVERY + 1)
    assert await guest.until("ISON") == "ISON ada"
    guest.write(":irc.test 303 ada_ :ADA")
    bouncer.tick(now + 2 * regain.EVERY + 2)
    assert await guest.until("ISON") == "ISON ada"
    assert not any(line == "NICK ada" for line in guest.lines[2:])
    guest.write(":irc.test 303 ada_ :")
    assert await guest.until("NICK") == "NICK ada"


async def test_a_nick_of_the_users_choice_is_not_taken_away(stage: Bounced, irc: ScriptedIrc) -> None:
    from transports.events import Rename

    guest = await taken(stage, irc)
    stage.session.do(Rename(ROOM, "lovelace", BY, "1"))
    assert await guest.until("NICK") == "NICK lovelace"
    guest.write(":ada_!u@h NICK :lovelace", ":ada!x@y QUIT :gone", "PING :done")
    await guest.until("PONG done")
    assert not any(line == "NICK ada" for line in guest.lines[2:])


async def test_when_no_nick_is_free_it_is_tried_again_later(stage: Bounced, irc: ScriptedIrc) -> None:
    _, guest = await entered(stage, irc)
    await stage.lost(guest)
    guest = await irc.guest()
    await guest.until("USER")
    for _ in range(retry.NICKS + 1):
        guest.write(":irc.test 433 * x :Nickname is already in use.")
    guest = await again(stage, irc)
    assert guest.nick == ME
    await guest.until("JOIN #c")


async def test_a_user_who_joins_for_the_first_time_chooses_another_nick(stage: Bounced, irc: ScriptedIrc) -> None:
    stage.join()
    guest = await irc.guest()
    await guest.until("USER")
    guest.write(":irc.test 433 * ada :Nickname is already in use.")
    await until(lambda: stage.out.of(Refused))
    assert stage.out.of(Refused)[0].error.condition == "conflict"
