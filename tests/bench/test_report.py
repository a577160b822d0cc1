#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that the bench's verdicts can fail: medians, the share of the floor, each aim on both sides."""

import copy
import sys
import unittest

import report


def figures():
    """Figures that meet every aim."""
    return {
        "floor": {"drain_one": {"rate": 80000, "cpu_us": 12.0}, "drain_shared": {"rate": 90000, "cpu_us": 12.0},
                  "produce": {"rate": 300000, "cpu_us": 2.0}, "consume": {"rate": 200000},
                  "publish": {"rate": 50000, "cpu_us": 8.0}},
        "sluice": {"sink": {"rate": 40000, "cpu_us": {"worker": 10.0}},
                   "drain": {"rate": 72000, "flow_rate": 75000, "cpu_us": {"worker": 9.0, "kafka": 20.0}},
                   "live": {"rate": 40000, "cpu_us": {"worker": 10.0}}},
        "start": {"first_s": 0.5, "again_s": 0.3},
        "idle": {name: {"rss_mb": 15.0, "cpu_percent": 0.1} for name in ("no_connector", "connector")},
        "rest": {"per_second": 25000.0, "p50_ms": 2.0, "p99_ms": 4.0, "max_ms": 9.0, "cpu_us": 40.0,
                 "growth_mb": 0.1},
    }


def put(found, path, value):
    *groups, last = path.split(".")
    for name in groups:
        found = found[name]
    found[last] = value


class Report(unittest.TestCase):
    def test_share_is_of_the_slower_floor_and_the_faster_drain(self):
        found = report.with_share(figures())
        self.assertEqual(found["floor"]["slower_rate"], 90000)
        self.assertAlmostEqual(found["sluice"]["share_of_floor"], 0.8)

    def test_share_of_the_sink_is_of_the_slower_of_consume_and_publish(self):
        found = report.with_share(figures())
        self.assertEqual(found["floor"]["slower_sink_rate"], 50000)
        self.assertAlmostEqual(found["sluice"]["sink_share"], 0.8)

    def test_good_figures_meet_every_aim(self):
        self.assertTrue(all(aim["met"] for aim in report.judged(report.with_share(figures()))))

    def test_each_aim_is_missed_by_a_bad_figure_and_by_none(self):
        for number, (name, path, sign, limit, _) in enumerate(report.AIMS):
            for bad in (limit * 0.9 if sign == ">=" else limit, None):
                found = report.with_share(copy.deepcopy(figures()))
                put(found, path, bad)
                self.assertFalse(report.judged(found)[number]["met"], f"{name} with {bad}")

    def test_medians(self):
        rounds = [{"a": {"b": value}, "text": "x"} for value in (1, 100, 3)]
        self.assertEqual(report.merge(rounds), {"a": {"b": 3}, "text": "x"})
        self.assertEqual(report.merge(rounds[:2]), {"a": {"b": 50.5}, "text": "x"})

    def test_the_table_shows_figures_and_misses(self):
        found = report.with_share(figures())
        found["sluice"]["drain"]["cpu_us"]["worker"] = 12.5
        text = report.table(found, report.judged(found))
        self.assertIn("72,000", text)
        self.assertIn("12.50", text)
        self.assertEqual(text.count("MISSED"), 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
