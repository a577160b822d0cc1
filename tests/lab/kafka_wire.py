# SPDX-License-Identifier: Apache-2.0
"""A few requests of Kafka's wire protocol, enough to make and look at topics, groups and access rules.

A Java tool takes a second to say what one request answers in a millisecond, and tests ask all
the time. Only versions without "flexible" encoding are used, all of them still served by Kafka 4.
One call is one connection; nothing is kept. Times are in seconds.
"""

import socket
import struct

from .proc import LabError

TOPIC_EXISTS, TOPIC_RESOURCE = 36, 2
METADATA, LIST_OFFSETS, DESCRIBE_GROUPS, API_VERSIONS = 3, 2, 15, 18
CREATE_TOPICS, DELETE_TOPICS, LIST_GROUPS, OFFSET_FETCH = 19, 20, 16, 9
FIND_COORDINATOR = 10
DESCRIBE_CONFIGS, DELETE_RECORDS, INIT_PRODUCER_ID, CREATE_ACLS, DELETE_ACLS = 32, 21, 22, 30, 31
ACL_RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional id": 5}
ACL_OPERATIONS = {"all": 2, "read": 3, "write": 4}
ACL_PERMISSIONS = {"deny": 2, "allow": 3}


class WireError(LabError):
    """Kafka answered with an error code, or not at all."""


def _string(text):
    if text is None:
        return struct.pack(">h", -1)
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def _array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class _Reader:
    def __init__(self, raw):
        self.raw = raw
        self.at = 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.raw, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0]

    def string(self):
        size = self.take("h")
        return None if size < 0 else self._bytes(size).decode()

    def blob(self):
        size = self.take("i")
        return b"" if size < 0 else self._bytes(size)

    def _bytes(self, size):
        self.at += size
        return self.raw[self.at - size : self.at]

    def array(self, read):
        return [read() for _ in range(max(self.take("i"), 0))]


def _receive(sock, size):
    raw = b""
    while len(raw) < size:
        piece = sock.recv(size - len(raw))
        if not piece:
            raise WireError("Kafka closed the connection")
        raw += piece
    return raw


def call(addresses, api, version, body, timeout=10):
    """Sends one request to the first of "host:port,host:port" that answers; returns a reader of it."""
    failed = None
    for address in addresses.split(","):
        try:
            return _call_one(address, api, version, body, timeout)
        except WireError as error:
            failed = error
    raise failed


def _call_one(address, api, version, body, timeout):
    host, port = address.rsplit(":", 1)
    request = struct.pack(">hhi", api, version, 1) + _string("sluice-lab") + body
    try:
        with socket.create_connection((host, int(port)), timeout=timeout) as sock:
            sock.sendall(struct.pack(">i", len(request)) + request)
            size = struct.unpack(">i", _receive(sock, 4))[0]
            reader = _Reader(_receive(sock, size))
    except OSError as error:
        raise WireError(f"Kafka at {address}: {error}") from error
    reader.take("i")
    return reader


def is_ready(address):
    """True when the node answers, and lists itself as a broker that serves clients."""
    try:
        if call(address, API_VERSIONS, 0, b"", timeout=2).take("h") != 0:
            return False
        reader = call(address, METADATA, 1, _array([]), timeout=2)
        brokers = reader.array(
            lambda: (reader.take("i"), reader.string(), reader.take("i"), reader.string())
        )
        return bool(brokers)
    except (WireError, struct.error):
        return False


def layout(address):
    """({broker id: "host:port"}, {topic: {partition: (leader id, [ids in sync])}}). Creates nothing."""
    reader = call(address, METADATA, 1, struct.pack(">i", -1))
    brokers = {}

    def broker():
        number = reader.take("i")
        brokers[number] = f"{reader.string()}:{reader.take('i')}"
        reader.string()

    def partition():
        reader.take("h")
        number, leader = reader.take("i"), reader.take("i")
        reader.array(lambda: reader.take("i"))
        return number, (leader, reader.array(lambda: reader.take("i")))

    def topic():
        reader.take("h")
        name = reader.string()
        reader.take("b")
        return name, dict(reader.array(partition))

    reader.array(broker)
    reader.take("i")
    return brokers, dict(reader.array(topic))


