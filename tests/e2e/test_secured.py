# SPDX-License-Identifier: Apache-2.0
"""A release in which everything that crosses the network is encrypted and asks who is there.

Kafka by SASL_SSL with client certificates, MQTT by TLS with a password, REST by https with client
certificates and passwords, where workers check each other's certificates. All of it comes from secrets that the
values only name.
"""

import base64
import http.client
import json
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

# pylint: disable=import-error,redefined-outer-name
from e2e.conftest import TAGS
from e2e.release import Release
from integration.certificates import Authority
from lab import Kafka, find_program, free_port, request, wait_until

pytestmark = pytest.mark.timeout(600)
NAME = "guarded"
KAFKA_USER, KAFKA_PASSWORD = "bridge", "kafka canary;=8"
MQTT_USER, MQTT_PASSWORD = "ann", "mqtt-canary-8"
REST_USER, REST_PASSWORD = "ops", "rest-canary-8"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
CANARY = "canary"
MESSAGES = 100


class SecuredKafka(Kafka):
    """Pods reach it by SASL_SSL, the lab's own tools in the clear on loopback."""

    def __init__(self, folder, outside, store, authority, name):
        super().__init__(folder, name=name)
        self.secured = f"{outside}:{free_port()}"
        login = f'{PLAIN} required user_{KAFKA_USER}="{KAFKA_PASSWORD}";'
        for key in ("listeners", "advertised.listeners"):
            self.settings[key] += f",SASL_SSL://{self.secured}"
        self.settings.update(
            {
                "listener.security.protocol.map": self.settings["listener.security.protocol.map"]
                + ",SASL_SSL:SASL_SSL",
                "inter.broker.listener.name": "PLAINTEXT",
                "sasl.enabled.mechanisms": "PLAIN",
                "listener.name.sasl_ssl.plain.sasl.jaas.config": login,
                "ssl.client.auth": "required",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": store,
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": authority,
            }
        )
        self.write_config()


@pytest.fixture(scope="module")
def authority(lab):
    return Authority(lab.folder / "authority")


@pytest.fixture(scope="module")
def kafka(lab, node, authority):
    store = authority.issue("kafka", f"IP:{node.host}")
    made = SecuredKafka(lab.folder, node.host, store, authority.pem, lab.unique("kafka"))
    lab.parts.append(made)
    return made.start()


@pytest.fixture(scope="module")
def mosquitto(lab, node, authority):
    """Over TLS on the node's address; its URI is in `pods`."""
    port = free_port()
    authority.issue("mosquitto", f"IP:{node.host}")
    folder = authority.folder
    made = lab.mosquitto(
        users={MQTT_USER: MQTT_PASSWORD},
        settings={
            "listener": f"{port} {node.host}",
            "cafile": authority.pem,
            "certfile": folder / "mosquitto.crt",
            "keyfile": folder / "mosquitto.key",
        },
    )
    made.pods = f"ssl://{node.host}:{port}"
    return made


