"""The mailbox between a stream, a journal and a far side that the tests hold in their hands."""

# ruff: noqa: ASYNC110 - a condition is waited for, with a timeout

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from transports.errors import LegacyError
from transports.events import Address, Said, Say
from transports.mailbox import Mailbox
from transports.mailbox_seams import Limits, Seams
from transports.store.accounts import KeptAccounts
from transports.store.database import Database, open_database
from transports.store.journal import Journal, Row
from transports.store.vault import Vault
from transports.xmpp.fence import Ping

ALICE, BOB = "alice@example.org", "bob@example.org"
ANN, BEN = Address("person", "+15551234567"), Address("person", "+15557654321")
QUICK = Limits(retry_gap=0.0, sweep=0.01, patience=5.0)


class FarSide:
    """Answers as `script` says, by text; keeps what it took."""

    def __init__(self) -> None:
        self.took: list[tuple[str, str, str]] = []  # user, contact, text
        self.ids: set[str] = set()
        self.script: dict[str, list[Exception]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.looked_up: list[str] = []
        self.answer: Exception | None = None  # of find

    async def send(self, user: str, command: Say) -> Sequence[str]:
        self.begun.append(command.text)
        if command.text in self.gates:
            await self.gates[command.text].wait()
        errors = self.script.get(command.text)
        error = errors.pop(0) if errors else None
        if error is None or (isinstance(error, LegacyError) and not error.certain):
            self.took.append((user, command.to.name, command.text))
            self.ids.add(command.id)
        if error is not None:
            raise error
        return [f"far-{command.id}"]

    async def find(self, user: str, command: Say) -> Sequence[str] | None:
        self.looked_up.append(command.text)
        if self.answer is not None:
            raise self.answer
        return [f"far-{command.id}"] if command.id in self.ids else None


class House:
    """A mailbox, its far side and its stream. `stream` holds what was written: rows as (id, user, text), and pings."""

    def __init__(self, database: Database, limits: Limits = QUICK) -> None:
        self.journal = Journal(database, "test")
        self.far = FarSide()
        self.up = True
        self.stream: list[tuple[str, str, str] | Ping] = []
        self.sent: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str, str]] = []
        self.refused: list[tuple[str, str, str]] = []
        self._written: dict[str, tuple[str, str, str] | Ping] = {}
        seams = Seams(
            send_xmpp=self._send,
            render=self._render,
            render_ping=self._render_ping,
            on_sent=lambda user, command, ids: self.sent.append((user, command.text)),
            render_failed=self._render_failed,
            on_refused=lambda user, fact, error: self.refused.append((user, fact.text, error.condition)),
        )
        self.mailbox = Mailbox(self.journal, seams, limits)

    def _render(self, row: Row) -> list[str]:
        """A stanza for each line."""
        assert isinstance(row.event, Said)
        if row.event.text == "unspeakable":
            raise ValueError("cannot be rendered")
        lines = row.event.text.split("\n") if row.event.text else []
        ids = [f"{row.id}.{number}" if number else row.id for number, _ in enumerate(lines)]
        self._written.update({id: (id, row.owner, line) for id, line in zip(ids, lines, strict=True)})
        return ids

    def _render_failed(self, user: str, command: Say, error: LegacyError) -> str:
        text = f"error {command.id}"
        self._written[text] = (text, user, text)
        self.failed.append((user, command.id, error.condition))
        return text

    def _render_ping(self, ping: Ping) -> str:
        self._written[ping.id] = ping
        return ping.id

    def _send(self, text: str) -> bool:
        if self.up:
            self.stream.append(self._written[text])
        return self.up

    async def accept(self, text: str, user: str = ALICE, contact: Address = ANN, key: str = "") -> bool:
        return await self.mailbox.accept(user, Said(contact, "", text), key or f"{user}'s {text}")

    def post(self, text: str, contact: Address = ANN, user: str = ALICE) -> None:
        self.mailbox.post(user, Say(contact, "", text, f"{user}/phone", f"id of {text}"))

    @property
    def written(self) -> list[str]:
        return [stanza[2] for stanza in self.stream if not isinstance(stanza, Ping)]

    def id_of(self, text: str) -> str:
        return next(stanza[0] for stanza in self.stream if not isinstance(stanza, Ping) and stanza[2] == text)

    def serve(self) -> None:
        """The server answers every ping on the stream."""
        for stanza in list(self.stream):
            if isinstance(stanza, Ping):
                self.mailbox.answered(stanza.to, stanza.id)

    def bounce(self, text: str, type: str, condition: str) -> None:
        assert self.mailbox.bounced(ALICE, self.id_of(text), type, condition)

    async def states(self) -> dict[str, int]:
        return {state: count for (_way, state), count in (await self.journal.counts()).items()}

    async def until(self, there: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not there():
                await asyncio.sleep(0.001)

    async def until_states(self, *, serving: bool = False, **wanted: int) -> None:
        async with asyncio.timeout(5):
            while await self.states() != wanted:
                if serving:
                    self.serve()
                await asyncio.sleep(0.001)

    async def until_fenced(self) -> None:
        await self.until(lambda: self.stream and isinstance(self.stream[-1], Ping))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path}/t.db")
    yield database
    await database.close()


