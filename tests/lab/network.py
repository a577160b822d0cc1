# SPDX-License-Identifier: Apache-2.0
"""Network namespaces with links between them that can be cut, delayed or made to lose packets.

`enter_own_namespace()` first: this process and all that it starts then live in a network of their
own, the hub. `Network.next()` makes a home: a namespace with one link to the hub, for a process
that faults shall hit. Every packet between homes, and between a home and the hub, goes through one
forwarder, the process of forwarder.py, which asks its rules about each. The kernels' TCP on both
sides is real: what is dropped is sent again, a cut link says nothing to anybody, there is no RST.

No namespace has a name, a file or a veth: all of it is gone when the processes are.
"""

import collections
import ctypes
import fcntl
import json
import os
import pathlib
import queue
import socket
import struct
import subprocess
import sys
import threading

from .proc import LabError

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SUBNET = "10.77.0"
MOST_HOMES = 100
MARK = "SLUICE_LAB_NAMESPACE"

Home = collections.namedtuple("Home", "host enter")
Home.__doc__ = "Where a process can live: its address, and what to write before its command line."


def enter_own_namespace():
    """Runs this program again in a network namespace of its own; returns there, or why it cannot.

    None means: we are in it.
    """
    if os.environ.get(MARK):
        os.environ.pop(MARK)
        _ip("link", "set", "lo", "up")
        return None
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    tried = subprocess.run([*command, "test", "-c", "/dev/net/tun"], capture_output=True, check=False)
    if tried.returncode != 0:
        return tried.stderr.decode().strip() or "there is no /dev/net/tun"
    os.execvpe(command[0], [*command, sys.executable, *sys.argv], {**os.environ, MARK: "1"})


def _ip(*args):
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(args)}: {done.stderr}")


def _link(name, addresses):
    """A network interface of this thread's namespace; returns the file its packets go through."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for address in addresses:
        _ip("addr", "add", address, "dev", name)
    _ip("link", "set", name, "up", "txqueuelen", "2000")
    return tun


class Network:
    """A hub and homes. `hub` is a list of addresses for what runs in this process's namespace."""

    def __init__(self, folder, hub=3):
        self.folder = pathlib.Path(folder)
        # The first address is that of whoever asks from here; parts are given one of the others.
        self.asker = f"{SUBNET}.254"
        self.hub = [f"{SUBNET}.{number + 1}" for number in range(hub)]
        self.uplink = _link("hub", [f"{self.asker}/24", *[f"{host}/32" for host in self.hub]])
        self.kept = []
        self.made = 0
        self.homes = {}
        self.free = []
        self.lock = threading.Lock()
        self.forwarder = None
        self._start_forwarder()

    def _start_forwarder(self):
        # Links that are made later are sent over this socket.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        script = pathlib.Path(__file__).with_name("forwarder.py")
        self.control = ours
        self.log = open(self.folder / "forwarder.log", "ab")
        self.forwarder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, str(script), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        theirs.close()
        self._tell({"link": [self.asker, *self.hub]}, self.uplink)

    def _tell(self, message, link=None):
        raw = json.dumps(message).encode()
        with self.lock:
            if link is None:
                self.control.send(raw)
            else:
                socket.send_fds(self.control, [raw], [link])
            if self.control.recv(16) != b"done":
                raise LabError("the forwarder of packets has ended, see forwarder.log")

    def next(self):
        """A home that nobody has, a new one if need be."""
        if self.free:
            return self.homes[self.free.pop()]
        self.made += 1
        if self.made > MOST_HOMES:
            raise LabError(f"more than {MOST_HOMES} homes in one network: give some back")
        host = f"{SUBNET}.{100 + self.made}"
        namespace, link = _in_new_namespace(lambda: _link("uplink", [f"{host}/24"]))
        self.kept += [namespace, link]
        self._tell({"link": [host]}, link)
        enter = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}"]
        self.homes[host] = Home(host, enter)
        return self.homes[host]

    def give_back(self, host):
        """Nobody lives at this address any more."""
        if host in self.homes and host not in self.free:
            self.free.append(host)

    def spoil(self, one, others, both=True, **how):
        """Packets from `one` address to `others` are treated: drop=True, loss=0.05, delay=0.5 (s).

        both: and those that come back, except that a delay is for one direction. Without a treatment
        the link is as good as new.
        """
        back = {key: value for key, value in how.items() if key != "delay"}
        for other in others:
            self._tell({"from": one, "to": other, "how": how})
            if both:
                self._tell({"from": other, "to": one, "how": back})

    def heal(self):
        """All links are as good as new."""
        self._tell({"heal": True})

    def counts(self):
        """{"passed": packets, "dropped": packets, "delayed": packets} since the start."""
        with self.lock:
            self.control.send(json.dumps({"counts": True}).encode())
            return json.loads(self.control.recv(4096))

    def close(self):
        self.forwarder.kill()
        self.forwarder.wait()
        for file in [self.uplink, *self.kept]:
            os.close(file)
        self.control.close()
        self.log.close()


def _in_new_namespace(make):
    """Runs make() in a thread of a new namespace; returns (file of the namespace, its result)."""
    answer = queue.Queue()

    def work():
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                raise LabError(f"unshare: {os.strerror(ctypes.get_errno())}")
            _ip("link", "set", "lo", "up")
            namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            answer.put((namespace, make()))
        except (OSError, LabError) as error:
            answer.put(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    result = answer.get()
    if isinstance(result, Exception):
        raise LabError(f"no network namespace: {result}") from result
    return result
