# SPDX-License-Identifier: Apache-2.0
"""The driver's side of the conversation, for the Python clients: see tests/clients/README.md."""

import json
import sys


def serve(name, version, operations, status_of):
    """Answers one request a line until stdin ends.

    operations: name of an operation -> function that takes the request (a dict). status_of: the
    HTTP status in an exception of the client, None if it tells none.
    """
    print(json.dumps({"client": name, "version": version, "ops": sorted(operations)}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": True, "result": operations[request["op"]](request)}
        except Exception as error:  # pylint: disable=broad-except
            answer = {"ok": False, "status": status_of(error), "error": repr(error)}
        print(json.dumps(answer), flush=True)
