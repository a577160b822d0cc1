# SPDX-License-Identifier: Apache-2.0
"""PUT /connector-plugins/{plugin}/config/validate."""

from contract.steps import LEFT_OUT, errors, put, source

PATH = "/connector-plugins/@source/config/validate"
BAD = "bad-input"


def check(differs=(), sluice=None, **changes):
    """Validation of a source connector's config with these changes."""
    return put(PATH, source(name="v", **changes), differs=differs, sluice=sluice)


def bad_version(version):
    """A version of the connector that is not there: Connect's validate runs into a null."""
    text = ["Plugin @source not found that matches the version range"]
    return check(connector_plugin_version=version, differs="validate-version",
                 sluice=errors(connector_class=text, connector_plugin_version=text))


def bad_range(version, text):
    return check(connector_plugin_version=version, differs="validate-version",
                 sluice=errors(connector_class=[text], connector_plugin_version=[text]))


def doubled(key, **changes):
    """A version of a converter that is not there, of a class that Connect counts twice."""
    text = ["Plugin @string not found that matches the version range"]
    return check(differs="doubled-version", sluice=errors(**{key: text, f"{key}_plugin_version": text}),
                 **changes)


SCENARIOS = {
    "requests": [
        put(PATH, source(name="v")),
        put("/connector-plugins/@sourceconnector/config/validate", source(name="v")),
        put("/connector-plugins/@sourceclass/config/validate", source(name="v")),
        put(PATH, source(name="v", connector_class="@sourceclass")),
        put(PATH, source(name="v", connector_class="@sourceconnector")),
        put(PATH, source()),
        put(PATH + "/", source(name="v")),
        put("/connector-plugins/Nope/config/validate", source(name="v")),
        put("/connector-plugins/ource/config/validate", source(name="v")),
        put("/connector-plugins/@source/config/validate?forward=false", source(name="v")),
        put(PATH, {}, differs="validate-class", sluice=(400, "Connector config {} contains no connector type")),
        put(PATH, {"connector.class": "x.Nope"}),
        put("/connector-plugins/Nope/config/validate", {"connector.class": "x.Nope"},
            differs="validate-class", sluice=(400, "Failed to find any class that implements Connector")),
        put(PATH, b"", differs=BAD, sluice=(400, "Request body is missing")),
        put(PATH, b"{", differs=BAD, sluice=(400, "Request body is not valid JSON")),
        put(PATH, b"[]", differs=BAD, sluice=(400, "Cannot deserialize")),
        put(PATH, b"null", differs=BAD, sluice=(400, "Cannot deserialize")),
        put(PATH, {"a": {}}, differs=BAD, sluice=(400, "")),
    ],
    "framework keys": [
        check(tasks_max=0),
        check(tasks_max="x"),
        check(tasks_max=" 3 "),
        check(tasks_max=None),
        check(tasks_max="2147483648"),
        check(tasks_max="0x10"),
        check(tasks_max="+3"),
        check(tasks_max="1.0"),
        check(tasks_max=LEFT_OUT),
        check(tasks_max_enforce="FALSE"),
        check(tasks_max_enforce="no"),
        check(tasks_max_enforce=""),
        check(errors_tolerance="ALL"),
        check(errors_tolerance=" all "),
        check(errors_tolerance=None),
        check(errors_retry_timeout="-5"),
        check(errors_retry_timeout="1e3"),
        check(errors_retry_timeout=None),
        check(errors_retry_delay_max_ms="9223372036854775808"),
        check(errors_retry_delay_max_ms="-1"),
        check(errors_log_enable="True"),
        check(errors_log_enable=" true "),
        check(config_action_reload="none"),
        check(config_action_reload="NONE"),
        check(config_action_reload=""),
        check(exactly_once_support="REQUESTED"),
        check(exactly_once_support="required"),
        check(exactly_once_support="x"),
        check(exactly_once_support=None),
        check(transaction_boundary="Interval"),
        check(transaction_boundary="connector"),
        check(transaction_boundary="x"),
        check(transaction_boundary_interval_ms="-1"),
        check(transaction_boundary_interval_ms="5"),
        check(transaction_boundary_interval_ms="x"),
        check(offsets_storage_topic=""),
        check(offsets_storage_topic="o"),
        check(unknown="1"),
        check(unknown=None, other=None),
        put(PATH, source(name="")),
        put(PATH, source(name=" v ")),
        put(PATH, source(name="a\tb\u0001c")),
        put(PATH, source(name="a\u0000c"), differs=BAD, sluice=(400, "Request body is not valid")),
        check(tasks_max="10001", differs="tasks-limit",
              sluice=errors(tasks_max=["Invalid value 10001 for configuration tasks.max: Value must be no"])),
        check(tasks_max="auto", differs="tasks-auto", sluice=errors()),
        put(PATH, source(name=None)),
    ],
    "versions": [
        check(connector_plugin_version=version)
        for version in ("@version", "[@version]", "[0,)", "latest", " @version ", None,
                        "(,0.0.1],[0.1,)")
    ]
    + [bad_version(version) for version in ("", "99", "[99,]", "1,2", "[7,8],[9,10]")]
    + [
        bad_range("[1,", "Unbounded range: [1,"),
        bad_range("[2,1]", "Range defies version ordering: [2,1]"),
        bad_range("(1)", "Single version must be surrounded by []: (1)"),
        bad_range("[1,3],[2,4]", "Ranges overlap: [1,3],[2,4]"),
    ],
    "versions of converters": [
        check(key_converter_plugin_version="4.1.1"),
        check(key_converter_plugin_version="[4,5)"),
        check(key_converter_plugin_version="3.9.0"),
        check(key_converter="@string", key_converter_plugin_version="4.1.1"),
        doubled("key_converter", key_converter="@string", key_converter_plugin_version="3.9.0"),
        check(value_converter="@string", value_converter_plugin_version="[1,"),
        doubled("header_converter", header_converter="@string", header_converter_plugin_version="1"),
        check(header_converter="@simple", header_converter_plugin_version="1"),
    ],
    "converters": [
        check(key_converter="@string"),
        check(key_converter="StringConverter"),
        check(key_converter="String"),
        check(key_converter="@string", value_converter="@string", header_converter="@string"),
        check(value_converter="@string", value_converter_converter_encoding="UTF-8"),
        check(value_converter_converter_encoding="UTF-8"),
        check(key_converter="@string", key_converter_nope="1"),
        check(key_converter="@bytes"),
        check(header_converter="@simple"),
        check(header_converter="@bytes"),
        check(key_converter="@simple"),
        check(key_converter="x.Nope"),
        check(key_converter=""),
        check(key_converter=" @string ", differs="java-texts", sluice=errors(
            key_converter=["Invalid value  @string  for configuration key.converter: Class"])),
        check(key_converter=None),
        check(key_converter="java.lang.String", differs="java-classes", sluice=errors(
            key_converter=["Invalid value java.lang.String for configuration key.converter: Class"])),
        check(header_converter="x.Nope"),
    ],
    "json converter": [
        check(key_converter="@json"),
        check(value_converter="@json", value_converter_schemas_enable="false"),
        check(value_converter="@json", value_converter_schemas_enable="maybe"),
        check(value_converter="@json", value_converter_schemas_cache_size="-1"),
        check(value_converter="@json", value_converter_decimal_format="numeric"),
        check(value_converter="@json", value_converter_decimal_format="x"),
        check(header_converter="@json"),
        check(key_converter="@json", value_converter="@json"),
    ],
    "topic creation": [
        check(topic_creation_groups="g", differs="topic-creation", sluice=errors(
            topic_creation_default_partitions=["Missing required configuration"],
            topic_creation_default_replication_factor=["Missing required configuration"],
            topic_creation_g_include=["Missing required configuration"])),
        check(topic_creation_groups="g,g"),
        check(topic_creation_default_partitions="1", topic_creation_default_replication_factor="1"),
        check(topic_creation_default_partitions="1", differs="topic-creation", sluice=errors(
            topic_creation_default_replication_factor=["Missing required configuration"])),
        check(topic_creation_default_partitions="0", topic_creation_default_replication_factor="-1",
              differs="topic-creation", sluice=errors(topic_creation_default_partitions=[
                  "Invalid value 0 for configuration topic.creation.default.partitions: Number of"])),
        check(topic_creation_groups="g", topic_creation_g_include="a.*",
              topic_creation_default_partitions="1", topic_creation_default_replication_factor="-1"),
    ],
    "client overrides": [
        check(producer_override_linger_ms="5", differs="override", sluice=errors()),
        check(producer_override_linger_ms="5", producer_override_compression_type="lz4",
              differs="override", sluice=errors()),
        check(producer_override_nope="1"),
        check(producer_override_linger_ms="x", differs="override", sluice=errors(
            producer_override_linger_ms=["Invalid value x for configuration linger.ms"])),
        check(producer_override_acks="bogus", differs="override", sluice=errors(
            producer_override_acks=["Invalid value bogus for configuration acks"])),
        check(consumer_override_max_poll_records="1"),
        check(admin_override_retries="1"),
        check(producer_override_linger_ms=None, differs="override", sluice=errors(
            producer_override_linger_ms=["Null value can not be supplied"])),
    ],
}
