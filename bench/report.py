"""What the figures are called, what they must reach, and the table that says so."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

PEER, SLOW_PEER, OURS = "biboumi", "biboumi-history", "transports"

#: gateway -> metric -> a figure per round
Results = Mapping[str, Mapping[str, Sequence[float]]]


class Metric(NamedTuple):
    """Bars are what may not be passed: `ratio` to biboumi without history, `slow` to its default, `most` in units."""

    title: str
    unit: str
    ratio: float | None = None
    slow: float | None = None
    most: float | None = None


METRICS: dict[str, Metric] = {
    "irc_to_xmpp": Metric("IRC → XMPP, one user, one channel, as fast as accepted: CPU a message", "µs", 0.5, 0.05),
    "irc_to_xmpp_rate": Metric("the same: throughput", "/s"),
    "one_line_each": Metric("the same, 500 users, one line at a time: CPU a message", "µs", 1.0, 0.1),
    "hundred_users": Metric("one channel with 100 local users: CPU a message and user", "µs", 0.5),
    "xmpp_to_irc": Metric("XMPP → IRC with reflection: CPU a message", "µs", 0.6, 0.05),
    "xmpp_to_irc_rate": Metric("the same: throughput", "/s"),
    "large_join": Metric("join of a channel of 10,000: presence to subject", "ms", 0.1),
    "join_cpu": Metric("join of a channel of 2,000: CPU", "ms", 0.25),
    "latency_p50": Metric("latency at 200 messages/s each way: median", "ms"),
    "latency_p99": Metric("the same: 99th percentile", "ms", 0.1, most=3),
    "latency_in_storm": Metric("latency while another user joins 10,000 members: worst", "ms", 0.25),
    "split_quit": Metric("2,000 members quit: CPU each", "µs", 0.4),
    "split_back": Metric("2,000 members come back: CPU each", "µs", 0.4),
    "many_users": Metric("1,000 users connect and join", "s", 0.5),
    # Linear is 2; what lies above leaves room for the noise of two short measurements.
    "many_users_linear": Metric("the same, compared with 500 users", "times", most=2.3),
    "user_memory": Metric("memory per connected user, its channel of ten included", "kB", 1.5),
    "member_memory": Metric("memory per channel member", "bytes", 1.0),
    "idle": Metric("idle CPU, 1,000 users", "%", most=1),
    "stalled": Metric("XMPP server stops reading, IRC goes on: growth", "MiB", most=16),
    "start": Metric("start: exec to handshake", "ms", most=600),
    "start_memory": Metric("memory after the start, IRC alone", "MiB", most=60),
}


def number(value: float | None) -> str:
    """Three digits that count, grouped: 71,000; 13.9; 0.14."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _promise(metric: Metric) -> str:
    parts = [f"≤ {bar:g} ×" for bar in (metric.ratio,) if bar is not None]
    parts += [f"≤ {bar:g} × default" for bar in (metric.slow,) if bar is not None]
    parts += [f"≤ {bar:g} {metric.unit}" for bar in (metric.most,) if bar is not None]
    return ", ".join(parts)


def _over(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def kept(metric: Metric, ours: float | None, peer: float | None, slow: float | None) -> bool | None:
    """Whether each bar that can be compared was reached; None if none can."""
    compared = [
        value <= bar
        for value, bar in (
            (_over(ours, peer), metric.ratio),
            (_over(ours, slow), metric.slow),
            (ours, metric.most),
        )
        if value is not None and bar is not None
    ]
    return all(compared) if compared else None


def table(results: Results) -> str:
    """Medians of the rounds as Markdown: a row for each metric that somebody has."""
    lines = [
        "| case | unit | biboumi, no history | biboumi, default | transports | ratio | to default | promise | kept |",
        "|---|---|---:|---:|---:|---:|---:|---|---|",
    ]
    for name, metric in METRICS.items():
        medians = {who: statistics.median(figures[name]) for who, figures in results.items() if figures.get(name)}
        if not medians:
            continue
        ours, peer, slow = (medians.get(who) for who in (OURS, PEER, SLOW_PEER))
        cells = [metric.title, metric.unit, number(peer), number(slow), number(ours)]
        cells += [number(_over(ours, peer)), number(_over(ours, slow)), _promise(metric)]
        cells.append({True: "yes", False: "**no**", None: ""}[kept(metric, ours, peer, slow)])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
