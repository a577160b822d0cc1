# SPDX-License-Identifier: Apache-2.0
"""Broken HTTP over raw sockets: the server goes on, says of bad input that it is bad, keeps its
connectors, and neither grows nor leaks."""

import urllib.parse

from hostile.attack import Attack, endangers, judge, make_case

# What the worker may grow by while it is attacked: buffers of connections, stored connectors, and
# what the sanitizer holds back.
GROWTH_KB = 120 * 1024
# Answers that must be among those seen.
KINDS = {"200", "201", "400", "404", "405"}


def test_cases_are_repeatable():
    for number in range(50):
        assert make_case(7, number) == make_case(7, number)
    assert make_case(7, 1) != make_case(8, 1)


def test_answers_that_blame_the_server_are_noticed():
    assert judge(b"") is None
    assert judge(b"HTTP/1.1 400 Bad Request\r\n\r\n") is None
    assert judge(b"HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n") is None
    assert "500" in judge(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    assert "502" in judge(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 502 Bad\r\n\r\n")
    assert "no HTTP" in judge(b"\0\0\0")


def test_no_case_deletes_what_must_stay():
    assert endangers(b"DELETE /connectors/%6bept-one HTTP/1.1\r\n\r\n")
    for number in range(2000):
        assert not endangers(b"".join(make_case(1, number).pieces))


def test_broken_requests_break_nothing(impatient, effort, seed):
    server = impatient
    url = urllib.parse.urlsplit(server.worker.url)
    address = (url.hostname, url.port)
    # What the first requests of each kind make the worker allocate is no growth.
    Attack(address, f"{seed}-first", **effort(1 / 8)).run()
    before = server.worker.rss_kb()
    limit = effort()
    attack = Attack(address, seed, **limit).run()
    # What makes a connector is rare: in so few cases there may be none.
    while not KINDS <= set(attack.codes) and attack.sent < 3000:
        attack.go_on(100)
    after = server.worker.rss_kb()
    print(
        f"{attack.sent} cases, codes {dict(sorted(attack.codes.items()))}, {before} -> {after} kB"
    )
    assert not attack.wrong, attack.wrong[:5]
    assert attack.sent > 5 * limit.get("seconds", 5)
    assert KINDS <= set(attack.codes)
    server.check_alive()
    assert after - before < GROWTH_KB
    server.delete_all()
    server.end()
