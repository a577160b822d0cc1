# SPDX-License-Identifier: Apache-2.0
"""Many requests on many connections: all are answered, and nothing of them stays. How fast is for
tests/bench to say, on a machine that does nothing else."""

import json
import socket
import subprocess

from lab import wait_until

CONNECTORS = 100
CONNECTIONS = 64
REQUESTS = 10000
ROUNDS = 3
# From the second round on; allocators and the kernel's counting make RSS wander a little.
GROWTH_KB = 3072


def ask(load, worker, **named):
    argv = [load, "http", "--http", f"127.0.0.1:{worker.port}"]
    argv += [part for key, value in named.items() for part in (f"--{key}", str(value))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_ten_thousand_requests_on_sixty_four_connections_leave_nothing(cluster, load):
    made = cluster()
    worker = made.workers[0]
    names = [f"connector-{number:03}" for number in range(CONNECTORS)]
    for name in names:
        body = {"name": name, "config": made.source_config(), "initial_state": "STOPPED"}
        assert worker.post("/connectors", body).status == 201
    listed = worker.get("/connectors").body
    assert sorted(listed) == names
    # Clients that say nothing, or half of it, are there all the time.
    with_halves = []
    for number in range(30):
        peer = socket.create_connection(("127.0.0.1", worker.port))
        peer.sendall(b"GET /connectors HTTP/1.1\r\nHost: h\r\n"[:number])
        with_halves.append(peer)
    before = worker.open_files()
    sizes = []
    for _ in range(ROUNDS):
        found = ask(load, worker, path="/connectors", connections=CONNECTIONS, requests=REQUESTS)
        # What belongs to connections is freed when the server has seen them end.
        wait_until(lambda: worker.open_files() <= before, 30, "the connections to be closed")
        sizes.append(worker.rss_kb())
        assert found["requests"] == REQUESTS and found["unexpected"] == 0
        assert found["body_bytes"] == REQUESTS * len(json.dumps(listed, separators=(",", ":")))
    print(
        f"p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms, max {found['max_ms']} ms; kB {sizes}"
    )
    wait_until(
        lambda: worker.rss_kb() - min(sizes) < GROWTH_KB,
        10,
        lambda: f"memory to be as before: {sizes}, now {worker.rss_kb()} kB",
    )
    for peer in with_halves:
        peer.close()


def test_the_load_tool_notices_other_answers_and_a_server_that_is_gone(cluster, load):
    worker = cluster().workers[0]
    argv = [
        load,
        "http",
        "--http",
        f"127.0.0.1:{worker.port}",
        "--path",
        "/nix",
        "--requests",
        "10",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert json.loads(done.stdout)["unexpected"] == 10
    worker.stop()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "refused" in done.stderr
