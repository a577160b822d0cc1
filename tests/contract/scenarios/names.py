# SPDX-License-Identifier: Apache-2.0
"""Names of connectors that need care in URLs."""

from urllib.parse import quote

from contract.steps import delete, get, gone, patch, post, put, source


def life(name, location=None, **options):
    """Create, read, change, delete under one name; `location` explains its Location, options what addresses it."""
    created = {"name": name, "config": source(), "initial_state": "STOPPED"}
    path = "/connectors/" + quote(name, safe="")
    return [
        post("/connectors", created, **(location or {})),
        get(path, **options),
        put(path + "/config", source(x="1"), **options),
        patch(path + "/config", {"x": "2"}, **options),
        get(path + "/config", **options),
        delete(path, **options),
        gone(quote(name, safe="")),
    ]


SCENARIOS = {
    name: life(name)
    for name in (
        "with space",
        "a?b=c",
        "a#b",
        "a->b",
        "a+b",
        "a&b=c",
        "a:b",
        "a,b",
        "a'b\"c",
        "[a]b",
        "a|b",
        "a*b$c!d(e)",
        "a@b~c^d`e",
        "@",
        "naïve",
        "名前",
        "a-0",
        "-1",
        "null",
        "...",
        "config",
    )
}
SCENARIOS["beyond the BMP"] = life("a\U0001f600b")
SCENARIOS["a;b"] = life("a;b", {
    "differs": "location",
    "sluice": lambda answer: answer.headers["Location"] == "@url/connectors/a%3Bb",
})
UNDELETABLE = {
    "a/b": "a%2Fb",
    "a%b": "a%25b",
    "a\\b": "a%5Cb",
}


def _stopped(name, **options):
    body = {"name": name, "config": source(), "initial_state": "STOPPED"}
    return post("/connectors", body, **options)


def _located(encoded):
    location = f"@url/connectors/{encoded}"
    return lambda answer: answer.status == 201 and answer.headers["Location"] == location


def _status(code):
    return lambda answer: answer.status == code


# Connect creates these and cannot delete them: they come last.
SCENARIOS["zz what Connect cannot delete"] = [
    _stopped("a/b", differs="location", sluice=_located("a%2Fb")),
    _stopped("a%b"),
    _stopped("a\\b"),
    _stopped("a{b}", differs="location", sluice=_located("a%7Bb%7D")),
    *[
        get(f"/connectors/{name}/config", differs="slashes", sluice=_status(200))
        for name in UNDELETABLE.values()
    ],
    *[
        delete(f"/connectors/{name}", differs="slashes", sluice=_status(204))
        for name in UNDELETABLE.values()
    ],
    delete("/connectors/a%7Bb%7D"),
    _stopped(".", differs="dots", sluice=(400, "Connector configuration is invalid")),
    _stopped("..", differs="dots", sluice=(400, "Connector configuration is invalid")),
]
