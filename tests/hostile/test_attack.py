# SPDX-License-Identifier: Apache-2.0
"""Broken HTTP over raw sockets: the server goes on, says of bad input that it is bad, keeps its
connectors, and neither grows nor leaks."""

import urllib.parse

from hostile.attack import Attack, make_case

# What the worker may grow by while it is attacked: buffers of connections, stored connectors, and
# what the sanitizer holds back.
GROWTH_KB = 120 * 1024


def test_cases_are_repeatable():
    for number in range(50):
        assert make_case(7, number) == make_case(7, number)
    assert make_case(7, 1) != make_case(8, 1)


def test_broken_requests_break_nothing(server, seconds, seed):
    url = urllib.parse.urlsplit(server.worker.url)
    address = (url.hostname, url.port)
    # What the first requests of each kind make the worker allocate is no growth.
    Attack(address, f"{seed}-first", seconds=max(1, seconds // 8)).run()
    before = server.worker.rss_kb()
    attack = Attack(address, seed, seconds=seconds).run()
    after = server.worker.rss_kb()
    print(
        f"{attack.sent} cases, codes {dict(sorted(attack.codes.items()))}, {before} -> {after} kB"
    )
    assert not attack.wrong, attack.wrong[:5]
    assert attack.sent > 20 * seconds
    assert {"200", "201", "400", "404", "405"} <= set(attack.codes)
    server.check_alive()
    assert after - before < GROWTH_KB
    server.delete_all()
    server.end()
