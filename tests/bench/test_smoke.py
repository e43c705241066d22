"""The benchmark itself: it counts rightly, judges rightly, and runs. Speed is never tested here."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.driver import Channel, Stuck, Tally
from bench.report import METRICS, Metric, kept, number, table

ROOT = Path(__file__).resolve().parents[2]


@given(st.lists(st.text(alphabet="<abody>", max_size=9)))
def test_a_marker_cut_in_pieces_is_counted(pieces: list[str]) -> None:
    tally = Tally(b"<body>")
    for piece in pieces:
        tally.feed(piece.encode())
    assert tally.count == "".join(pieces).count("<body>")


async def test_waiting_ends_with_the_marker_that_was_missing() -> None:
    tally = Tally(b"ab")
    waiting = asyncio.create_task(tally.until(2))
    await asyncio.sleep(0)
    for piece in (b"ab a", b"b"):
        assert not waiting.done()
        tally.feed(piece)
    assert await waiting > 0


async def test_waiting_says_what_did_not_come() -> None:
    tally = Tally(b"<body>")
    tally.feed(b"<body>")
    with pytest.raises(Stuck, match="1 of 2 x '<body>'"):
        await tally.until(2, within=0.01)


def test_names_fit_into_lines() -> None:
    lines = Channel(b"#c", [b"somebody%d" % number for number in range(1000)]).told(b"me").split(b"\r\n")
    assert max(map(len, lines)) <= 510
    assert sum(line.count(b"somebody") for line in lines) == 1000


@pytest.mark.parametrize(
    ("ours", "peer", "slow", "verdict"),
    [(5, 10, 100, True), (5.1, 10, 1000, False), (5, 10, 99, False), (4, None, None, None), (None, 10, 100, None)],
)
def test_every_bar_counts(ours: float | None, peer: float | None, slow: float | None, verdict: bool | None) -> None:
    assert kept(Metric("x", "s", ratio=0.5, slow=0.05), ours, peer, slow) is verdict


@pytest.mark.parametrize(
    ("value", "text"), [(70521.0, "70,500"), (391.4, "391"), (13.94, "13.9"), (0.14, "0.14"), (None, "–")]
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_table_shows_medians() -> None:
    found = {"biboumi": {"irc_to_xmpp": [10.0, 30.0, 11.0]}, "transports": {"irc_to_xmpp": [4.4, 4.4, 90.0]}}
    row = table(found).splitlines()[-1]
    assert "| 11 | – | 4.4 | 0.4 | – |" in row
    assert row.endswith("| yes |")


@pytest.mark.parametrize(
    "gateway",
    [
        "transports",
        pytest.param(
            "biboumi", marks=pytest.mark.skipif(shutil.which("biboumi") is None, reason="biboumi is not installed")
        ),
    ],
)
def test_it_measures(gateway: str, tmp_path: Path) -> None:
    cases = "irc-to-xmpp,xmpp-to-irc,netsplit,start"
    command = [sys.executable, "-m", "bench", "--rounds=1", "--scale=0.01", f"--gateways={gateway}", f"--cases={cases}"]
    done = subprocess.run(
        [*command, "--json", tmp_path / "found"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    found = json.loads((tmp_path / "found").read_text())
    assert not found["failures"], done.stderr.decode()
    assert set(found["figures"][gateway]) >= {"irc_to_xmpp", "xmpp_to_irc", "split_quit", "split_back", "start"}
    assert set(found["figures"][gateway]) <= set(METRICS)
