# SPDX-License-Identifier: Apache-2.0
"""Child processes that cannot be left behind, free ports, and waiting for conditions.

Every child is the leader of its own session, so signals reach all that it started, and asks the
kernel to kill it when its parent dies (setpriv --pdeathsig). The kernel means the parent *thread*,
therefore one thread that lives as long as the interpreter starts all children, whoever asks for it.
"""

import atexit
import ctypes
import os
import queue
import random
import signal
import socket
import subprocess
import threading
import time

PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 40


class LabError(Exception):
    """Something of the lab did not start, stop or answer; the text says what and shows the log."""


def wait_until(cond, timeout, what, interval=0.02):
    """Returns cond()'s first true value; after `timeout` seconds raises LabError naming `what`.

    `what` is a text, or a function whose text is made at the time of failure.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() >= deadline:
            text = what() if callable(what) else what
            raise LabError(f"waited {timeout:g} s for {text}")
        time.sleep(interval)


def die_with_parent(signum=signal.SIGTERM):
    """Asks the kernel to send this process `signum` when its parent dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def raise_on_signals():
    """Makes the first SIGINT, SIGTERM or SIGHUP a KeyboardInterrupt; later ones are ignored."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def on_signal(*_):
        for signum in signals:
            signal.signal(signum, lambda *_: None)
        raise KeyboardInterrupt

    for signum in signals:
        signal.signal(signum, on_signal)


def watch(parts):
    """Blocks while all parts run; a part that ends by itself is a LabError."""
    never = threading.Event()
    while not never.wait(0.5):
        for part in parts:
            if not part.alive():
                raise LabError(f"{part.name} ended with code {part.exit_code}\n{part.log_tail()}")


_held_ports = []


def free_port():
    """A loopback port that stays this process's: nobody else's lab picks it, nor does the kernel.

    It lies below the range of ephemeral ports, so no outgoing connection takes it while its server
    is down between a kill and a restart.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low = int(file.read().split()[0])
    top = low if low > 15000 else 65536
    for _ in range(1000):
        port = random.randrange(10000, top)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0sluice-lab-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _held_ports.append(claim)
        return port
    raise LabError("found no free port on 127.0.0.1")


def is_listening(port):
    """True when something accepts connections on the loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class _Spawner:
    """The thread that starts all children."""

    def __init__(self):
        self.orders = queue.Queue()
        self.thread = None
        self.lock = threading.Lock()

    def spawn(self, argv, **options):
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self._main, daemon=True, name="spawner")
                self.thread.start()
        answer = queue.Queue()
        self.orders.put((argv, options, answer))
        result = answer.get()
        if isinstance(result, Exception):
            raise result
        return result

    def _main(self):
        while True:
            argv, options, answer = self.orders.get()
            try:
                answer.put(subprocess.Popen(argv, **options))
            except (OSError, ValueError) as error:
                answer.put(error)


_spawner = _Spawner()
_running = set()


@atexit.register
def _kill_all():
    for child in list(_running):
        child.kill9()


class Proc:
    """A child process with a log file; it can be started again after it ended."""

    def __init__(self, name, log):
        self.name = name
        self.log = log
        self.popen = None
        self.frozen = False

    def start_process(self, argv, cwd, env=None):
        """Starts the child; stdout and stderr are appended to the log."""
        if self.alive():
            raise LabError(f"{self.name} runs already")
        guarded = ["setpriv", "--pdeathsig", "KILL", *map(str, argv)]
        with open(self.log, "ab") as out:
            self.popen = _spawner.spawn(
                guarded,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.frozen = False
        _running.add(self)

    @property
    def pid(self):
        return self.popen.pid if self.popen else None

    @property
    def exit_code(self):
        """The exit code, negative for a signal; None while it runs or before the first start."""
        return self.popen.poll() if self.popen else None

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, signum):
        """Sends a signal to the child and all that it started."""
        if self.popen is None:
            return
        try:
            os.killpg(self.popen.pid, signum)
        except ProcessLookupError:
            pass

    def freeze(self):
        """Stops it in its tracks (SIGSTOP): connections stay open, nothing answers from here on."""
        self.signal(signal.SIGSTOP)
        # On a busy machine some threads run for a while before the signal is taken.
        if self.popen is not None:
            os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.frozen = True

    def thaw(self):
        """Lets it go on after freeze()."""
        self.signal(signal.SIGCONT)
        self.frozen = False

    def kill9(self):
        """SIGKILL; returns when it is gone. Harmless when it is gone already."""
        if self.popen is None:
            return
        self.signal(signal.SIGKILL)
        self.popen.wait()
        self.frozen = False
        _running.discard(self)

    def stop(self, timeout=30):
        """SIGTERM, then wait_exit(); a child that is gone already is fine."""
        if not self.alive():
            self.kill9()
            return self.exit_code
        if self.frozen:
            self.thaw()
        self.popen.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def wait_exit(self, timeout):
        """Waits for the end; returns the exit code. A late child is killed, with LabError."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.kill9()
            raise LabError(
                f"{self.name} did not end within {timeout:g} s\n{self.log_tail()}"
            ) from error
        self.kill9()
        return code

    def wait_ready(self, is_ready, timeout, what):
        """Waits for is_ready(); gives up at once, with the log's tail, if the child ends before."""

        def check():
            if not self.alive():
                raise LabError(
                    f"{self.name} ended with code {self.exit_code} before {what}\n"
                    + self.log_tail()
                )
            return is_ready()

        wait_until(check, timeout, lambda: f"{self.name}: {what}\n{self.log_tail()}")

    def log_text(self):
        """All that it has written so far."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=LOG_TAIL_LINES):
        """The last lines of the log, with a head line that names the file."""
        tail = self.log_text().splitlines()[-lines:]
        return "\n".join([f"--- {self.log} (last {len(tail)} lines)", *tail])

    def rss_kb(self):
        """Resident memory in KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def open_files(self):
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        """User and system time so far, in seconds."""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
