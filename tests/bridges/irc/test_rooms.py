"""Running a channel: what is asked of the server, and which of its lines answer it, also amid traffic."""

from __future__ import annotations

import pytest

from tests.bridges.irc.scene import ROOM
from tests.bridges.irc.staged import USER, Set
from tests.bridges.irc.test_wire import until
from transports.bridges.irc.modes import KEY, MODERATED, PROTECTED
from transports.errors import LegacyError
from transports.events import NO_RANK, Configured, Left, Notice, RoleSet
from transports.ports import Change


def refused(error: pytest.ExceptionInfo[LegacyError]) -> str:
    return error.value.condition


# Ranks ----------------------------------------------------------------------------------------------------------------


async def test_a_rank_is_given_when_the_server_says_so_whatever_comes_between(running: Set) -> None:
    script = (
        "MODE #c +v bob",
        (":op!o@h PRIVMSG #c :hello", ":irc.test 482 ada #other :no", ":ada!u@h MODE #c +v bob"),
    )
    await running.answered(running.administer(Change("bob", role="participant")), script)
    assert running.link.net.channels["#c"].members["bob"].mark == "v"
    assert running.out.of(RoleSet)[0].actor == "ada"


@pytest.mark.parametrize(
    ("numeric", "condition"),
    [
        ("482 ada #c :You're not channel operator", "forbidden"),
        ("441 ada bob #c :They aren't on that channel", "item-not-found"),
        ("401 ada bob :No such nick", "item-not-found"),
        ("472 ada v :is unknown mode char to me", "not-acceptable"),
        ("442 ada #c :You're not on that channel", "not-acceptable"),
        ("484 ada #c bob :Cannot do that to a service", "not-allowed"),
        ("481 ada :Permission denied", "forbidden"),
    ],
)
async def test_the_servers_no_is_the_answer(running: Set, numeric: str, condition: str) -> None:
    with pytest.raises(LegacyError) as error:
        await running.answered(running.administer(Change("bob", role="participant")), ("MODE #c +v", (f":irc.test {numeric}",)))
    assert refused(error) == condition
    assert running.out.of(Notice) == []  # nobody is told twice


async def test_an_operator_who_may_not_is_told_that_the_other_ranks_higher(running: Set) -> None:
    running.give("+o ada", "+q bob")
    await until(lambda: running.link.net.channels["#c"].members["bob"].mark)
    with pytest.raises(LegacyError) as error:
        await running.answered(
            running.administer(Change("bob", role="none")), ("KICK #c bob", (":irc.test 482 ada #c :You may not kick bob",))
        )
    assert refused(error) == "not-allowed"


async def test_what_a_server_does_not_do_in_silence_is_an_error(running: Set) -> None:
    with pytest.raises(LegacyError) as error:
        await running.answered(running.administer(Change("bob", affiliation="admin")), ("MODE #c +o bob", ()))
    assert refused(error) == "not-allowed" and "+o" in error.value.text


async def test_what_is_so_already_needs_no_server(running: Set) -> None:
    await running.administer(Change("op", affiliation="admin"), Change("bob", affiliation="none"))
    assert not any(line.startswith("MODE #c") for line in running.server.lines)


async def test_several_items_are_one_line_where_the_server_takes_it(running: Set) -> None:
    await running.answered(
        running.administer(Change("bob", affiliation="admin"), Change("op", affiliation="none")),
        ("MODE #c +o-o bob op", (":ada!u@h MODE #c +o-o bob op",)),
    )
    members = running.link.net.channels["#c"].members
    assert (members["bob"].affiliation, members["op"]) == ("admin", NO_RANK)


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        (Change("nobody", role="none"), "item-not-found"),
        (Change("nobody", affiliation="member"), "item-not-found"),
        (Change(address="bob%other.test", affiliation="member"), "item-not-found"),
        (Change(address="*!*@h%irc.test", affiliation="member"), "item-not-found"),
        (Change("op", role="visitor"), "not-allowed"),
        (Change("ada", affiliation="outcast"), "conflict"),
        (Change("b b", affiliation="outcast"), "item-not-found"),
        (Change("b,op", affiliation="outcast"), "item-not-found"),
        (Change("b\r\nQUIT", affiliation="outcast"), "item-not-found"),
        (Change("", affiliation="outcast"), "item-not-found"),
        (Change(address="x y%irc.test", affiliation="outcast"), "item-not-found"),
        (Change(address="a!b c@d%irc.test", affiliation="outcast"), "not-acceptable"),
        (Change(address="a!b\r\nQUIT%irc.test", affiliation="outcast"), "not-acceptable"),
        (Change(address=":x%irc.test", affiliation="none"), "not-acceptable"),
    ],
)
async def test_what_cannot_be_is_not_asked(running: Set, change: Change, condition: str) -> None:
    with pytest.raises(LegacyError) as error:
        await running.administer(Change("bob", role="participant"), change)
    assert refused(error) == condition
    assert not any(line.startswith(("MODE #c +", "KICK")) for line in running.server.lines)