def make_secrets(node, authority):
    folder = authority.folder
    hashed = subprocess.run(
        [find_program(), "--hash-password"],
        input=f"{REST_PASSWORD}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "users").write_text(f"{REST_USER}:{hashed.stdout}")
    workers = (
        f"DNS:*.{NAME}-sluice-workers.{node.namespace}.svc,DNS:{NAME}-sluice.{node.namespace}.svc"
    )
    authority.issue("rest", workers)
    authority.issue("client", "DNS:client")
    secrets = {
        "kafka-login": {"username": KAFKA_USER, "password": KAFKA_PASSWORD},
        "mqtt-login": {"username": MQTT_USER, "password": MQTT_PASSWORD},
        "authority": {"ca.crt": authority.pem.read_text()},
        "kafka-client": {
            "tls.crt": (folder / "client.crt").read_text(),
            "tls.key": (folder / "client.key").read_text(),
        },
        "rest-tls": {
            "both.pem": (folder / "rest.pem").read_text(),
            "ca.crt": authority.pem.read_text(),
        },
        "rest-users": {"users": (folder / "users").read_text()},
    }
    for name, data in secrets.items():
        one = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        node.kubectl("apply", "-f", "-", stdin=json.dumps(one))


def values(image, kafka, mosquitto):
    config = {
        "connector.class": "MqttSource",
        "tasks.max": 2,
        "mqtt.server.uri": mosquitto.pods,
        "mqtt.topics": "guarded/#",
        "kafka.topic": "guarded",
        "mqtt.username": "${dir:/etc/sluice/secrets/mqtt:username}",
        "mqtt.password": "${dir:/etc/sluice/secrets/mqtt:password}",
        "mqtt.ssl.trust.store.path": "/etc/sluice/secrets/mqtt-tls/ca.crt",
    }
    return {
        "kind": "StatefulSet",
        "image": {"repository": image, "tag": TAGS[0]},
        "internalTopics": {"replicationFactor": 1},
        "kafka": {
            "bootstrapServers": kafka.secured,
            "securityProtocol": "SASL_SSL",
            "sasl": {"mechanism": "PLAIN", "existingSecret": "kafka-login"},
            "tls": {"caSecret": "authority", "certSecret": "kafka-client"},
        },
        "rest": {
            "advertise": "podName",
            "tls": {
                "enabled": True,
                "existingSecret": "rest-tls",
                "combinedKey": "both.pem",
                "clientAuth": "required",
            },
            "auth": {"existingSecret": "rest-users", "openMetrics": False},
        },
        "mqtt": {"auth": {"existingSecret": "mqtt-login"}, "tls": {"existingSecret": "authority"}},
        "networkPolicy": {"enabled": True, "egress": {"enabled": True}},
        "connectors": {"guarded": config},
    }


def trusting(authority):
    context = ssl.create_default_context(cafile=authority.pem)
    context.check_hostname = False
    return context


class Guarded(Release):
    """The release, asked over https with a password."""

    def __init__(self, node, kafka, mosquitto, authority):
        super().__init__(node, kafka, mosquitto, mosquitto.pods)
        self.trust = trusting(authority)
        self.trust.load_cert_chain(authority.folder / "client.pem")

    def pods(self):
        return self.node.get(
            "pods", "-l", f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=worker"
        )["items"]

    def call(self, address, path, user=True, method="GET", body=None):
        """Status and text of one request to a pod."""
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        url = f"https://{address}:8083"
        if user:
            passwords.add_password(None, url, REST_USER, REST_PASSWORD, is_authenticated=True)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self.trust),
            urllib.request.HTTPBasicAuthHandler(passwords),
        )
        wanted = urllib.request.Request(
            url + path, method=method, data=json.dumps(body).encode() if body else None
        )
        wanted.add_header("Content-Type", "application/json")
        try:
            with opener.open(wanted, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def guarded(node, kafka, mosquitto, authority, image):
    make_secrets(node, authority)
    path = node.folder / "guarded.json"
    path.write_text(json.dumps(values(image, kafka, mosquitto)))
    made = Guarded(node, kafka, mosquitto, authority)
    done = node.run(
        "helm",
        "install",
        NAME,
        "helm/sluice",
        "-f",
        path,
        "--wait",
        "--timeout",
        "120s",
        check=False,
    )
    assert done.returncode == 0, done.stderr + made.tails()
    yield made
    node.run("helm", "uninstall", NAME, "--wait")


def test_workers_check_each_other_and_everybody_else(guarded):
    addresses = guarded.addresses()
    assert len(addresses) == 2
    for address in addresses.values():
        assert guarded.call(address, "/health/ready", user=False)[0] == 200
        assert guarded.call(address, "/connectors", user=False)[0] == 401
        assert guarded.call(address, "/metrics", user=False)[0] == 401
        # One of the two follows, and passes the change on to the leader over https.
        config = {
            "connector.class": "MqttSource",
            "mqtt.server.uri": guarded.broker_uri,
            "mqtt.topics": "x/#",
            "kafka.topic": "x",
        }
        status, text = guarded.call(
            address, "/connectors/by-rest/config", method="PUT", body=config
        )
        assert status in (200, 201), text
    assert guarded.call(address, "/connectors/by-rest", method="DELETE")[0] == 204


def test_probes_need_no_certificate_and_get_nothing_else(guarded, authority):
    login = base64.b64encode(f"{REST_USER}:{REST_PASSWORD}".encode()).decode()
    for address in guarded.addresses().values():
        with pytest.raises((ssl.SSLError, OSError)):
            stranger = http.client.HTTPSConnection(address, 8083, context=trusting(authority), timeout=30)
            stranger.request("GET", "/health/ready")
            stranger.getresponse()
        assert request("GET", f"http://{address}:8084/health/ready").status == 200
        url = f"http://{address}:8084/connectors"
        assert request("GET", url).status == 401
        assert request("GET", url, headers={"Authorization": f"Basic {login}"}).status == 404


def test_messages_pass_from_mqtt_over_tls_to_kafka_over_tls(guarded, kafka, mosquitto):
    address = next(iter(guarded.addresses().values()))

    def running():
        status, text = guarded.call(address, "/connectors/guarded/status")
        return (
            status == 200
            and [task["state"] for task in json.loads(text)["tasks"]] == ["RUNNING"] * 2
        )

    wait_until(running, 60, lambda: f"the connector of the values to run\n{guarded.tails()}", 0.3)

    def connected():
        texts = [guarded.call(one, "/metrics")[1] for one in guarded.addresses().values()]
        lines = [
            line
            for text in texts
            for line in text.splitlines()
            if line.startswith("sluice_mqtt_connected{")
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines) == 2

    wait_until(connected, 60, lambda: f"two MQTT sessions\n{guarded.tails()}", 0.3)
    lines = "".join(f"m{number}\n" for number in range(MESSAGES))
    host, port = mosquitto.address.split(":")
    subprocess.run(
        [
            "mosquitto_pub",
            "-h",
            host,
            "-p",
            port,
            "-u",
            MQTT_USER,
            "-P",
            MQTT_PASSWORD,
            "-q",
            "1",
            "-t",
            "guarded/x",
            "-l",
        ],
        input=lines,
        text=True,
        check=True,
        timeout=60,
    )
    kafka.wait_count("guarded", MESSAGES)
    assert kafka.count("guarded") == MESSAGES


def test_the_release_checks_itself_over_https(guarded):
    done = guarded.node.run("helm", "test", NAME, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + guarded.tails()


def test_no_secret_is_in_logs_config_maps_or_the_pods(guarded):
    node = guarded.node
    told = [guarded.logs(pod["metadata"]["name"]) for pod in guarded.pods()]
    assert all(told)
    told += [
        node.kubectl("get", kind, "-o", "yaml").stdout
        for kind in ("configmap", "pods", "statefulset", "events")
    ]
    told += [node.run("helm", "get", "all", NAME).stdout]
    address = next(iter(guarded.addresses().values()))
    told += [
        guarded.call(address, path)[1]
        for path in ("/connectors?expand=info&expand=status", "/metrics", "/connector-files")
    ]
    for text in told:
        assert CANARY not in text
