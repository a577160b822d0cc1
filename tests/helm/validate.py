# SPDX-License-Identifier: Apache-2.0
"""Judges objects by the schemas of Kubernetes' API and of other projects: no unknown field passes.

Reads JSON {"objects": [...], "versions": ["1.30", ...], "crds": folder}, writes a list with an
error, or null, for each object. A program of its own, since its libraries need newer versions of
others than those that pytest runs with.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def close(schema):
    """Forbids fields that the schema does not name, as the API server does in its strict mode."""
    if schema.get("x-kubernetes-int-or-string"):
        schema["type"] = ["integer", "string"]
    for inner in schema.get("properties", {}).values():
        close(inner)
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            close(inner)
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)


def definitions(folder):
    """JSON schema by apiVersion and kind."""
    made = {}
    for path in pathlib.Path(folder).glob("*.yaml"):
        with open(path, encoding="utf-8") as file:
            crd = yaml.load(file, Loader=LOADER)
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
            }
            close(schema)
            made[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = schema
    return made


def judge(one, versions, known):
    schema = known.get((one["apiVersion"], one["kind"]))
    try:
        if schema:
            jsonschema.Draft7Validator(schema).validate(one)
        for version in [] if schema else versions:
            kubernetes_validate.validate(one, version, strict=True)
    except Exception as error:  # pylint: disable=broad-except
        return f"{one['kind']} {one['metadata'].get('name')}: {str(error)[:400]}"
    return None


def main():
    asked = json.load(sys.stdin)
    known = definitions(asked["crds"])
    json.dump([judge(one, asked["versions"], known) for one in asked["objects"]], sys.stdout)


if __name__ == "__main__":
    main()
