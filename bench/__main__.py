"""`python -m bench`: run the cases for each gateway in turn, round after round, and print the table.

Rounds are interleaved (case, then gateway) so that whatever else the machine does meets all gateways alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.cases import CASES
from bench.driver import Stuck
from bench.gateways import GATEWAYS, Biboumi, Gateway
from bench.report import table
from bench.rig import pin_driver


class Run:
    """What one run has found: figures, and in words what went wrong."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.failures: list[str] = []
        self.driver_seconds: dict[str, float] = defaultdict(float)

    async def case(self, name: str, gateway: Gateway, scale: float) -> None:
        """Run one case within its limit; a failure is noted, and the next goes on."""
        case = CASES[name]
        began, used = time.perf_counter(), time.process_time()
        try:
            async with asyncio.timeout(case.limit):
                figures = await case.run(gateway, scale)
        except (Stuck, TimeoutError) as error:
            self.failures.append(f"{name}, {gateway.name}: {str(error) or f'not done after {case.limit:g} s'}")
            _say(f"  {gateway.name}: FAILED: {self.failures[-1]}")
            return
        for metric, value in figures.items():
            self.figures[gateway.name][metric].append(value)
        self.driver_seconds[f"{name}/{gateway.name}"] += time.process_time() - used
        _say(f"  {gateway.name}: {_brief(figures)} ({time.perf_counter() - began:.1f} s)")

    def as_json(self) -> str:
        """Everything, with what is needed to judge it."""
        machine = {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg(),
        }
        found = {
            "machine": machine,
            "figures": self.figures,
            "failures": self.failures,
            "driver_seconds": self.driver_seconds,
        }
        return json.dumps(found, indent=1)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _brief(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _chosen(text: str, known: Sequence[str]) -> list[str]:
    names = [name for name in text.split(",") if name] or list(known)
    if unknown := set(names) - set(known):
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return names


async def _measure(gateways: Sequence[Gateway], cases: list[str], rounds: int, scale: float) -> Run:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # so that gateways end with us
    run = Run()
    for turn in range(rounds):
        for name in cases:
            _say(f"round {turn + 1} of {rounds}, {name}")
            for gateway in gateways:
                if CASES[name].history or not (isinstance(gateway, Biboumi) and gateway.history):
                    await run.case(name, gateway, scale)
    return run


def main() -> int:
    """Exit code 0 when every case gave its figures, whatever they are; 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gateways side by side.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default="", help=f"comma separated, of: {', '.join(CASES)}")
    parser.add_argument("--gateways", default="", help=f"comma separated, of: {', '.join(g.name for g in GATEWAYS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the cases; below 1 figures mean little")
    parser.add_argument("--json", type=Path, help="write all figures here")
    asked = parser.parse_args()
    names = _chosen(asked.gateways, [gateway.name for gateway in GATEWAYS])
    if not asked.gateways:
        names = [gateway.name for gateway in GATEWAYS if not gateway.extra]
    gateways: list[Gateway] = [gateway for gateway in GATEWAYS if gateway.name in names]
    for gateway in gateways:
        if gateway.missing():
            _say(f"left out: {gateway.name}: {gateway.missing()}")
    pin_driver()
    ready = [gateway for gateway in gateways if not gateway.missing()]
    cases = _chosen(asked.cases, list(CASES))
    try:
        run = uvloop.run(_measure(ready, cases, asked.rounds, asked.scale))
    except (asyncio.CancelledError, KeyboardInterrupt):
        _say("stopped")
        return 130
    print(table(run.figures))
    for failure in run.failures:
        print(f"\nFailed: {failure}")
    if asked.json:
        asked.json.write_text(run.as_json())
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