def topics(address):
    """{topic: [partition numbers]} of everything there is. Creates nothing."""
    return {name: sorted(partitions) for name, partitions in layout(address)[1].items()}


def coordinator(address, group):
    """The address of the broker that keeps a consumer group."""
    if "," not in address:
        return address
    reader = call(address, FIND_COORDINATOR, 0, _string(group))
    code = reader.take("h")
    if code != 0:
        raise WireError(f"coordinator of {group}: error {code}")
    reader.take("i")
    return f"{reader.string()}:{reader.take('i')}"


def create_topic(address, name, partitions=1, config=None, replicas=1):
    """Creates a topic; an existing one is left as it is."""
    settings = [_string(key) + _string(str(value)) for key, value in (config or {}).items()]
    topic = _string(name) + struct.pack(">ih", partitions, replicas) + _array([]) + _array(settings)
    reader = call(address, CREATE_TOPICS, 2, _array([topic]) + struct.pack(">ib", 10000, 0))
    reader.take("i")
    reader.take("i")
    reader.string()
    code, message = reader.take("h"), reader.string()
    if code not in (0, TOPIC_EXISTS):
        raise WireError(f"cannot create topic {name}: {message or code}")


def topic_config(address, name):
    """{key: value} of a topic's settings, those that nobody set included."""
    resource = struct.pack(">b", TOPIC_RESOURCE) + _string(name) + struct.pack(">i", -1)
    reader = call(address, DESCRIBE_CONFIGS, 1, _array([resource]) + struct.pack(">b", 0))
    reader.take("i")

    def synonym():
        reader.string()
        reader.string()
        reader.take("b")

    def entry():
        key, value = reader.string(), reader.string()
        reader.take("b")
        reader.take("b")
        reader.take("b")
        reader.array(synonym)
        return key, value

    def topic():
        code, message = reader.take("h"), reader.string()
        if code != 0:
            raise WireError(f"settings of {name}: {message or code}")
        reader.take("b")
        reader.string()
        return dict(reader.array(entry))

    return reader.array(topic)[0]


def delete_topic(address, name):
    """Deletes a topic."""
    reader = call(address, DELETE_TOPICS, 1, _array([_string(name)]) + struct.pack(">i", 10000))
    reader.take("i")
    reader.take("i")
    reader.string()
    code = reader.take("h")
    if code != 0:
        raise WireError(f"cannot delete topic {name}: error {code}")


def offsets(address, name, end=True):
    """{partition: first offset past the end}, or the first offset that is there if end is false."""
    brokers, found_topics = layout(address)
    led = {}
    for number, (leader, _) in found_topics.get(name, {}).items():
        led.setdefault(leader, []).append(number)
    found = {}
    for leader, numbers in led.items():
        if leader not in brokers:
            raise WireError(f"offsets of {name}: partitions {numbers} have no leader")
        found.update(_offsets_at(brokers[leader], name, numbers, end))
    return found


def _offsets_at(address, name, numbers, end):
    wanted = [struct.pack(">iq", number, -1 if end else -2) for number in numbers]
    body = struct.pack(">i", -1) + _array([_string(name) + _array(wanted)])
    reader = call(address, LIST_OFFSETS, 1, body)
    found = {}

    def partition():
        number, code = reader.take("i"), reader.take("h")
        reader.take("q")
        offset = reader.take("q")
        if code != 0:
            raise WireError(f"offsets of {name}-{number}: error {code}")
        found[number] = offset

    reader.array(lambda: (reader.string(), reader.array(partition)))
    return found


def committed(address, group, name):
    """{partition: committed offset} of a consumer group; -1 where nothing is committed."""
    numbers = topics(address).get(name, [])
    body = _string(group) + _array(
        [_string(name) + _array([struct.pack(">i", n) for n in numbers])]
    )
    reader = call(coordinator(address, group), OFFSET_FETCH, 1, body)
    found = {}

    def partition():
        number = reader.take("i")
        found[number] = reader.take("q")
        reader.string()
        reader.take("h")

    reader.array(lambda: (reader.string(), reader.array(partition)))
    return found


