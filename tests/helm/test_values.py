# SPDX-License-Identifier: Apache-2.0
"""Every value does something, and what is no value is refused."""

import functools
import json

import pytest
from chart import CHART, MINIMAL, at, generator, in_parallel, merged, nested, refusal, template

VALUES, MAPS = generator().scan((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

# A release in which nearly every value has something to act on.
WIDE = {
    "kafka": {
        "bootstrapServers": "kafka:9092",
        "securityProtocol": "SASL_SSL",
        "sasl": {"mechanism": "PLAIN", "existingSecret": "kafka-login"},
        "tls": {"caSecret": "kafka-ca", "certSecret": "kafka-client"},
    },
    "mqtt": {"auth": {"existingSecret": "mqtt-login"}, "tls": {"existingSecret": "mqtt-tls"}},
    "rest": {
        "tls": {"enabled": True, "existingSecret": "rest-tls", "verifyWorkers": False},
        "auth": {"existingSecret": "users"},
    },
    "networkPolicy": {"enabled": True, "egress": {"enabled": True}},
    "headlessService": {"enabled": True},
    "ingress": {"enabled": True},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    "metrics": {
        "serviceMonitor": {"enabled": True, "basicAuth": {"username": {"name": "s", "key": "u"}}},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}
KEDA = {
    "keda": {
        "enabled": True,
        "kafkaLag": {"enabled": True, "connector": "c"},
        "prometheus": {"enabled": True, "serverAddress": "http://p"},
        "metricsApi": {"enabled": True},
    }
}
# What a value needs besides, by the start of its path; the first that fits counts.
CONTEXTS = [
    ("kafka.securityProtocol", {"kafka": {"tls": {"caSecret": "", "certSecret": ""}}}),
    ("autoscaling.enabled", {}),
    ("keda.kafkaLag.enabled", merged(KEDA, {"keda": {"kafkaLag": {"enabled": False}}})),
    ("keda.prometheus.enabled", merged(KEDA, {"keda": {"prometheus": {"enabled": False}}})),
    ("autoscaling", {"autoscaling": {"enabled": True}}),
    ("keda.enabled", merged(KEDA, {"keda": {"enabled": False}})),
    ("keda", KEDA),
    ("metrics.serviceMonitor.enabled", {"metrics": {"serviceMonitor": {"enabled": False}}}),
    ("metrics.podMonitor.enabled", {"metrics": {"serviceMonitor": {"enabled": False}}}),
    (
        "metrics.podMonitor",
        {"metrics": {"serviceMonitor": {"enabled": False}, "podMonitor": {"enabled": True}}},
    ),
    ("staticMembership", {"kind": "StatefulSet"}),
    ("rest.advertise", {"kind": "StatefulSet"}),
    ("rest.tls.verifyWorkers", {"kind": "StatefulSet", "rest": {"advertise": "podName"}}),
    ("service.nodePort", {"service": {"type": "NodePort"}}),
    ("service.externalTrafficPolicy", {"service": {"type": "NodePort"}}),
    ("service.loadBalancerClass", {"service": {"type": "LoadBalancer"}}),
    ("service.loadBalancerSourceRanges", {"service": {"type": "LoadBalancer"}}),
    ("serviceAccount.create", {"serviceAccount": {"name": ""}}),
]
# Another value than the default, where it cannot be guessed.
SAMPLES = {
    "keda.metricsApi.metric": "sluice_worker_cpu_ratio",
    "keda.metricsApi.target": "0.5",
    "kafka.bootstrapServers": "other:9092",
    "kafka.securityProtocol": "SASL_PLAINTEXT",
    "connectors": {"c": {"connector.class": "MqttSource"}},
    "secretMounts": [{"name": "x", "secretName": "x"}],
    "config": {"x": 1},
    "terminationGracePeriodSeconds": 99,
    "kind": "StatefulSet",
    "updateStrategy": {"type": "OnDelete"},
    "image.digest": "sha256:" + "0" * 64,
    "image.pullSecrets": ["x"],
    "env": [{"name": "X", "value": "x"}],
    "envFrom": [{"secretRef": {"name": "x"}}],
    "extraVolumes": [{"name": "x", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
    "initContainers": [{"name": "x"}],
    "sidecars": [{"name": "x"}],
    "resources": {"limits": {"cpu": "2"}},
    "podSecurityContext": {"fsGroup": 1},
    "securityContext": {"runAsUser": 1},
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [],
    "hostAliases": [{"ip": "10.0.0.1"}],
    "dnsPolicy": "Default",
    "service.nodePort": 30000,
    "service.loadBalancerSourceRanges": ["10.0.0.0/8"],
    "service.ipFamilies": ["IPv4"],
    "rest.port": 8090,
    "probes.port": 8085,
    "ingress.hosts": [{"host": "x"}],
    "ingress.tls": [{"hosts": ["x"]}],
    "httpRoute.parentRefs": [{"name": "x"}],
    "httpRoute.hostnames": ["x"],
    "httpRoute.rules": [{"matches": []}],
    "networkPolicy.ingressFrom": [{"podSelector": {}}],
    "networkPolicy.extraIngress": [{}],
    "networkPolicy.egress.kafkaPorts": [1],
    "networkPolicy.egress.kafkaTo": [{"podSelector": {}}],
    "networkPolicy.egress.mqttPorts": [],
    "networkPolicy.egress.mqttTo": [{"podSelector": {}}],
    "networkPolicy.egress.extra": [{}],
    "autoscaling.targetMemoryUtilizationPercentage": 80,
    "autoscaling.metrics": [{"type": "Pods"}],
    "autoscaling.behavior": {"scaleDown": {"stabilizationWindowSeconds": 1}},
    "keda.behavior": {"scaleDown": {"stabilizationWindowSeconds": 1}},
    "keda.fallback": {"replicas": 2},
    "keda.triggers": [{"type": "cpu"}],
    "podDisruptionBudget.minAvailable": 1,
    "metrics.serviceMonitor.basicAuth": {"password": {"name": "x", "key": "x"}},
    "global.imagePullSecrets": ["x"],
    "extraObjects": ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}"],
    "metrics.prometheusRule.disabled": ["SluiceTaskFailed"],
    "metrics.prometheusRule.extraRules": [{"alert": "X", "expr": "1"}],
}
# Values without a trace in what is rendered, and why.
TRACELESS = {
    "tests.enabled": (
        "there is no test pod" if not list((CHART / "templates" / "tests").glob("*.yaml")) else None
    ),
}


def other(value, base):
    """Another value than the default, or than the one in the map `base`."""
    name, default = value.name(), value.default
    try:
        default = at(base, name)
    except KeyError:
        pass
    if name in SAMPLES:
        return SAMPLES[name]
    if "enum" in value.schema:
        return next(one for one in value.schema["enum"] if one not in (default, ""))
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, str):
        return "7s" if "pattern" in value.schema else default + "x"
    if default == {}:
        return {"x": "y"}
    if default == []:
        return [{"x": "y"}]
    raise AssertionError(f"SAMPLES lacks another value for {name}")


def context(name):
    return merged(
        WIDE, next((more for start, more in CONTEXTS if (name + ".").startswith(start + ".")), {})
    )


@functools.lru_cache(maxsize=None)
def rendered(text):
    return template(json.loads(text))


def effect(value):
    """Whether rendering differs; an error as text."""
    base = context(value.name())
    before = rendered(json.dumps(base))
    after = template(merged(base, nested(value.name(), other(value, base))))
    if before.returncode or after.returncode:
        return before.stderr + after.stderr
    return before.stdout != after.stdout


def test_every_value_has_an_effect():
    values = [value for value in VALUES if not TRACELESS.get(value.name())]
    without = {
        value.name(): result
        for value, result in zip(values, in_parallel(effect, values))
        if result is not True
    }
    assert not without
    assert len(values) > 150


def test_samples_are_of_values():
    names = {value.name() for value in VALUES}
    assert set(SAMPLES) <= names and set(TRACELESS) <= names


def test_unknown_names_are_refused_at_every_level():
    wrong = {"nameThatIsNone": 1}
    for path in MAPS:
        if path != ("global",):
            wrong = merged(wrong, nested(".".join(path) + ".nameThatIsNone", 1))
    said = refusal(wrong)
    for path in [()] + MAPS:
        place = "/" + "/".join(path) if path else ""
        assert (f"'{place}': additional properties 'nameThatIsNone' not allowed" in said) == (
            path != ("global",)
        ), path


def schema_of(name):
    node = SCHEMA
    for key in name.split("."):
        node = node["properties"][key]
    return node


def test_values_of_a_wrong_type_are_refused():
    wrong = {
        "boolean": "yes",
        "integer": "many",
        "string": {},
        "array": "x",
        "object": [],
        "number": "x",
    }
    cases = []
    for value in VALUES:
        schema = schema_of(value.name())
        kinds = schema.get("type", "string")
        kind = "string" if "string" in kinds else kinds if isinstance(kinds, str) else kinds[0]
        cases.append((value.name(), "none of them" if "enum" in schema else wrong[kind]))
    # One file with all of them: the schema names each.
    everything = {}
    for name, bad in cases:
        everything = merged(everything, nested(name, bad))
    done = template(everything)
    assert done.returncode != 0
    for name, _ in cases:
        assert f"'/{name.replace('.', '/')}'" in done.stderr, name


@pytest.mark.parametrize(
    "path, bad",
    [
        ("replicas", -1),
        ("replicas", 1.5),
        ("internalTopics.slots", 0),
        ("rest.port", 65536),
        ("kind", "DaemonSet"),
        ("image.digest", "sha256:12"),
        ("shutdown.drainSeconds", 0),
        ("metrics.serviceMonitor.interval", "often"),
        ("connectors", {"-a": {"connector.class": "X"}}),
        ("connectors", {"a/b": {"connector.class": "X"}}),
        ("connectors", {"a": {}}),
        ("connectors", {"a": {"connector.class": "X", "nested": {}}}),
        ("connectors", {"a": {"config": {}}}),
        ("connectors", {"a": {"config": {"connector.class": "X"}, "adopted": True}}),
        ("connectors", {"a": {"config": {"connector.class": "X"}, "state": "running"}}),
        ("config", {"a b": 1}),
        ("config", {"a": [1]}),
        ("secretMounts", [{"name": "mqtt", "secretName": "x"}]),
        ("secretMounts", [{"name": "x"}]),
        ("ingress.hosts", [{"hosts": "x"}]),
    ],
)
def test_bad_values_are_refused(path, bad):
    said = refusal(nested(path, bad))
    assert path.split(".")[-1] in said or f"invalid propertyName '{next(iter(bad))}'" in said


def test_defaults_pass_their_own_schema():
    assert template(MINIMAL).returncode == 0
    for value in VALUES:
        assert schema_of(value.name())["description"] == value.text
    for path in MAPS:
        assert schema_of(".".join(path))["additionalProperties"] is (path == ("global",))
    assert at({"a": {"b": 1}}, "a.b") == 1
