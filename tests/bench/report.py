# SPDX-License-Identifier: Apache-2.0
"""From figures to aims, a table and JSON. Knows nothing of how the figures came about."""

import operator

# name, path of the figure, comparison, limit, unit. The limits are the project's own aims.
AIMS = [
    ("share of the slower floor", "sluice.share_of_floor", ">=", 0.7, ""),
    ("sink, share of the slower floor", "sluice.sink_share", ">=", 0.7, ""),
    ("drain rate", "sluice.drain.rate", ">=", 60000, "msg/s"),
    ("worker CPU per message", "sluice.drain.cpu_us.worker", "<", 12, "us"),
    ("start to ready, fresh cluster", "start.first_s", "<", 1.0, "s"),
    ("start to ready, known cluster", "start.again_s", "<", 1.0, "s"),
    ("idle memory", "idle.no_connector.rss_mb", "<", 20, "MB"),
    ("idle memory, idle connector", "idle.connector.rss_mb", "<", 20, "MB"),
    ("idle CPU", "idle.no_connector.cpu_percent", "<", 0.5, "%"),
    ("idle CPU, idle connector", "idle.connector.cpu_percent", "<", 0.5, "%"),
    ("GET /connectors, p99", "rest.p99_ms", "<", 5, "ms"),
    ("memory that it leaves", "rest.growth_mb", "<", 2, "MB"),
]
COMPARE = {">=": operator.ge, "<": operator.lt}

ROWS = [
    ("raw MQTT drain, one session", "floor.drain_one", ("rate", "cpu_us")),
    ("raw MQTT drain, shared sessions", "floor.drain_shared", ("rate", "cpu_us")),
    ("raw Kafka produce, values only", "floor.produce", ("rate", "cpu_us")),
    ("raw Kafka produce, keys and headers", "floor.produce_records", ("rate", "cpu_us")),
    ("Sluice, from resume to last record", "sluice.drain", ("rate", "cpu_us.worker")),
    ("Sluice, from first to last record", "sluice.drain", ("flow_rate", None)),
    ("Sluice, live load", "sluice.live", ("rate", "cpu_us.worker")),
    ("raw Kafka consume", "floor.consume", ("rate", None)),
    ("raw MQTT publish", "floor.publish", ("rate", "cpu_us")),
    ("Sluice sink, resume to last PUBACK", "sluice.sink", ("rate", "cpu_us.worker")),
]


def look_up(figures, path):
    """The value at "a.b.c", None when it is not there."""
    for name in path.split("."):
        if not isinstance(figures, dict) or name not in figures:
            return None
        figures = figures[name]
    return figures


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def merge(rounds):
    """The same structure with the median of every number."""
    if all(isinstance(one, dict) for one in rounds):
        return {name: merge([one[name] for one in rounds]) for name in rounds[0]}
    if all(isinstance(one, (int, float)) for one in rounds):
        return median(rounds)
    return rounds[0]


def with_share(figures):
    """Adds the floors that limit and what shares of them the bridge reaches, both ways."""
    floors = figures["floor"]
    drain = max(floors["drain_one"]["rate"], floors["drain_shared"]["rate"])
    slower = min(drain, floors["produce"]["rate"])
    figures["floor"]["slower_rate"] = slower
    figures["sluice"]["share_of_floor"] = figures["sluice"]["drain"]["rate"] / slower
    figures["floor"]["slower_sink_rate"] = min(floors["consume"]["rate"], floors["publish"]["rate"])
    figures["sluice"]["sink_share"] = figures["sluice"]["sink"]["rate"] / figures["floor"]["slower_sink_rate"]
    return figures


def judged(figures):
    """One dict for each aim: what it is, what was measured, whether it is met."""
    found = []
    for name, path, sign, limit, unit in AIMS:
        value = look_up(figures, path)
        met = value is not None and COMPARE[sign](value, limit)
        found.append({"aim": name, "value": value, "limit": f"{sign} {limit:g}", "unit": unit, "met": met})
    return found


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def table(figures, aims):
    """The report as text."""
    lines = [f"{'':38}{'msg/s':>12}{'CPU us/msg':>12}"]
    for title, path, columns in ROWS:
        group = look_up(figures, path) or {}
        cells = [number(look_up(group, column)) if column else "" for column in columns]
        lines.append(f"{title:38}{cells[0]:>12}{cells[1]:>12}")
    latency = look_up(figures, "sluice.latency") or {}
    if latency:
        lines.append(f"latency at {latency['rate']:,.0f} msg/s: p50 {latency['p50_ms']:.1f} ms, "
                     f"p99 {latency['p99_ms']:.1f} ms from publish to consume")
    rest = look_up(figures, "rest") or {}
    if rest:
        lines.append(f"GET /connectors of 100, 64 connections: {rest['per_second']:,.0f} a second, "
                     f"p50 {rest['p50_ms']:.2f} ms, p99 {rest['p99_ms']:.2f} ms, max {rest['max_ms']:.1f} ms, "
                     f"CPU {rest['cpu_us']:.0f} us each")
    parts = look_up(figures, "sluice.drain.cpu_us") or {}
    lines.append("CPU us/msg of all parts in the drain: "
                 + ", ".join(f"{name} {value:.1f}" for name, value in parts.items()))
    lines.append(f"peak memory of the worker: {number(figures.get('peak_rss_mb'))} MB")
    lines += ["", f"{'aim':34}{'measured':>12} {'limit':>10} {'':6}"]
    for aim in aims:
        lines.append(f"{aim['aim']:34}{number(aim['value']):>12} {aim['limit']:>10} {aim['unit']:6}"
                     f"{'met' if aim['met'] else 'MISSED'}")
    return "\n".join(lines)