async def test_the_last_operator_stays_one(running: Set) -> None:
    running.give("+o ada", "-o op")
    await until(lambda: not running.link.net.channels["#c"].members["op"].mark)
    with pytest.raises(LegacyError) as error:
        await running.administer(Change("ada", affiliation="none"))
    assert refused(error) == "conflict"


async def test_who_is_not_in_the_channel_may_do_nothing(running: Set) -> None:
    room = ROOM._replace(name="#d%irc.test")
    for user, place in ((USER, room), ("bob@example.org", ROOM)):
        with pytest.raises(LegacyError) as error:
            await running.bridge.administer(user, place, [Change("bob", role="none")])
        assert refused(error) == "forbidden"


# Kicks and bans -------------------------------------------------------------------------------------------------------


async def test_a_kick_has_its_reason_and_its_answer(running: Set) -> None:
    await running.answered(
        running.administer(Change("bob", role="none", reason="Avaunt, you cullion!")),
        ("KICK #c bob :Avaunt, you cullion!", (":x!u@h KICK #c other", ":ada!u@h KICK #c bob :Avaunt, you cullion!")),
    )
    assert running.out.of(Left)[-1] == Left(ROOM, ("bob",), "kicked", "Avaunt, you cullion!", "ada")


async def test_a_ban_is_of_the_host_and_puts_out_who_is_there(running: Set) -> None:
    await running.answered(
        running.administer(Change(address="bob%irc.test", affiliation="outcast", reason="Treason")),
        ("USERHOST bob", (":irc.test 302 ada :bob=+~bob@h.example ",)),
        ("MODE #c +b *!*@h.example", (":ada!u@h MODE #c +b *!*@h.example",)),
        ("KICK #c bob Treason", (":ada!u@h KICK #c bob :Treason",)),
    )
    assert running.out.of(Left)[-1] == Left(ROOM, ("bob",), "banned", "Treason", "ada")


async def test_a_ban_that_is_there_already_does_not_keep_the_kick_back(running: Set) -> None:
    await running.answered(
        running.administer(Change("bob", affiliation="outcast")),
        ("USERHOST bob", (":irc.test 302 ada :",)),
        ("MODE #c +b bob!*@*", (":irc.test 697 ada #c bob!*@* b :Channel ban list already contains bob!*@*",)),
        ("KICK #c bob", (":ada!u@h KICK #c bob",)),
    )
    assert running.out.of(Left)


async def test_a_mask_is_banned_and_let_in_again(running: Set) -> None:
    for sign, affiliation in (("+", "outcast"), ("-", "none")):
        await running.answered(
            running.administer(Change(address="*!*@evil.example%irc.test", affiliation=affiliation)),
            (f"MODE #c {sign}b *!*@evil.example", (f":ada!u@h MODE #c {sign}b *!*@evil.example",)),
        )
    with pytest.raises(LegacyError) as error:
        await running.answered(
            running.administer(Change(address="x!*@*%irc.test", affiliation="none")),
            ("MODE #c -b x!*@*", ()),
        )
    assert refused(error) == "item-not-found"


