# SPDX-License-Identifier: Apache-2.0
"""What the chart makes of its values."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from chart import (
    CHART,
    EXAMPLES,
    MINIMAL,
    NAMESPACE,
    Release,
    helm,
    merged,
    nested,
    parse,
    refusal,
    template,
)

NO_PASSWORDS = {"rest": {"tls": {"enabled": True, "existingSecret": "t", "verifyWorkers": False}}}


def release(values=None, **options):
    return Release(merged(MINIMAL, values or {}), **options)


def refused(values, *words):
    said = refusal(values)
    for word in words:
        assert word in said
    return said


# The workload


def test_default_is_a_deployment_that_surges_and_never_lacks_a_worker():
    spec = release().workload["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": None},
        {"externalAutoscaler": True},
        {"autoscaling": {"enabled": True}},
        {
            "keda": {
                "enabled": True,
                "triggers": [
                    {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}
                ],
            }
        },
    ],
    ids=["null", "external", "hpa", "keda"],
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_replicas_is_left_out_where_somebody_else_owns_it(values, kind):
    made = release(merged(values, {"kind": kind}))
    assert "replicas" not in made.workload["spec"]
    for scaler in made.all("HorizontalPodAutoscaler") + made.all("ScaledObject"):
        assert scaler["spec"]["scaleTargetRef"] == {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": "sluice",
        }


def test_replicas_of_zero_is_a_number():
    assert release({"replicas": 0}).workload["spec"]["replicas"] == 0


def test_stateful_set_starts_at_once_with_names_in_dns():
    made = release({"kind": "StatefulSet", "rest": {"advertise": "podName"}})
    spec = made.workload["spec"]
    assert spec["podManagementPolicy"] == "Parallel" and spec["serviceName"] == "sluice-workers"
    assert "volumeClaimTemplates" not in spec
    headless = made.one("Service", "sluice-workers")["spec"]
    assert headless["clusterIP"] == "None" and headless["publishNotReadyAddresses"] is True
    assert (
        made.env["CONNECT_REST_ADVERTISED_HOST_NAME"]
        == f"$(POD_NAME).sluice-workers.{NAMESPACE}.svc"
    )
    assert made.env["CONNECT_GROUP_INSTANCE_ID"] == f"$(POD_NAME).{NAMESPACE}"
    names = [one["name"] for one in made.worker["env"]]
    assert names.index("POD_NAME") < names.index("CONNECT_REST_ADVERTISED_HOST_NAME")


def test_pods_advertise_their_address():
    made = release()
    assert made.env["CONNECT_REST_ADVERTISED_HOST_NAME"] == {
        "fieldRef": {"fieldPath": "status.podIP"}
    }
    assert "CONNECT_GROUP_INSTANCE_ID" not in made.env


def test_variables_of_services_do_not_become_properties():
    # A service "connect" would give each pod CONNECT_PORT and the like.
    assert release().pod["spec"]["enableServiceLinks"] is False


def test_selectors_match_the_pods(examples):
    for made in examples.values():
        labels = made.pod["metadata"]["labels"].items()
        selectors = [made.workload["spec"]["selector"]["matchLabels"]]
        selectors += [one["spec"]["selector"] for one in made.all("Service")]
        selectors += [
            one["spec"]["selector"]["matchLabels"]
            for one in made.all("PodDisruptionBudget") + made.all("PodMonitor")
        ]
        selectors += [
            one["spec"]["podSelector"]["matchLabels"] for one in made.all("NetworkPolicy")
        ]
        for selector in selectors:
            assert selector.items() <= labels
        for constraint in made.pod["spec"]["topologySpreadConstraints"]:
            assert constraint["labelSelector"]["matchLabels"].items() <= labels


def test_service_monitor_reads_every_pod_once():
    made = release({"kind": "StatefulSet", "metrics": {"serviceMonitor": {"enabled": True}}})
    wanted = made.one("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    found = [
        one["metadata"]["name"]
        for one in made.all("Service")
        if wanted <= one["metadata"]["labels"].items()
    ]
    assert found == ["sluice"]


def test_an_upgrade_of_the_chart_alone_replaces_no_pod():
    made = release()
    assert "helm.sh/chart" in made.workload["metadata"]["labels"]
    assert "helm.sh/chart" not in made.pod["metadata"]["labels"]


def test_pods_roll_when_properties_change_and_not_when_connectors_do():
    def checksum(values):
        return release(
            merged({"connectors": {"a": {"connector.class": "MqttSource"}}}, values)
        ).pod["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) != checksum({"config": {"offset.flush.interval.ms": 5000}})
    assert checksum({}) == checksum(
        {"connectors": {"a": {"tasks.max": 2}, "b": {"connector.class": "MqttSink"}}}
    )


def test_images_by_tag_by_digest_and_from_a_registry():
    assert release().worker["image"] == "sluice:0.1.0"
    assert (
        release({"image": {"tag": "dev", "registry": "r:5000/"}}).worker["image"]
        == "r:5000/sluice:dev"
    )
    digest = "sha256:" + "0" * 64
    values = {"global": {"imageRegistry": "g"}, "image": {"tag": "dev", "digest": digest}}
    assert release(values).worker["image"] == f"g/sluice@{digest}"


@pytest.mark.parametrize("name", ["sluice", "x", "a-sluice-release", "long-" * 10 + "na"])
def test_names_fit(name):
    made = release(
        {"kind": "StatefulSet", "connectors": {"a": {"connector.class": "MqttSource"}}},
        release=name,
    )
    for one in made.objects:
        assert len(one["metadata"]["name"]) <= 63
    assert len(made.workload["metadata"]["name"]) <= 52
    for value in made.pod["metadata"]["labels"].values():
        assert len(value) <= 63


def test_everything_has_the_namespace_and_the_common_labels(examples):
    made = examples["everything"]
    for one in made.objects:
        if one["metadata"]["name"].endswith(("-extra", "-text")):
            continue
        assert one["metadata"]["namespace"] == "bridges"
        assert one["metadata"]["labels"]["team"] == "bridges"
        assert one["metadata"]["annotations"]["example.org/owner"] == "bridges"
    assert made.has("ConfigMap", "sluice-extra") and made.has("ConfigMap", "bridge-text")


# The end of a pod


def test_grace_period_follows_the_drain():
    made = release({"shutdown": {"preStopSeconds": 7, "drainSeconds": 100}})
    assert made.properties["task.shutdown.graceful.timeout.ms"] == "100000"
    assert made.worker["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert made.pod["spec"]["terminationGracePeriodSeconds"] == 117
    assert "lifecycle" not in release({"shutdown": {"preStopSeconds": 0}}).worker


def test_grace_period_may_be_given_and_must_suffice():
    values = {"shutdown": {"preStopSeconds": 5, "drainSeconds": 20}}
    made = release(merged(values, {"terminationGracePeriodSeconds": 27}))
    assert made.pod["spec"]["terminationGracePeriodSeconds"] == 27
    refused(
        merged(values, {"terminationGracePeriodSeconds": 26}),
        "terminationGracePeriodSeconds is 26: at least 27 are needed",
        "drainSeconds",
    )


def test_grace_period_counts_what_config_says():
    values = {"config": {"task.shutdown.graceful.timeout.ms": 59001}}
    assert release(values).pod["spec"]["terminationGracePeriodSeconds"] == 75
    refused(merged(values, {"terminationGracePeriodSeconds": 60}), "at least 67", "59001")
    refused({"config": {"task.shutdown.graceful.timeout.ms": "soon"}}, "give a number")


# Probes


def test_probes_ask_three_different_questions():
    worker = release().worker
    paths = {
        kind: worker[kind + "Probe"]["httpGet"]["path"]
        for kind in ("startup", "liveness", "readiness")
    }
    assert paths == {
        "startup": "/health/startup",
        "liveness": "/health/live",
        "readiness": "/health/ready",
    }
    assert all(worker[kind + "Probe"]["httpGet"]["scheme"] == "HTTP" for kind in paths)


def test_probes_can_be_changed_and_left_out():
    values = {
        "probes": {"startup": {"enabled": False}, "liveness": {"path": "/", "periodSeconds": 30}}
    }
    worker = release(values).worker
    assert "startupProbe" not in worker
    assert (
        worker["livenessProbe"]["httpGet"]["path"] == "/"
        and worker["livenessProbe"]["periodSeconds"] == 30
    )


def test_probes_of_the_rest_port_speak_tls_where_it_does():
    made = release(merged(NO_PASSWORDS, {"probes": {"port": None}}))
    found = made.worker["livenessProbe"]["httpGet"]
    assert (found["port"], found["scheme"]) == ("rest", "HTTPS")
    assert "probe.listeners" not in made.properties


def test_probes_have_a_port_of_their_own(program):
    required = nested("rest.tls.clientAuth", "required")
    for values in (
        {},
        NO_PASSWORDS,
        # They have no certificate, so the REST port is none for them.
        merged(NO_PASSWORDS, merged(required, {"probes": {"port": None}})),
    ):
        made = release(values, program=program)
        assert made.properties["probe.listeners"] == "http://:8084"
        assert {"name": "probes", "containerPort": 8084, "protocol": "TCP"} in made.worker["ports"]
        for kind in ("startup", "liveness", "readiness"):
            found = made.worker[kind + "Probe"]["httpGet"]
            assert (found["port"], found["scheme"]) == ("probes", "HTTP")
    assert release({"probes": {"port": 9000}}).properties["probe.listeners"] == "http://:9000"
    refused({"probes": {"port": 8083}}, "probes.port and rest.port are both 8083")


# Properties and secrets


def test_numbers_keep_their_digits(program):
    made = release(
        {
            "config": {"producer.buffer.memory": 134217728, "x.ratio": 0.25, "x.on": True},
            "connectors": {
                "a": {"connector.class": "MqttSource", "mqtt.session.expiry.seconds": 4294967295}
            },
        },
        program=program,
    )
    assert made.properties["producer.buffer.memory"] == "134217728"
    assert made.properties["x.ratio"] == "0.25" and made.properties["x.on"] == "true"
    config = json.loads(made.one("ConfigMap", "sluice-connectors")["data"]["a.json"])
    assert config == {"connector.class": "MqttSource", "mqtt.session.expiry.seconds": "4294967295"}


def test_connectors_become_files():
    made = release(
        {
            "connectors": {
                "flat": {"connector.class": "MqttSource", "tasks.max": 2},
                "full": {
                    "config": {"connector.class": "MqttSink", "tasks.max": 3},
                    "state": "PAUSED",
                    "adopt": True,
                },
            }
        }
    )
    data = made.one("ConfigMap", "sluice-connectors")["data"]
    assert json.loads(data["flat.json"]) == {"connector.class": "MqttSource", "tasks.max": "2"}
    assert json.loads(data["full.json"]) == {
        "config": {"connector.class": "MqttSink", "tasks.max": "3"},
        "state": "PAUSED",
        "adopt": True,
    }
    assert set(data) == {".complete", "flat.json", "full.json"}
    (mount,) = [one for one in made.worker["volumeMounts"] if one["name"] == "connectors"]
    assert "subPath" not in mount, "such a mount is never brought up to date"
    assert (
        made.properties["connectors.dir"] == mount["mountPath"]
        and made.properties["connectors.dir.prune"] == "true"
    )


def test_the_last_connector_can_leave_and_all_can_be_left_alone():
    assert release().one("ConfigMap", "sluice-connectors")["data"] == {".complete": ""}
    made = release({"connectorFiles": {"enabled": False}})
    assert (
        not made.has("ConfigMap", "sluice-connectors") and "connectors.dir" not in made.properties
    )


def test_config_wins_over_other_values():
    made = release({"config": {"listeners": "http://:8083,http://:9000", "log.level": "WARN"}})
    assert (
        made.properties["listeners"] == "http://:8083,http://:9000"
        and made.properties["log.level"] == "WARN"
    )


def test_connectors_can_read_their_secrets_and_no_others(examples):
    made = examples["connectors"]
    for name in ("dir", "file"):
        assert (
            made.properties[f"config.providers.{name}.param.allowed.paths"] == "/etc/sluice/secrets"
        )
    assert made.properties["config.providers.env.param.allowlist.pattern"] == "MQTT_.*"
    mounts = {one["name"]: one["mountPath"] for one in made.worker["volumeMounts"]}
    assert (
        mounts["mqtt"] == "/etc/sluice/secrets/mqtt"
        and mounts["mqtt-tls"] == "/etc/sluice/secrets/mqtt-tls"
    )
    assert mounts["secret-other-broker"] == "/etc/sluice/secrets/other-broker"
    secured = examples["secured"]
    mounts = [one["mountPath"] for one in secured.worker["volumeMounts"]]
    assert {
        "/etc/sluice/worker/kafka-ca",
        "/etc/sluice/worker/kafka-tls",
        "/etc/sluice/worker/rest-tls",
    } <= set(mounts)
    assert not [one for one in mounts if one.startswith("/etc/sluice/secrets")]


def test_folders_that_config_providers_may_read_exist():
    assert "config.providers" not in release().properties


def test_files_that_properties_name_are_mounted(examples):
    for made in examples.values():
        folders = [one["mountPath"] + "/" for one in made.worker["volumeMounts"]]
        named = re.findall(
            r"/etc/sluice/(?:worker|connectors|config)[^\s,]*", "\n".join(made.properties.values())
        )
        for path in named + made.worker["args"]:
            assert (path + "/").startswith(tuple(folders)), path
        for volume in made.pod["spec"]["volumes"]:
            for item in volume.get("secret", {}).get("items", []):
                assert item["key"] and item["path"]


def test_kafka_security_reaches_all_clients():
    values = {
        "kafka": {
            "securityProtocol": "SASL_SSL",
            "sasl": {"mechanism": "PLAIN", "existingSecret": "s"},
            "tls": {"caSecret": "c", "verifyHostname": False},
        }
    }
    made = release(values)
    for prefix in ("", "producer.", "consumer."):
        assert made.properties[prefix + "security.protocol"] == "SASL_SSL"
        assert made.properties[prefix + "sasl.mechanism"] == "PLAIN"
        assert made.properties[prefix + "ssl.endpoint.identification.algorithm"] == ""
        variable = f"CONNECT_{prefix.upper().replace('.', '_')}SASL_PASSWORD"
        assert made.env[variable] == {"secretKeyRef": {"name": "s", "key": "password"}}


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "producer.sasl.jaas.config",
        "ssl.keystore.key",
        "some.api_key",
        "x.oauth-token",
    ],
)
def test_written_out_secrets_are_refused(key):
    refused({"config": {key: "canary"}}, f"config: {key} is a secret", "CONNECT_")
    said = refused(
        {"connectors": {"c": {"connector.class": "MqttSource", key: "canary"}}},
        "connectors.c",
        key,
        "${dir:",
    )
    assert "canary" not in said
    allowed = {
        "connectors": {"c": {"connector.class": "MqttSource", key: "${env:X}"}},
        "config": {key: "${env:X}"},
    }
    assert release(allowed).properties[key] == "${env:X}"


def test_names_that_only_look_like_secrets_are_taken():
    values = {
        "config": {
            "rest.auth.password.file": "/x",
            "sasl.oauthbearer.token.endpoint.url": "https://x",
        }
    }
    assert release(values).properties["rest.auth.password.file"] == "/x"


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda path: path.name.removesuffix("-values.yaml")
)
def test_the_worker_takes_the_properties(example, examples, tmp_path):
    """The worker itself judges the rendered file, with files in the place of mounted secrets."""
    made = examples[example.name.removesuffix("-values.yaml")]
    certificate = _certificate(tmp_path)
    for folder in {
        one["mountPath"]
        for one in made.worker["volumeMounts"]
        if one["mountPath"].startswith("/etc/sluice/")
    }:
        inside = tmp_path / folder.removeprefix("/etc/sluice/")
        inside.mkdir(parents=True, exist_ok=True)
        for name in ("ca.crt", "tls.crt", "tls.key", "combined.pem"):
            (inside / name).write_text(certificate)
        (inside / "users").write_text(
            "ann:$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n"
        )
    (tmp_path / "worker.properties").write_text(
        made.properties_file.replace("/etc/sluice/", f"{tmp_path}/")
    )
    variables = {
        name: value if isinstance(value, str) else "10.0.0.1" for name, value in made.env.items()
    }
    done = subprocess.run(
        [_worker(), "--check", tmp_path / "worker.properties"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    unknown = [line for line in done.stderr.splitlines() if "CONFIG-UNKNOWN-KEY" in line]
    assert not unknown


def _worker():
    worker = os.environ.get("SLUICE_WORKER")
    if not worker or not pathlib.Path(worker).exists():
        pytest.skip("no worker is built: SLUICE_WORKER names none")
    return worker


def _certificate(folder):
    """A certificate that signs itself, and its key."""
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=sluice",
            "-keyout",
            folder / "k",
            "-out",
            folder / "c",
        ],
        check=True,
        capture_output=True,
    )
    return (folder / "c").read_text() + (folder / "k").read_text()


# Network


def test_rest_tls_with_separate_files_and_with_one():
    made = release(NO_PASSWORDS)
    assert made.properties["listeners"] == "https://:8083"
    chain = made.env["CONNECT_LISTENERS_HTTPS_SSL_KEYSTORE_CERTIFICATE_CHAIN"]
    assert chain == {"secretKeyRef": {"name": "t", "key": "tls.crt"}}
    made = release(merged(NO_PASSWORDS, nested("rest.tls.combinedKey", "both.pem")))
    assert (
        made.properties["listeners.https.ssl.keystore.location"]
        == "/etc/sluice/worker/rest-tls/combined.pem"
    )
    assert not [name for name in made.env if "KEYSTORE" in name]
    assert made.one("Service")["spec"]["ports"][0]["appProtocol"] == "https"


def test_rest_passwords():
    made = release({"rest": {"auth": {"existingSecret": "u"}}})
    assert (
        made.properties["rest.auth.type"] == "basic"
        and made.properties["rest.auth.open.paths"] == "/health,/metrics"
    )
    made = release({"rest": {"auth": {"existingSecret": "u", "openMetrics": False}}})
    assert made.properties["rest.auth.open.paths"] == "/health"


def test_network_policy_lets_pods_of_the_release_reach_each_other():
    labels = release().workload["spec"]["selector"]["matchLabels"]
    own = {"podSelector": {"matchLabels": labels}}
    release_s = {
        "podSelector": {
            "matchLabels": {
                name: value for name, value in labels.items() if not name.endswith("component")
            }
        }
    }
    peer = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
    policy = release(
        {"networkPolicy": {"enabled": True, "ingressFrom": [peer], "egress": {"enabled": True}}}
    ).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"][0]["from"] == [peer, release_s]
    assert {"ports": [{"port": "rest", "protocol": "TCP"}], "to": [own]} in policy["egress"]
    assert (
        "from"
        not in release({"networkPolicy": {"enabled": True}}).one("NetworkPolicy")["spec"][
            "ingress"
        ][0]
    )


def test_routes_lead_to_the_service(examples):
    made = examples["everything"]
    backends = [
        path["backend"]["service"]["name"]
        for rule in made.one("Ingress", "bridge")["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert set(backends) == {"bridge"}
    (rule,) = made.one("HTTPRoute", "bridge")["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "bridge", "port": 80}] and rule["matches"]


# Scaling and disruptions


def test_hpa_has_resources_first_and_then_what_is_given(examples):
    metrics = examples["autoscaled"].one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [one.get("resource", {}).get("name") for one in metrics] == ["cpu", "memory", None]
    assert metrics[2]["pods"]["metric"]["name"] == "sluice_records_in_per_second"


def test_keda_triggers(examples):
    spec = examples["keda"].one("ScaledObject")["spec"]
    assert [one["type"] for one in spec["triggers"]] == ["kafka", "prometheus", "metrics-api", "cron"]
    assert spec["triggers"][0]["metadata"]["consumerGroup"] == "connect-commands"
    assert spec["triggers"][0]["metadata"]["lagThreshold"] == "10000"
    assert 'namespace="bridges"' in spec["triggers"][1]["metadata"]["query"]
    assert (
        spec["minReplicaCount"] == 0 and spec["advanced"]["restoreToOriginalReplicaCount"] is False
    )


@pytest.mark.parametrize(
    "values, there",
    [
        ({}, True),
        ({"replicas": 1}, False),
        ({"replicas": None}, True),
        ({"externalAutoscaler": True}, True),
        ({"autoscaling": {"enabled": True}}, True),
        ({"podDisruptionBudget": {"enabled": False}}, False),
    ],
)
def test_disruption_budget_stands_unless_there_is_one_worker(values, there):
    assert release(values).has("PodDisruptionBudget") == there


def test_disruption_budget_by_least_pods():
    spec = release({"podDisruptionBudget": {"minAvailable": "50%"}}).one("PodDisruptionBudget")[
        "spec"
    ]
    assert spec["minAvailable"] == "50%" and "maxUnavailable" not in spec


# What does not go together


@pytest.mark.parametrize(
    "values, words",
    [
        (nested("kafka.bootstrapServers", ""), ["kafka.bootstrapServers is empty", "--set"]),
        (nested("kafka.securityProtocol", "SASL_SSL"), ["kafka.sasl.existingSecret"]),
        (
            {"kafka": {"securityProtocol": "SASL_SSL", "sasl": {"existingSecret": "s"}}},
            ["kafka.sasl.mechanism is empty"],
        ),
        (nested("kafka.sasl.existingSecret", "s"), ["kafka.securityProtocol is PLAINTEXT"]),
        (nested("kafka.tls.caSecret", "s"), ["kafka.securityProtocol is PLAINTEXT"]),
        (nested("rest.advertise", "podName"), ["kind to StatefulSet"]),
        (nested("rest.tls.enabled", True), ["rest.tls.existingSecret"]),
        (
            {"rest": {"tls": {"enabled": True, "existingSecret": "t"}}},
            ["*.sluice-workers.bridges.svc", "verifyWorkers to false"],
        ),
        (
            merged(NO_PASSWORDS, {"rest": {"tls": {"clientAuth": "requested", "caKey": ""}}}),
            ["rest.tls.caKey"],
        ),
        (
            {
                "autoscaling": {"enabled": True},
                "keda": {"enabled": True, "triggers": [{"type": "cpu"}]},
            },
            ["only one can own"],
        ),
        (
            {"autoscaling": {"enabled": True, "minReplicas": 9}},
            ["autoscaling.minReplicas is 9, more than"],
        ),
        (
            {"autoscaling": {"enabled": True, "maxReplicas": 65}},
            ["65 workers", "internalTopics.slots is 64"],
        ),
        ({"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": None}}, ["no metric"]),
        ({"replicas": 5, "internalTopics": {"slots": 4}}, ["5 workers"]),
        (
            {"connectors": {"a": {"connector.class": "X"}}, "connectorFiles": {"enabled": False}},
            ["connectorFiles.enabled"],
        ),
        (
            {"connectors": {"a": {"config": {"connector.class": "X", "mqtt.password": "p"}}}},
            ["connectors.a", "mqtt.password"],
        ),
        ({"keda": {"enabled": True}}, ["no trigger"]),
        ({"keda": {"enabled": True, "kafkaLag": {"enabled": True}}}, ["keda.kafkaLag.connector"]),
        (
            {"keda": {"enabled": True, "prometheus": {"enabled": True}}},
            ["keda.prometheus.serverAddress"],
        ),
        ({"httpRoute": {"enabled": True}}, ["httpRoute.parentRefs"]),
        (
            {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
            ["read twice"],
        ),
        (
            {
                "rest": {"auth": {"existingSecret": "u", "openMetrics": False}},
                "metrics": {"podMonitor": {"enabled": True}},
            },
            ["metrics.podMonitor.basicAuth"],
        ),
    ],
    ids=lambda value: value[0][:40] if isinstance(value, list) else "",
)
def test_what_does_not_go_together_is_refused(values, words):
    refused(values, *words)


# Both versions of Helm


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda path: path.name.removesuffix("-values.yaml")
)
def test_lint_is_clean(program, example):
    done = helm("lint", "--strict", CHART, "-f", example, program=program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout


def test_helm_3_renders_the_same(examples):
    for path in EXAMPLES:
        done = template(example=path, program="helm3")
        assert done.returncode == 0, done.stderr
        name = path.name.removesuffix("-values.yaml")
        assert sorted(map(_key, parse(done.stdout))) == sorted(
            map(_key, examples[name].objects)
        ), name


def test_package_has_all_that_templates_need(program, examples, tmp_path):
    done = helm("package", CHART, "--destination", tmp_path, program=program)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("sluice-*.tgz")
    for name in ("autoscaled", "secured"):
        done = helm(
            "template",
            "sluice",
            package,
            "--namespace",
            NAMESPACE,
            "-f",
            CHART / "ci" / f"{name}-values.yaml",
            program=program,
        )
        assert sorted(map(_key, parse(done.stdout))) == sorted(map(_key, examples[name].objects))
    names = subprocess.run(
        ["tar", "tzf", package], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "sluice/README.md" in names and "sluice/README.head.md" not in names
    assert not [one for one in names if one.startswith("sluice/ci")]


def _key(one):
    return json.dumps(one, sort_keys=True)


def test_refusals_are_the_same_with_helm_3():
    assert "kafka.bootstrapServers is empty" in refusal(
        nested("kafka.bootstrapServers", ""), program="helm3"
    )
    assert "replica" in refusal({"replica": 3}, program="helm3")


def notes(values):
    """Helm 3 renders them too, but shows them with a cluster only."""
    done = helm(
        "install",
        "sluice",
        CHART,
        "--namespace",
        NAMESPACE,
        "--dry-run=client",
        "-f",
        "-",
        stdin=json.dumps(merged(MINIMAL, values)),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("NOTES:")[1]


def test_notes_tell_the_next_commands():
    said = notes({})
    for command in (
        "rollout status deployment/sluice",
        "port-forward service/sluice 8083",
        "curl -s -X POST",
        "--set replicas=3",
        "--force-conflicts",
    ):
        assert command in said
    assert "has no passwords" in said
    said = notes(
        {
            "externalAutoscaler": True,
            "kind": "StatefulSet",
            "connectors": {"a": {"connector.class": "MqttSource"}},
        }
    )
    assert (
        "scale statefulset/sluice --replicas=3" in said
        and "as the values have them: a" in said
        and "POST" not in said
    )
    assert "get hpa sluice" in notes({"autoscaling": {"enabled": True}})
