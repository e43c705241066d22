"""What was said while we were away, asked of a server that keeps it."""

from __future__ import annotations

from tests.bridges.irc.scene import ME, ROOM, Scene
from transports.bridges.irc import history
from transports.events import Said

SINCE = 1_800_000_000.25
CAPS = frozenset({"batch", "draft/chathistory", "server-time", "message-tags"})


def scene(*isupport: str, caps: frozenset[str] = CAPS) -> Scene:
    there = Scene(*isupport)
    there.enter()
    there.net.caps = caps
    history.fill(there.net, ROOM, SINCE)
    return there


def page(there: Scene, first: int, last: int, channel: str = "#c") -> list[Said]:
    """The server answers with lines said so many minutes after eight o'clock; what it comes to."""
    there.feed(
        f":irc.test BATCH +h chathistory {channel}",
        *(
            f"@batch=h;time=2027-01-15T08:{number:02}:00.000Z;msgid=m{number} :bob!b@h PRIVMSG {channel} :line {number}"
            for number in range(first, last + 1)
        ),
        ":irc.test BATCH -h",
    )
    return [fact for fact in there.told() if isinstance(fact, Said)]


def test_the_gap_is_asked_for_and_told_with_its_times() -> None:
    there = scene("CHATHISTORY=5")
    assert there.sent() == ["CHATHISTORY AFTER #c timestamp=2027-01-15T08:00:00.250Z 5"]
    first, second = page(there, 1, 2)
    assert (first.text, first.when, first.key) == ("line 1", 1_800_000_060.0, "m1")
    assert (second.where, second.nick) == (ROOM, "bob")
    assert there.sent() == [] and there.net.gaps is None


def test_a_full_answer_is_followed_by_another_question() -> None:
    there = scene("CHATHISTORY=3")
    there.sent()
    page(there, 1, 3)
    assert there.sent() == ["CHATHISTORY AFTER #c timestamp=2027-01-15T08:03:00.000Z 3"]
    page(there, 4, 4)
    assert there.sent() == [] and there.net.gaps is None


def test_a_server_that_never_ends_is_asked_no_more() -> None:
    there = scene("CHATHISTORY=1")
    there.sent()
    for number in range(history.PAGES):
        page(there, number, number)
    assert len(there.sent()) == history.PAGES - 1 and there.net.gaps is None


def test_a_server_that_says_no_is_left_alone_and_the_user_too() -> None:
    there = scene()
    there.sent()
    there.feed(":irc.test FAIL CHATHISTORY INVALID_TARGET AFTER #c :Messages could not be retrieved")
    assert there.told() == [] and there.net.gaps is None
    there.feed(":irc.test FAIL CHATHISTORY INVALID_TARGET AFTER #c :Messages could not be retrieved")
    assert len(there.told()) == 1  # nobody knows what that is about


def test_a_server_without_history_is_not_asked() -> None:
    assert scene(caps=frozenset({"batch", "server-time"})).sent() == []


def test_history_that_nobody_asked_for_asks_for_no_more() -> None:
    there = scene("CHATHISTORY=1", caps=frozenset())
    page(there, 1, 1)
    assert there.sent() == []


def test_a_channel_that_was_left_meanwhile_is_asked_no_more() -> None:
    there = scene("CHATHISTORY=1")
    there.sent()
    there.feed(f":bob!b@h KICK #c {ME} :out")
    page(there, 1, 1)
    assert there.sent() == [] and there.net.gaps is None


def test_a_time_that_no_calendar_holds_is_no_trouble() -> None:
    there = scene()
    there.sent()
    history.fill(there.net, ROOM, 1e20)
    history.fill(there.net, ROOM, -5.0)
    assert [line.split()[3][:14] for line in there.sent()] == ["timestamp=9999", "timestamp=1970"]