def groups(address):
    """The names of all consumer groups."""
    reader = call(address, LIST_GROUPS, 0, b"")
    reader.take("h")
    return [name for name, _ in reader.array(lambda: (reader.string(), reader.string()))]


def group(address, name):
    """{state, protocol, members: {member id: {client, partitions: [(topic, partition)]}}}"""
    reader = call(coordinator(address, name), DESCRIBE_GROUPS, 0, _array([_string(name)]))
    reader.take("i")
    code = reader.take("h")
    if code != 0:
        raise WireError(f"group {name}: error {code}")
    reader.string()
    state = reader.string()
    reader.string()
    protocol = reader.string()

    def member():
        ident, client = reader.string(), reader.string()
        reader.string()
        reader.blob()
        return ident, {"client": client, "partitions": _assignment(reader.blob())}

    return {"state": state, "protocol": protocol, "members": dict(reader.array(member))}


def _assignment(raw):
    if not raw:
        return []
    reader = _Reader(raw)
    reader.take("h")
    found = []

    def topic():
        name = reader.string()
        found.extend((name, number) for number in reader.array(lambda: reader.take("i")))

    reader.array(topic)
    return found


def fence(address, transactional_id):
    """Does what a second producer of that transactional id does at its start: the first is fenced."""
    reader = call(address, FIND_COORDINATOR, 1, _string(transactional_id) + struct.pack(">b", 1))
    reader.take("i")
    code, message = reader.take("h"), reader.string()
    if code != 0:
        raise WireError(f"coordinator of {transactional_id}: {message or code}")
    reader.take("i")
    where = f"{reader.string()}:{reader.take('i')}"
    body = _string(transactional_id) + struct.pack(">i", 60000)
    reader = call(where, INIT_PRODUCER_ID, 0, body)
    reader.take("i")
    code = reader.take("h")
    if code != 0:
        raise WireError(f"cannot fence {transactional_id}: error {code}")


def delete_records(address, name):
    """Makes the topic begin at its end, as expired segments do. Asks one node: it must lead all."""
    partitions = [struct.pack(">iq", *pair) for pair in offsets(address, name).items()]
    body = _array([_string(name) + _array(partitions)]) + struct.pack(">i", 10000)
    reader = call(address, DELETE_RECORDS, 1, body)
    reader.take("i")
    codes = []

    def partition():
        reader.take("i")
        reader.take("q")
        codes.append(reader.take("h"))

    reader.array(lambda: (reader.string(), reader.array(partition)))
    if any(codes):
        raise WireError(f"cannot delete records of {name}: errors {codes}")


def _rule(resource, name, user, operation, permission):
    """An access rule as requests carry it: for one name, from any host; name "*" means all."""
    numbers = struct.pack(">b", ACL_RESOURCES[resource]) + _string(name) + struct.pack(">b", 3)
    who = _string(f"User:{user}") + _string("*")
    return numbers + who + struct.pack(">bb", ACL_OPERATIONS[operation], ACL_PERMISSIONS[permission])


def add_rule(address, *rule):
    """rule: resource, name, user, operation, "allow" or "deny"; see the tables at the top."""
    reader = call(address, CREATE_ACLS, 1, _array([_rule(*rule)]))
    reader.take("i")
    for code, message in reader.array(lambda: (reader.take("h"), reader.string())):
        if code != 0:
            raise WireError(f"cannot add rule {rule}: {message or code}")


def remove_rule(address, *rule):
    """Takes back what add_rule() added."""
    reader = call(address, DELETE_ACLS, 1, _array([_rule(*rule)]))
    reader.take("i")
    reader.take("i")
    code, message = reader.take("h"), reader.string()
    if code != 0 or reader.take("i") != 1:
        raise WireError(f"cannot remove rule {rule}: {message or code or 'it is not there'}")
