# SPDX-License-Identifier: Apache-2.0
"""/connector-plugins: the list and the definitions."""

from contract.steps import get

PACKAGE = "org.apache.kafka.connect."

SCENARIOS = {
    "definitions": [
        get("/connector-plugins/@source/config"),
        get("/connector-plugins/@sourceconnector/config"),
        get("/connector-plugins/@sourceclass/config"),
        get("/connector-plugins/@source/config/"),
        get("/connector-plugins/@source/config?version=@version"),
        get("/connector-plugins/@source/config?version=latest"),
        get("/connector-plugins/nope/config"),
        get("/connector-plugins/no.such.Class/config"),
        get(
            "/connector-plugins/java.lang.String/config",
            differs="no-plugin",
            sluice=(404, "Unknown plugin java.lang.String."),
        ),
        get("/connector-plugins/x%20y/config"),
    ],
    "versions": [
        get(f"/connector-plugins/@source/config?version={version}", **options)
        for version, options in {
            "": {},
            "%20": {},
            "@version": {},
            "%5B@version%5D": {},
            "%5B@version,@version%5D": {},
            "%5B0,%29": {},
            "%280,99%29": {},
            "%28,99%5D": {},
            "%28,%29": {},
            "%5B7,8%5D,%5B0.0.1,6%5D": {},
            "9": {},
            "99": {},
            "%5B99%5D": {},
            "%5B99,%29": {},
            "%28@version,9%29": {},
            "%28,0.0.1%29": {},
            "%5B7,8%5D": {},
            "%5B7,8%29,%289,%29": {},
            "9-SNAPSHOT": {},
            "LATEST": {},
            "abc": {},
            "%5B1,": {},
            "%5B2,1%5D": {},
            "1,2": {},
            "%281%29": {},
            "%5B1,2%5D,": {},
            "%5B1,2%5D,%5B1.5,3%5D": {},
            "%5B1,2%5Dx": {},
            "%29": {},
        }.items()
    ],
    "definitions of converters": [
        get(f"/connector-plugins/{PACKAGE}{name}/config")
        for name in (
            "storage.StringConverter",
            "storage.SimpleHeaderConverter",
            "converters.ByteArrayConverter",
            "converters.BooleanConverter",
            "converters.IntegerConverter",
            "json.JsonConverter",
        )
    ]
    + [
        get("/connector-plugins/StringConverter/config"),
        get("/connector-plugins/Json/config"),
        get("/connector-plugins/JsonConverter/config?version=4.1.1"),
        get(
            "/connector-plugins/JsonConverter/config?version=4.0.0",
            differs="doubled-version",
            sluice=(400, "Plugin @json not found that matches the version range [4.0.0,4.0.0]"),
        ),
        get("/connector-plugins/SimpleHeaderConverter/config?version=4.0.0"),
    ],
}
