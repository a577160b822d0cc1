# SPDX-License-Identifier: Apache-2.0
"""Names, races, and reads without a leader: what Connect does worse is shown on Sluice alone."""

import concurrent.futures
import json
import os
import random
import urllib.request
from urllib.parse import quote

import pytest

from contract.wire import encode, exchange
from lab import wait_until

NAMES = int(os.environ.get("SLUICE_NAMES", "40"))
CLIENTS = 50


@pytest.fixture(scope="module")
def seed():
    number = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {number}")
    return number


def ask(worker, method, target, body=None):
    """One request as it stands on the wire; `body` becomes JSON."""
    raw = None if body is None else json.dumps(body).encode()
    request = encode(method, target, f"127.0.0.1:{worker.port}", body=raw)
    return exchange(worker.port, request, method)


def random_name(rng):
    """Mostly awkward: separators, escapes, quotes, controls, anything of Unicode, any length."""
    alphabets = (
        "abc-_.~",
        "/\\%?#&=+;:,@!$'()*[]{}|^<> \"`",
        "%2F%25%00..%5C",
        "\u00e9\u20ac\u4e2d\u0130\u00df\u200b\u202e\ufeff",
        "\U0001f600\U0010fffd",
        "".join(map(chr, range(32))) + "\u007f\u0085\u009f",
    )
    weights = (6, 6, 3, 3, 1, 1)
    length = rng.choice((1, 1, 2, 3, 8, 40, 250, 3000))
    return "".join(
        rng.choice(rng.choices(alphabets, weights)[0]) for _ in range(rng.randint(1, length))
    )


def stopped(cluster, name):
    return {"name": name, "config": cluster.source_config(), "initial_state": "STOPPED"}


def test_every_name_that_is_accepted_can_be_read_changed_and_deleted(cluster, seed):
    made = cluster(2)
    rng = random.Random(seed)
    accepted = 0
    for number in range(NAMES):
        name = random_name(rng)
        answer = ask(made.workers[number % 2], "POST", "/connectors", stopped(made, name))
        assert answer.status in (201, 400), (name, answer)
        if answer.status == 400:
            continue
        accepted += 1
        kept = answer.body["name"]
        path = answer.headers["Location"].removeprefix(made.workers[number % 2].url)
        assert ask(made.workers[number % 2], "GET", path).body["name"] == kept, name
        other = made.workers[1 - number % 2]
        config = {**made.source_config(), "round": "2"}
        assert ask(other, "PUT", path + "/config", config).status == 200, name
        quoted = "/connectors/" + quote(kept, safe="")
        assert ask(other, "GET", quoted + "/config").body["round"] == "2", name
        assert ask(other, "DELETE", quoted).status == 204, name
        assert ask(other, "GET", quoted).status == 404, name
    assert accepted > NAMES // 3
    assert ask(made.rest, "GET", "/connectors").body == []


def test_one_create_of_a_name_wins_however_many_race(cluster):
    made = cluster(2)
    for attempt in range(3):
        name = f"race-{attempt}"
        body = stopped(made, name)

        def create(number, body=body):
            config = {**body["config"], "client": str(number)}
            return ask(made.workers[number % 2], "POST", "/connectors", {**body, "config": config})

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(create, range(CLIENTS)))
        won = [number for number, answer in enumerate(answers) if answer.status == 201]
        lost = [answer for answer in answers if answer.status != 201]
        assert len(won) == 1, answers
        assert {(a.status, a.message) for a in lost} == {(409, f"Connector {name} already exists")}
        for worker in made.workers:
            path = f"/connectors/{name}/config"
            wait_until(lambda: ask(worker, "GET", path).status == 200, 10, f"{name} on {worker.name}")
            assert ask(worker, "GET", path).body["client"] == str(won[0])


def test_texts_beyond_the_bmp_are_written_as_utf8(cluster):
    made = cluster(1)
    name = "grin \U0001f600"
    assert ask(made.rest, "POST", "/connectors", stopped(made, name)).status == 201
    with urllib.request.urlopen(made.rest.url + "/connectors") as answer:
        assert answer.read() == f'["{name}"]'.encode()


def leading(workers):
    return [worker for worker in workers if worker.metric_sum("sluice_worker_leader") == 1]


def test_reads_need_no_leader(cluster):
    # Who is left must not take its own claims for lost while it is asked.
    made = cluster(2, properties={"session.timeout.ms": "45000"})
    assert ask(made.rest, "POST", "/connectors", stopped(made, "c")).status == 201
    for worker in made.workers:
        path = "/connectors/c/status"
        wait_until(lambda: ask(worker, "GET", path).status == 200, 30, f"c on {worker.name}")
    leaders = wait_until(lambda: leading(made.workers), 30, "a leader")
    (left,) = [worker for worker in made.workers if worker not in leaders]
    # Without Kafka nobody can become the next leader.
    made.kafka.freeze()
    try:
        leaders[0].kill9()
        for path in ("", "/config", "/status", "/tasks"):
            assert ask(left, "GET", "/connectors/c" + path).status == 200
        assert not leading([left])
    finally:
        made.kafka.thaw()