@contextlib.asynccontextmanager
async def living(database: Database, limits: Limits = QUICK, *, up: bool = True) -> AsyncIterator[House]:
    before = asyncio.all_tasks()
    house = House(database, limits)
    await house.mailbox.start(house.far)
    if up:
        house.mailbox.connected()
    yield house
    await house.mailbox.drain(0.01)
    assert asyncio.all_tasks() - {asyncio.current_task()} <= before


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with living(database) as house:
        yield house


# Far side to XMPP -------------------------------------------------------------------------------------------------------


async def test_in_a_row_is_on_disk_on_the_stream_and_fenced(house: House) -> None:
    assert await house.accept("hello")
    await house.until_fenced()
    assert house.written == ["hello"]
    assert await house.states() == {"queued": 1}
    house.serve()
    await house.until_states(taken=1)
    assert house.mailbox._incoming._inboxes == {}


async def test_in_a_row_may_be_several_stanzas_or_none(house: House) -> None:
    assert await house.accept("one\ntwo") and await house.accept("", key="nothing")
    await house.until_fenced()
    assert house.written == ["one", "two"]
    assert house.id_of("two") == f"{house.id_of('one')}.1"
    await house.until_states(serving=True, taken=2)
    house.bounce("two", "cancel", "service-unavailable")
    house.bounce("one", "cancel", "service-unavailable")
    await house.until_states(taken=1, waiting=1)
    house.mailbox.available(ALICE)
    await house.until(lambda: house.written == ["one", "two"] * 2)


