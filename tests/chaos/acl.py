# SPDX-License-Identifier: Apache-2.0
"""A Kafka that asks workers for a password and allows them only what it was told to."""

from lab import Kafka, free_port

USER, PASSWORD = "sluice", "a-password-for-tests"
JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required"

# Tests come in by the plain listener as a super user; workers by the other one.
SECURE = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "inter.broker.listener.name": "PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.secure.plain.sasl.jaas.config": f'{JAAS} user_{USER}="{PASSWORD}";',
}
RULES = (("topic", "*"), ("group", "*"), ("cluster", "kafka-cluster"), ("transactional id", "*"))


def secure_kafka(lab, host, heap):
    """Starts such a Kafka; returns it and the properties of its workers, who may do everything."""
    kafka = Kafka(lab.folder, name=lab.unique("kafka"), host=host, heap=heap, settings=SECURE)
    door = f"{host}:{free_port()}"
    kafka.settings["listeners"] += f",SECURE://{door}"
    kafka.settings["advertised.listeners"] += f",SECURE://{door}"
    kafka.settings["listener.security.protocol.map"] += ",SECURE:SASL_PLAINTEXT"
    kafka.write_config()
    lab.parts.append(kafka)
    kafka.start()
    for resource, name in RULES:
        kafka.add_rule(resource, name, USER, "all", "allow")
    login = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": f'{JAAS} username="{USER}" password="{PASSWORD}";',
    }
    # As in Connect, what connectors use is configured by itself.
    prefixes = ("", "producer.", "consumer.", "admin.")
    properties = {f"{prefix}{key}": value for prefix in prefixes for key, value in login.items()}
    return kafka, {"bootstrap.servers": door, **properties}
