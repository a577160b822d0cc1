# SPDX-License-Identifier: Apache-2.0
"""The table of a run: a line per fault and lane, in text and in Markdown."""

import dataclasses
import json

TITLES = (
    "fault",
    "lane",
    "rounds",
    "recovery median",
    "longest",
    "allowed",
    "sent",
    "received",
    "missing",
    "duplicates",
    "allowed",
    "failed",
)
LANES = {"source": "MQTT to Kafka", "sink": "Kafka to MQTT"}


@dataclasses.dataclass
class Round:
    """One round; verdict and outcome are None when it did not come to its end."""

    number: int
    fault: object
    lane: str
    bound: float
    outcome: object
    verdict: object
    wrong: list
    seconds: float

    def line(self):
        """The round in one line."""
        head = f"{self.number:4d}  {self.fault.name} ({LANES[self.lane]}), {self.seconds:.0f} s: "
        if self.verdict is None:
            return head + "FAILED: " + "; ".join(self.wrong)
        allowed = "any" if self.outcome.duplicates is None else self.outcome.duplicates
        text = (
            f"recovered in {self.outcome.resumed:.2f} s (allowed {self.bound:.1f}), "
            f"sent {self.verdict.sent}, missing {self.verdict.missing}, "
            f"duplicates {self.verdict.duplicates} (allowed {allowed})"
        )
        text += f"; {self.outcome.notes}" if self.outcome.notes else ""
        return head + text + (f"; FAILED: {'; '.join(self.wrong)}" if self.wrong else "")


def remember(path, seed, one):
    """Appends a round to a file of such lines."""
    row = {
        "seed": seed,
        "round": one.number,
        "fault": one.fault.name,
        "lane": one.lane,
        "bound": one.bound,
        "outcome": one.outcome and dataclasses.asdict(one.outcome),
        "verdict": one.verdict and vars(one.verdict),
        "wrong": one.wrong,
        "seconds": round(one.seconds, 1),
    }
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def recall(path, make_outcome, make_verdict, faults):
    """The rounds of such a file, and their seeds."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    rounds = [
        Round(
            row["round"],
            faults[row["fault"]],
            row["lane"],
            row["bound"],
            row["outcome"] and make_outcome(**row["outcome"]),
            row["verdict"] and make_verdict(**row["verdict"]),
            row["wrong"],
            row["seconds"],
        )
        for row in lines
        if row["fault"] in faults
    ]
    return rounds, sorted({row["seed"] for row in lines})


def _median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def _row(rounds):
    fault, lane = rounds[0].fault, rounds[0].lane
    ended = [r for r in rounds if r.verdict]
    cells = [fault.name, LANES[lane], str(len(rounds))]
    if not ended:
        return (*cells, *["-"] * 8, str(len(rounds)))
    times = [r.outcome.resumed for r in ended]
    allowed = [r.outcome.duplicates for r in ended]
    return (
        *cells,
        "-" if fault.lossy else f"{_median(times):.1f} s",
        "-" if fault.lossy else f"{max(times):.1f} s",
        "-" if fault.lossy else f"{max(r.bound for r in ended):.1f} s",
        str(sum(r.verdict.sent for r in ended)),
        str(sum(r.verdict.received for r in ended)),
        str(sum(r.verdict.missing for r in ended)) + (" (wanted)" if fault.lossy else ""),
        str(sum(r.verdict.duplicates for r in ended)),
        "any" if None in allowed else str(sum(allowed)),
        str(sum(1 for r in rounds if r.wrong)),
    )


def rows(rounds):
    """A row per fault and lane, in the order of the first rounds."""
    found = {}
    for one in rounds:
        found.setdefault((one.fault.name, one.lane), []).append(one)
    return [_row(group) for group in found.values()]


def text(rounds):
    """Aligned columns."""
    table = [TITLES, *rows(rounds)]
    widths = [max(len(row[column]) for row in table) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in table
    )


def markdown(rounds):
    """The same as a Markdown table."""
    lines = ["| " + " | ".join(TITLES) + " |", "|" + " --- |" * len(TITLES)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(rounds)]
    return "\n".join(lines) + "\n"