async def test_in_nothing_is_acknowledged_before_it_is_on_disk(house: House, database: Database) -> None:
    gate = threading.Event()
    slow = database.run(lambda _connection: gate.wait(10))
    accepting = asyncio.create_task(house.accept("hello"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not accepting.done()
    assert house.written == []
    gate.set()
    assert await slow
    assert await accepting


async def test_out_nothing_is_handed_over_before_it_is_on_disk(house: House, database: Database) -> None:
    gate = threading.Event()
    slow = database.run(lambda _connection: gate.wait(10))
    house.post("hello")
    for _ in range(100):
        await asyncio.sleep(0)
    assert house.far.begun == []
    gate.set()
    assert await slow
    await house.until_states(done=1)


async def test_in_a_repeat_is_known_and_not_written_again(house: House) -> None:
    assert await house.accept("hello", key="SM1")
    assert not await house.accept("hello", key="SM1")
    await house.until_fenced()
    assert house.written == ["hello"]


async def test_in_order_holds_across_pages_and_windows(database: Database) -> None:
    async with living(database, QUICK._replace(page=3, window=4), up=False) as house:
        await asyncio.gather(*(house.accept(str(n), user=user) for n in range(40) for user in (ALICE, BOB)))
        house.mailbox.connected()
        await house.until(lambda: not house.serve() and not house.mailbox._incoming._inboxes)
        await house.until_states(taken=80)
        for user in (ALICE, BOB):
            numbers = [int(row[2]) for row in house.stream if not isinstance(row, Ping) and row[1] == user]
            assert numbers == sorted(numbers)


async def test_in_a_cancelled_bridge_still_delivers_what_was_stored(house: House) -> None:
    waiting = asyncio.create_task(house.accept("hello"))
    await asyncio.sleep(0)
    waiting.cancel()
    await house.until(lambda: house.written == ["hello"])


async def test_in_while_the_stream_is_down_rows_wait(database: Database) -> None:
    async with living(database, up=False) as house:
        assert await house.accept("1")
        assert await house.accept("2")
        assert house.written == []
        house.mailbox.connected()
        await house.until(lambda: house.written == ["1", "2"])


async def test_in_a_stream_that_ends_while_writing_loses_nothing(house: House) -> None:
    house.up = False
    await house.accept("1")
    await house.accept("2")
    assert house.written == []
    house.up = True
    house.mailbox.connected()
    await house.until(lambda: house.written == ["1", "2"])


async def test_in_after_a_reconnect_the_unfenced_is_written_again_with_the_same_id(house: House) -> None:
    await house.accept("fenced")
    await house.until_fenced()
    house.serve()
    await house.accept("lost 1")
    await house.accept("lost 2")
    before = [row for row in house.stream[2:] if not isinstance(row, Ping)]
    house.mailbox.disconnected()
    house.stream.clear()
    house.mailbox.connected()
    await house.until(lambda: len(house.written) == 2)
    assert [row for row in house.stream if not isinstance(row, Ping)] == before


async def test_in_after_a_crash_the_unfenced_is_written_again_with_the_same_id(database: Database) -> None:
    async with living(database) as crashed:
        await crashed.accept("1")
        await crashed.accept("2", user=BOB)
        await crashed.until_fenced()
    async with living(database) as house:
        await house.until(lambda: len(house.written) == 2)
        assert {text: house.id_of(text) for text in "12"} == {text: crashed.id_of(text) for text in "12"}


async def test_in_a_full_queue_says_so(database: Database) -> None:
    async with living(database, QUICK._replace(queue=2), up=False) as house:
        await house.accept("1")
        await house.accept("2")
        with pytest.raises(LegacyError) as caught:
            await house.accept("3")
        assert caught.value.condition == "resource-constraint"
        assert await house.accept("3", user=BOB)


async def test_in_many_users_share_the_stream_within_a_bound(database: Database) -> None:
    async with living(database, QUICK._replace(flying=5), up=False) as house:
        await asyncio.gather(*(house.accept(str(n), user=f"u{n}@example.org") for n in range(20)))
        house.mailbox.connected()
        await house.until(lambda: len(house.written) == 5)
        await house.until_fenced()
        assert len(house.mailbox._incoming._fence) == 5
        while len(house.written) < 20:
            house.serve()
            await asyncio.sleep(0.001)
        assert sorted(house.written, key=int) == [str(n) for n in range(20)]


async def test_in_what_is_on_its_way_is_bounded_by_its_size_too(database: Database) -> None:
    async with living(database, QUICK._replace(window_size=1), up=False) as house:
        for text in "123":
            await house.accept(text)
        await house.accept("x", user=BOB)
        house.mailbox.connected()
        await house.until_fenced()
        assert sorted(house.written) == ["1", "x"]
        await house.until_states(serving=True, taken=4)
        assert [text for text in house.written if text != "x"] == ["1", "2", "3"]


async def test_in_what_cannot_be_rendered_is_a_dead_letter_and_stops_nothing(house: House) -> None:
    await house.accept("unspeakable")
    await house.accept("hello")
    await house.until(lambda: house.written == ["hello"])
    await house.until_states(dead=1, queued=1)


async def test_in_a_blocked_message_is_a_dead_letter_and_reported(house: House) -> None:
    await house.accept("spam")
    await house.until_fenced()
    house.bounce("spam", "cancel", "service-unavailable")
    house.serve()
    await house.until_states(dead=1)
    assert house.refused == [(ALICE, "spam", "service-unavailable")]
    [letter] = await house.journal.dead_letters()
    assert letter.error.startswith("service-unavailable")
    house.mailbox.available(ALICE)
    assert house.written == ["spam"]


async def test_in_a_temporary_refusal_waits_for_the_user_and_keeps_the_order(house: House) -> None:
    await house.accept("1")
    await house.until_fenced()
    house.bounce("1", "wait", "resource-constraint")
    await house.until_states(waiting=1)
    await house.accept("2")
    await house.accept("x", contact=BEN)
    await house.until(lambda: house.written == ["1", "x"])
    await house.until_states(waiting=2, queued=1)
    first = house.id_of("1")
    house.mailbox.available(ALICE)
    await house.until(lambda: house.written == ["1", "x", "1", "2"])
    assert [row[0] for row in house.stream if not isinstance(row, Ping)][2] == first
    house.serve()
    await house.until(lambda: not house.serve() and not house.mailbox._incoming._inboxes)
    await house.until_states(taken=3)


async def test_in_a_late_bounce_is_retried_with_the_same_id(house: House) -> None:
    await house.accept("1")
    await house.until_fenced()
    house.serve()
    await house.until_states(taken=1)
    house.bounce("1", "cancel", "service-unavailable")
    await house.until_states(waiting=1)
    house.mailbox.available(ALICE)
    await house.until(lambda: house.written == ["1", "1"])
    await house.until_fenced()
    house.serve()
    await house.until_states(taken=1)


async def test_in_late_bounces_of_a_permanent_kind_end(house: House) -> None:
    await house.accept("1")
    for times in range(QUICK.bounces + 1):
        await house.until(lambda times=times: len(house.written) == times + 1)
        await house.until_fenced()
        house.serve()
        await house.until_states(taken=1)
        house.bounce("1", "cancel", "service-unavailable")
        await house.until(lambda: not house.mailbox._incoming._settling)
        await house.until_states(**({"dead": 1} if times == QUICK.bounces else {"waiting": 1}))
        house.mailbox.available(ALICE)
    assert len(house.written) == QUICK.bounces + 1


async def test_in_without_a_sign_of_the_user_it_is_tried_again_after_a_while(database: Database) -> None:
    async with living(database, QUICK._replace(retry_after=0.0)) as house:
        sweeping = asyncio.create_task(house.mailbox.run())
        await house.accept("1")
        await house.until_fenced()
        house.bounce("1", "wait", "remote-server-timeout")
        await house.until(lambda: house.written == ["1", "1"])
        sweeping.cancel()
        await asyncio.wait([sweeping])


async def test_in_a_refusal_that_lasts_too_long_is_reported(database: Database) -> None:
    async with living(database, QUICK._replace(expire_in=-1.0)) as house:
        await house.accept("1")
        await house.until_fenced()
        house.bounce("1", "wait", "recipient-unavailable")
        await house.until_states(dead=1)
        assert house.refused == [(ALICE, "1", "recipient-unavailable")]


async def test_in_nobody_bounces_for_somebody_else(house: House) -> None:
    await house.accept("1")
    await house.until_fenced()
    house.mailbox.bounced("mallory@example.org", house.id_of("1"), "cancel", "service-unavailable")
    house.serve()
    await house.until_states(taken=1)
    house.mailbox.bounced("mallory@example.org", house.id_of("1"), "cancel", "service-unavailable")
    await house.until(lambda: not house.mailbox._incoming._settling)
    assert await house.states() == {"taken": 1}
    assert not house.mailbox.bounced(ALICE, "not-an-id-of-ours", "cancel", "gone")


async def test_in_rows_that_waited_through_a_restart_wait_on(database: Database) -> None:
    async with living(database) as first:
        await first.accept("1")
        await first.until_fenced()
        first.bounce("1", "wait", "resource-constraint")
        await first.until_states(waiting=1)
    async with living(database) as house:
        await house.accept("2")
        await house.until_states(waiting=2)
        house.mailbox.available(ALICE)
        await house.until(lambda: house.written == ["1", "2"])


async def test_in_the_ping_is_repeated_to_the_server(database: Database) -> None:
    async with living(database, QUICK._replace(patience=0.01)) as house:
        await house.accept("1")
        await house.until(lambda: any(isinstance(s, Ping) and s.to == "example.org" for s in house.stream))
        assert house.written == ["1"]


# XMPP to far side -------------------------------------------------------------------------------------------------------


async def test_out_in_order_per_contact(house: House) -> None:
    for n in range(20):
        house.post(str(n), contact=(ANN, BEN)[n % 2])
    await house.until_states(done=20)
    for contact in (ANN, BEN):
        numbers = [int(text) for _user, name, text in house.far.took if name == contact.name]
        assert numbers == sorted(numbers)
    assert len(house.sent) == 20


async def test_out_a_message_that_the_client_sends_again_is_sent_once(house: House) -> None:
    for id in ("5f0f6a52-1d0e-4b6a-9e55-000000000001", "5f0f6a52-1d0e-4b6a-9e55-000000000001", "7", "7"):
        house.mailbox.post(ALICE, Say(ANN, "", f"words of {id[:1]}", f"{ALICE}/phone", id))
    await house.until_states(done=3)  # a short id is a counter that begins anew: twice the same is two messages
    assert [text for _user, _name, text in house.far.took] == ["words of 5", "words of 7", "words of 7"]


async def test_out_a_slow_contact_holds_nobody_else(house: House) -> None:
    house.far.gates["slow"] = asyncio.Event()
    house.post("slow")
    house.post("behind")
    house.post("other", contact=BEN)
    house.post("bob's", user=BOB)
    await house.until(lambda: len(house.far.took) == 2)
    assert sorted(text for _user, _name, text in house.far.took) == ["bob's", "other"]
    house.far.gates["slow"].set()
    await house.until_states(done=4)


async def test_out_one_user_takes_only_his_share(database: Database) -> None:
    async with living(database, QUICK._replace(sends=4, sends_per_user=2)) as house:
        gate = asyncio.Event()
        for n in range(10):
            house.far.gates[f"slow {n}"] = gate
            house.post(f"slow {n}", contact=Address("person", str(n)))
        await house.until(lambda: len(house.far.begun) == 2)
        house.post("bob's", user=BOB)
        await house.until(lambda: (BOB, ANN.name, "bob's") in house.far.took)
        assert len(house.far.begun) == 3
        gate.set()
        await house.until_states(done=11)


async def test_out_what_waits_goes_with_its_user(database: Database) -> None:
    """Who unregisters leaves nothing that is sent an hour later."""
    async with living(database, QUICK._replace(sends_per_user=1)) as house:
        house.far.gates["1"] = asyncio.Event()
        house.post("1", ANN)
        await house.until(lambda: house.far.begun == ["1"])
        house.post("2", BEN)
        await house.until_states(sent=1, queued=1)
        await database.run(lambda connection: None)  # "2" is read, and waits for its turn
        await KeptAccounts(database, Vault(b"key"), "test").delete(ALICE)
        house.far.gates["1"].set()
        house.post("3", BEN)
        await house.until(lambda: house.far.begun[-1] == "3")
        assert house.far.begun == ["1", "3"]


async def test_out_a_certain_temporary_failure_is_retried_before_the_next(house: House) -> None:
    house.far.script["1"] = [LegacyError("remote-server-timeout", "busy", retry_after=0.001)] * 2
    house.post("1")
    house.post("2")
    await house.until_states(done=2)
    assert house.far.begun == ["1", "1", "1", "2"]
    assert house.failed == []


async def test_out_a_permanent_failure_goes_to_the_sender_and_the_next_goes_on(house: House) -> None:
    house.far.script["1"] = [LegacyError("item-not-found", "no such number")]
    house.post("1")
    house.post("2")
    await house.until_states(serving=True, done=1, dead=1)
    assert house.failed == [(ALICE, "id of 1", "item-not-found")]
    assert [text for *_, text in house.far.took] == ["2"]


async def test_out_a_failure_is_told_though_the_gateway_dies_before_the_server_has_it(database: Database) -> None:
    async with living(database, up=False) as crashed:
        crashed.far.script["1"] = [LegacyError("item-not-found", "no such number: 1")]
        crashed.post("1")
        await crashed.until_states(failed=1)
        assert crashed.stream == []
    async with living(database) as house:
        await house.until(lambda: house.failed == [(ALICE, "id of 1", "item-not-found")])
        await house.until_states(serving=True, dead=1)
        assert house.written == ["error id of 1"]


async def test_out_a_failure_passes_messages_that_wait(house: House) -> None:
    house.far.gates["1"] = asyncio.Event()
    house.far.script["1"] = [LegacyError("gone", "")]
    house.post("1")
    await house.accept("refused")
    await house.until_fenced()
    house.bounce("refused", "wait", "resource-constraint")
    house.serve()
    await house.until_states(waiting=1, sent=1)
    house.far.gates["1"].set()
    await house.until_states(serving=True, waiting=1, dead=1)


async def test_out_an_uncertain_failure_is_looked_up_not_sent_again(database: Database) -> None:
    async with living(database) as house:
        house.far.script["1"] = [LegacyError("remote-server-timeout", "?", certain=False, retry_after=0.001)]
        house.post("1")
        await house.until_states(done=1)
        assert house.far.looked_up == house.far.begun == ["1"]
        assert house.sent == [(ALICE, "1")]


async def test_out_what_a_crash_interrupted_is_looked_up(database: Database) -> None:
    async with living(database) as crashed:
        crashed.far.gates = {"arrived": asyncio.Event(), "never left": asyncio.Event()}
        crashed.post("arrived")
        crashed.post("never left", contact=BEN)
        await crashed.until(lambda: len(crashed.far.begun) == 2)
        await crashed.until_states(sent=2)
    row = await crashed.journal.head(ALICE, ANN)
    assert row is not None
    house = House(database)
    house.far.ids.add(row.id)
    await house.mailbox.start(house.far)
    await house.until_states(done=2)
    assert sorted(house.far.looked_up) == ["arrived", "never left"]
    assert house.far.begun == ["never left"]
    assert sorted(house.sent) == [(ALICE, "arrived"), (ALICE, "never left")]
    await house.mailbox.drain(0.01)


async def test_out_an_outcome_nobody_knows_is_said(house: House) -> None:
    house.far.script["1"] = [LegacyError("remote-server-timeout", "?", certain=False, retry_after=0.001)]
    house.far.answer = LegacyError("undefined-condition", "It is not known whether this arrived.", certain=False)
    house.post("1")
    await house.until_states(serving=True, dead=1)
    assert house.failed == [(ALICE, "id of 1", "undefined-condition")]
    assert house.far.begun == ["1"]


async def test_out_a_look_up_may_be_repeated(house: House) -> None:
    house.far.script["1"] = [ConnectionError("cut")]
    house.far.answer = LegacyError("remote-server-timeout", "?", retry_after=0.001)
    house.post("1")
    await house.until(lambda: len(house.far.looked_up) >= 3)
    house.far.answer = None
    await house.until_states(done=1)
    assert house.far.begun == ["1", "1"]  # it had not arrived: a plain exception of this far side comes before


async def test_out_a_bridge_that_hangs_is_left_after_its_time(database: Database) -> None:
    async with living(database, QUICK._replace(send_timeout=0.01, expire_out=-1.0)) as house:
        house.far.gates["1"] = asyncio.Event()
        house.post("1")
        await house.until_states(serving=True, dead=1)
        assert house.failed == [(ALICE, "id of 1", "remote-server-timeout")]


async def test_out_a_bug_in_the_bridge_stops_nobody(database: Database) -> None:
    async with living(database, QUICK._replace(expire_out=-1.0)) as house:
        house.far.script["1"] = [RuntimeError("bug")]
        house.post("1")
        house.post("2")
        await house.until_states(serving=True, dead=1, done=1)
        assert house.failed == [(ALICE, "id of 1", "internal-server-error")]


async def test_out_a_full_queue_is_an_error_to_the_sender(database: Database) -> None:
    async with living(database, QUICK._replace(queue=1)) as house:
        house.far.gates["1"] = asyncio.Event()
        house.post("1")
        house.post("2")
        await house.until(lambda: house.failed)
        assert house.failed == [(ALICE, "id of 2", "resource-constraint")]
        house.far.gates["1"].set()
        await house.until_states(done=1)


async def test_out_the_bridge_sees_our_id_the_sender_his_own(house: House) -> None:
    house.far.script["1"] = [LegacyError("gone", "")]
    house.post("1")
    await house.until(lambda: house.failed)
    assert house.failed[0][1] == "id of 1"
    house.post("2")
    await house.until_states(serving=True, dead=1, done=1)
    assert "id of 2" not in house.far.ids


# The end ----------------------------------------------------------------------------------------------------------------


async def test_a_drain_lets_what_is_under_way_finish(database: Database) -> None:
    async with living(database) as house:
        house.far.gates["1"] = asyncio.Event()
        house.post("1")
        house.post("2")
        await house.accept("in")
        await house.until(lambda: house.far.begun == ["1"])
        await house.until_fenced()
        draining = asyncio.create_task(house.mailbox.drain(5))
        await asyncio.sleep(0)
        house.far.gates["1"].set()
        house.serve()
        await draining
        await house.until_states(done=1, queued=1, taken=1)
        assert house.far.begun == ["1"]
    async with living(database) as again:
        await again.until(lambda: again.far.begun == ["2"])


async def test_a_drain_ends_in_time(database: Database) -> None:
    async with living(database) as house:
        house.far.gates["1"] = asyncio.Event()
        house.post("1")
        await house.accept("in")
        await house.until(lambda: house.far.begun == ["1"])
        async with asyncio.timeout(1):
            await house.mailbox.drain(0.02)
        assert await house.states() == {"sent": 1, "queued": 1}


async def test_a_listener_that_raises_stops_nothing(database: Database) -> None:
    async with living(database) as house:
        house.sent = None  # type: ignore[assignment]
        house.post("1")
        house.post("2")
        await house.until_states(done=2)


async def test_a_store_that_is_gone_is_an_error_both_ways(house: House) -> None:
    await house.journal._database.close()
    with pytest.raises(LegacyError) as caught:
        await house.accept("1")
    assert caught.value.type == "wait"
    house.post("2")
    await house.until(lambda: house.failed == [(ALICE, "id of 2", "internal-server-error")])