async def test_a_nick_is_let_in_by_the_masks_that_are_about_it(running: Set) -> None:
    bans = (
        ":irc.test 367 ada #c eve!*@* op 1",
        ":irc.test 367 ada #c *!*@* op 1",
        ":irc.test 367 ada #c *!*@eve.example op 1",
        ":irc.test 367 ada #c other!*@* op 1",
        ":irc.test 368 ada #c :End",
    )
    await running.answered(
        running.administer(Change(address="eve%irc.test", affiliation="none")),
        ("MODE #c b", bans),
        ("USERHOST eve", (":irc.test 302 ada :eve=+~e@eve.example",)),
        ("MODE #c -bb eve!*@* *!*@eve.example", (":ada!u@h MODE #c -bb eve!*@* *!*@eve.example",)),
    )


# Lists ----------------------------------------------------------------------------------------------------------------


async def test_the_lists_of_those_who_are_there(running: Set) -> None:
    running.give("+v bob")
    await until(lambda: running.link.net.channels["#c"].members["bob"].mark)
    admins = await running.bridge.ranked(USER, ROOM, "", "admin")
    assert [(found.nick, found.address, found.rank.role) for found in admins] == [("op", "op%irc.test", "moderator")]
    assert [found.nick for found in await running.bridge.ranked(USER, ROOM, "participant", "")] == ["ada", "bob"]
    assert [found.nick for found in await running.bridge.ranked(USER, ROOM, "", "member")] == ["bob"]
    assert await running.bridge.ranked(USER, ROOM, "", "owner") == []


async def test_the_bans_with_who_and_when(running: Set) -> None:
    found = await running.answered(
        running.bridge.ranked(USER, ROOM, "", "outcast"),
        (
            "MODE #c b",
            (
                ":irc.test 367 ada #c *!*@a.example op!o@h 1700000000",
                ":irc.test 367 ada #c b!*@*",
                ":irc.test 368 ada #c :End",
            ),
        ),
    )
    assert [(entry.address, entry.by, entry.when) for entry in found] == [
        ("*!*@a.example%irc.test", "op", 1_700_000_000.0),
        ("b!*@*%irc.test", "", None),
    ]


async def test_a_list_that_is_nobodys_business(running: Set) -> None:
    with pytest.raises(LegacyError) as error:
        await running.answered(
            running.bridge.ranked(USER, ROOM, "", "outcast"), ("MODE #c b", (":irc.test 482 ada #c :No.",))
        )
    assert refused(error) == "forbidden"


# Configuration --------------------------------------------------------------------------------------------------------

MODES = ("MODE #c", (":irc.test 324 ada #c +nt",))


async def test_the_form_has_the_modes_and_what_the_user_set(running: Set) -> None:
    form = await running.answered(running.bridge.configuration(USER, ROOM), MODES)
    fields = {field.var: field.default for field in form.fields}
    assert fields[MODERATED] is False and fields["irc#mode_n"] is True and fields["persistent"] is False
    assert fields["record_history"] == "unset"


async def test_without_the_channel_there_is_only_what_the_user_set(running: Set) -> None:
    form = await running.bridge.configuration(USER, ROOM._replace(name="#d%irc.test"))
    assert not any(field.var.startswith(("muc#", "irc#")) for field in form.fields)
    assert {"persistent", "record_history", "encoding_in"} <= {field.var for field in form.fields}


async def test_a_submitted_form_is_the_modes_that_differ(running: Set) -> None:
    answers = {MODERATED: True, PROTECTED: True, KEY: "sesame", "irc#mode_n": True, "persistent": True}
    await running.answered(
        running.bridge.configure(USER, ROOM, answers),
        MODES,
        ("MODE #c +mk sesame", (":ada!u@h MODE #c +mk sesame",)),
    )
    assert running.bridge.options.of(USER, ROOM) == {"persistent": True}
    assert running.out.of(Configured) == [Configured(ROOM)]


async def test_who_is_no_operator_may_set_what_is_his_own(running: Set) -> None:
    with pytest.raises(LegacyError) as error:
        await running.answered(
            running.bridge.configure(USER, ROOM, {MODERATED: True, "record_history": "false", "persistent": False}),
            MODES,
            ("MODE #c +m", (":irc.test 482 ada #c :You're not channel operator",)),
        )
    assert refused(error) == "forbidden"
    assert running.bridge.options.of(USER, ROOM) == {"record_history": "false"}
    await running.answered(running.bridge.configure(USER, ROOM, {MODERATED: False, "record_history": "unset"}), MODES)
    assert running.bridge.options.of(USER, ROOM) == {}
