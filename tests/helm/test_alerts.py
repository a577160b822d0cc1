# SPDX-License-Identifier: Apache-2.0
"""Alert rules and dashboard are valid and use what exists; alerts fire when they should."""

import json
import re
import subprocess

import yaml
from chart import CHART, HERE, LOADER, MINIMAL, ROOT, Release, folder, merged, parse

RULES = CHART / "alerts" / "sluice.yaml"
CASES = HERE / "alerts_test.yaml"
SUFFIXES = ("_bucket", "_sum", "_count")
# What Prometheus itself adds.
FOREIGN = {"up"}
TARGET_LABELS = {"job", "instance", "namespace", "pod", "le"}
NAME = re.compile(r"\b(?:sluice|kafka_connect)_[a-z0-9_]+|\bup\b")


def promtool(*arguments):
    done = subprocess.run(
        [folder("promtool") / "promtool", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules():
    with open(RULES, encoding="utf-8") as file:
        return [
            rule for group in yaml.load(file, Loader=LOADER)["groups"] for rule in group["rules"]
        ]


def existing():
    """Metrics by name, with their kind and labels, as the worker documents them."""
    made = {}
    for line in (ROOT / "deploy" / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `([a-z0-9_]+)` \| (\w+) \| ([a-z, _]*) ?\|", line)
        if found:
            made[found.group(1)] = (
                found.group(2),
                {label.strip() for label in found.group(3).split(",") if label.strip()},
            )
    assert len(made) > 40
    return made


def metric_of(name, metrics):
    """The documented metric that a series belongs to."""
    for suffix in SUFFIXES:
        base = name.removesuffix(suffix)
        if base != name and metrics.get(base, ("",))[0] == "histogram":
            return base
    return name


def check_expression(expression, metrics, where):
    names = set(NAME.findall(expression)) - FOREIGN
    assert names or "up{" in expression, f"{where}: no metric in {expression}"
    for name in names:
        assert metric_of(name, metrics) in metrics, f"{where}: there is no metric {name}"
        kind, labels = metrics[metric_of(name, metrics)]
        for selector in re.findall(re.escape(name) + r"\{([^}]*)\}", expression):
            used = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"", selector))
            assert (
                used <= labels | TARGET_LABELS
            ), f"{where}: {name} has no labels {used - labels - TARGET_LABELS}"
        if kind == "counter":
            assert re.search(
                r"(?:rate|increase)\(" + re.escape(name), expression
            ), f"{where}: {name} is a counter: take its rate"


def test_rules_are_valid():
    assert "SUCCESS" in promtool("check", "rules", RULES)


def test_alerts_fire_when_they_should_and_only_then():
    promtool("test", "rules", CASES)


def test_each_alert_is_tried_both_ways():
    with open(CASES, encoding="utf-8") as file:
        tests = yaml.load(file, Loader=LOADER)["tests"]
    fired, quiet = set(), set()
    for test in tests:
        for case in test["alert_rule_test"]:
            (fired if case.get("exp_alerts") else quiet).add(case["alertname"])
    names = {rule["alert"] for rule in rules()}
    assert fired == names and quiet == names


def test_alerts_use_metrics_and_labels_that_exist():
    metrics = existing()
    for rule in rules():
        check_expression(rule["expr"], metrics, rule["alert"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        text = json.dumps(rule["annotations"])
        used = set(re.findall(r"\$labels\.(\w+)", text))
        by = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        labels = {label.strip() for one in by for label in one.split(",")} if by else set()
        if not by:
            for name in set(NAME.findall(rule["expr"])) - FOREIGN:
                labels |= metrics[metric_of(name, metrics)][1]
            labels |= TARGET_LABELS
        assert used <= labels, f"{rule['alert']}: its text uses {used - labels}"
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_rendered_rules_are_those_of_the_release(tmp_path):
    values = {
        "metrics": {
            "prometheusRule": {
                "enabled": True,
                "disabled": ["SluiceTaskFailed"],
                "alertLabels": {"team": "x"},
                "runbookUrl": "http://r/",
            }
        }
    }
    spec = Release(merged(MINIMAL, values)).one("PrometheusRule")["spec"]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    assert "SUCCESS" in promtool("check", "rules", path)
    made = {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"]}
    assert set(made) == {rule["alert"] for rule in rules()} - {"SluiceTaskFailed"}
    for name, rule in made.items():
        selectors = len(re.findall(r"\{[^}]*\}", rule["expr"]))
        assert selectors == rule["expr"].count('namespace="bridges",job=~"(bridges/)?sluice"'), name
        assert ".*sluice.*" not in rule["expr"]
        assert (
            rule["labels"]["team"] == "x"
            and rule["annotations"]["runbook_url"] == f"http://r/{name}"
        )


def panels():
    with open(CHART / "dashboards" / "sluice.json", encoding="utf-8") as file:
        dashboard = json.load(file)
    return dashboard, [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_dashboard_shows_metrics_and_labels_that_exist():
    metrics = existing()
    dashboard, shown = panels()
    assert len(shown) > 25
    for panel in shown:
        assert panel["description"] and panel["targets"], panel["title"]
        for target in panel["targets"]:
            check_expression(target["expr"], metrics, panel["title"])
            labels = set.union(
                TARGET_LABELS,
                *(
                    metrics[metric_of(name, metrics)][1]
                    for name in set(NAME.findall(target["expr"])) - FOREIGN
                ),
            )
            assert (
                set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) <= labels
            ), panel["title"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            names = NAME.findall(variable["query"]["query"])
            assert names and set(names) <= set(metrics)


def test_dashboard_expressions_are_valid(tmp_path):
    """As recording rules, with values for the dashboard's variables."""
    made = []
    for panel in panels()[1]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m")
            expression = re.sub(r"\$\w+", ".*", expression)
            made.append(
                {"record": f"panel:{panel['id']}:{target['refId'].lower()}", "expr": expression}
            )
    path = tmp_path / "panels.yaml"
    path.write_text(
        yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}), encoding="utf-8"
    )
    assert f"{len(made)} rules found" in promtool("check", "rules", path)


def test_dashboard_panels_do_not_overlap():
    taken = {}
    dashboard = panels()[0]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken.get((x, y))}"
                taken[x, y] = panel["title"]


def test_autoscaling_examples_use_metrics_that_exist():
    metrics = existing()
    home = ROOT / "deploy" / "kubernetes"
    (adapter,) = parse((home / "adapter-values.yaml").read_text(encoding="utf-8"))
    made = set()
    for rule in adapter["rules"]["custom"]:
        assert rule["seriesQuery"].split("{")[0] in metrics
        made.add(rule["name"]["as"])
    (hpa,) = parse((home / "hpa.yaml").read_text(encoding="utf-8"))
    assert {
        one["pods"]["metric"]["name"] for one in hpa["spec"]["metrics"] if one["type"] == "Pods"
    } == made
    queries = [
        trigger["metadata"]["query"]
        for path in (home / "keda.yaml",)
        for one in parse(path.read_text(encoding="utf-8"))
        for trigger in one["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    keda = Release(
        merged(
            MINIMAL,
            {
                "keda": {
                    "enabled": True,
                    "prometheus": {"enabled": True, "serverAddress": "http://p"},
                }
            },
        )
    )
    queries += [
        trigger["metadata"]["query"] for trigger in keda.one("ScaledObject")["spec"]["triggers"]
    ]
    assert len(queries) == 2
    for query in queries:
        check_expression(query, metrics, "keda")
