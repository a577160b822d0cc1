# SPDX-License-Identifier: Apache-2.0
"""One real mosquitto (2.0.18 or newer) on free loopback ports, with persistence.

What a kill costs: mosquitto writes its database when it ends by SIGTERM, on SIGUSR1, and every
`autosave_interval` seconds; a PUBACK to a publisher does not wait for that. So `restart()` loses
nothing, while after `kill9()` everything since the last write is gone *in the broker*, whatever its
clients did. `kill9(save=True)` writes first, and loses nothing provided that nobody publishes
meanwhile.
"""

import base64
import hashlib
import os
import pathlib
import signal
import socket
import ssl
import subprocess

from .kafka import fetched
from .proc import LabError, Proc, free_port, wait_until

# CONNECT of MQTT 3.1.1 with a clean session and no client id. Any CONNACK shows a live broker.
CONNECT = bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 0])

DEFAULTS = {
    "persistence": "true",
    # Seconds between writes; 0: only by SIGTERM and SIGUSR1, so a test knows what is on disk.
    "autosave_interval": "0",
    "max_queued_messages": "0",
    "max_queued_bytes": "0",
    "sys_interval": "1",
    "log_dest": "stderr",
    "log_timestamp_format": "%Y-%m-%dT%H:%M:%S",
    "connection_messages": "true",
}
LOG_TYPES = ("error", "warning", "notice", "information")


class Tls:
    """A certificate authority of its own, a server certificate for localhost, one for a client."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.crt"
        self._openssl(
            "req",
            "-x509",
            *self._new_key("ca"),
            "-days",
            "30",
            "-subj",
            "/CN=lab CA",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-out",
            self.ca,
        )
        self.server = self.issue("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.client = self.issue("client", "lab-client", "extendedKeyUsage=clientAuth")

    def issue(self, name, common_name, extension):
        """Makes a key and a certificate signed by the authority; returns (certificate, key)."""
        certificate, request = self.folder / f"{name}.crt", self.folder / f"{name}.csr"
        self._openssl("req", *self._new_key(name), "-subj", f"/CN={common_name}", "-out", request)
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"basicConstraints=CA:FALSE\n{extension}\n")
        self._openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.ca,
            "-CAkey",
            self.folder / "ca.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            extensions,
            "-out",
            certificate,
        )
        return certificate, self.folder / f"{name}.key"

    def _new_key(self, name):
        return [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            str(self.folder / f"{name}.key"),
        ]

    def _openssl(self, *args):
        done = subprocess.run(
            ["openssl", *map(str, args)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"openssl {args[0]} failed:\n{done.stderr}")


def password_line(user, password):
    """A line of mosquitto's password file (PBKDF2 with SHA-512)."""
    salt, rounds = os.urandom(12), 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    parts = (base64.b64encode(salt).decode(), base64.b64encode(digest).decode())
    return f"{user}:$7${rounds}${parts[0]}${parts[1]}\n"


class Mosquitto(Proc):
    """A broker with its database in `folder`; stop and start keep it and the ports.

    users: {name: password} turns anonymous clients away; acl: text of an ACL file; tls: True adds a
    TLS listener (tls_port) beside the plain one, "mutual" also demands a client certificate;
    settings: mosquitto.conf keys that replace or add to the defaults, None drops one.
    """

    def __init__(
        self,
        folder,
        users=None,
        acl=None,
        tls=False,
        settings=None,
        name="mosquitto",
        host="127.0.0.1",
    ):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True)
        super().__init__(name, self.folder / "mosquitto.log")
        self.program = fetched("mosquitto")
        self.host = host
        self.port = free_port()
        self.tls_port = free_port() if tls else None
        self.tls = Tls(self.folder / "tls") if tls else None
        self.database = self.folder / "mosquitto.db"
        merged = {**DEFAULTS, **(settings or {})}
        lines = [f"{key} {value}" for key, value in merged.items() if value is not None]
        lines += [f"log_type {kind}" for kind in LOG_TYPES]
        lines += [f"persistence_location {self.folder}/", f"listener {self.port} {host}"]
        if tls:
            certificate, key = self.tls.server
            lines += [
                f"listener {self.tls_port} {host}",
                f"cafile {self.tls.ca}",
                f"certfile {certificate}",
                f"keyfile {key}",
                f"require_certificate {'true' if tls == 'mutual' else 'false'}",
            ]
        lines += self._access(users, acl)
        # Started by root it would become another user, who may not write here.
        lines += ["user root"] if os.geteuid() == 0 else []
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def _access(self, users, acl):
        lines = [f"allow_anonymous {'false' if users else 'true'}"]
        if users:
            path = self._private(
                "passwords", "".join(password_line(*user) for user in users.items())
            )
            lines.append(f"password_file {path}")
        if acl:
            lines.append(f"acl_file {self._private('acl', acl)}")
        return lines

    def set_users(self, users):
        """Replaces the users and their passwords in the broker that runs (SIGHUP)."""
        text = "".join(password_line(*user) for user in users.items())
        self._private("passwords", text)
        self.popen.send_signal(signal.SIGHUP)

    def _private(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def uri(self):
        return f"tcp://{self.address}"

    @property
    def tls_uri(self):
        return f"ssl://localhost:{self.tls_port}"

    def start(self, timeout=20):
        """Starts the broker, also again after its end, and waits until it answers a CONNECT."""
        self.start_process([self.program, "-c", self.folder / "mosquitto.conf"], self.folder)
        return self.wait_serving(timeout)

    def wait_serving(self, timeout=20):
        """Waits until the broker answers on each port; also for use after thaw()."""
        self.wait_ready(self._answers, timeout, "the broker answers")
        return self

    def _answers(self):
        try:
            with socket.create_connection((self.host, self.port), timeout=2) as sock:
                sock.sendall(CONNECT)
                if sock.recv(1)[:1] != b"\x20":
                    return False
            if self.tls_port:
                context = ssl.create_default_context(cafile=str(self.tls.ca))
                context.load_cert_chain(*map(str, self.tls.client))
                with socket.create_connection((self.host, self.tls_port), timeout=2) as sock:
                    with context.wrap_socket(sock, server_hostname="localhost"):
                        return True
            return True
        except OSError:
            return False

    def save(self, timeout=30):
        """Has the broker write its database now (SIGUSR1) and waits for the new file."""
        before = self._database_stamp()
        self.popen.send_signal(signal.SIGUSR1)
        wait_until(
            lambda: self._database_stamp() != before, timeout, f"{self.name} writes its database"
        )

    def _database_stamp(self):
        try:
            stat = self.database.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def kill9(self, save=False):
        """SIGKILL; with save=True the database is written before (see the top of this file)."""
        if save:
            self.save()
        super().kill9()

    def restart(self):
        """Ends the broker by SIGTERM, which writes the database, and starts it again."""
        self.stop()
        return self.start()

    def publish(self, topic, payloads, qos=1, retain=False, options=()):
        """Publishes texts without line ends, a message each; returns when all are acked."""
        text = "".join(f"{text}\n" for text in payloads)
        self._publish(topic, "-l", text.encode(), qos, ["-r", *options] if retain else options)

    def publish_bytes(self, topic, payload, qos=1, retain=False, options=()):
        """Publishes one message of any bytes, none included."""
        self._publish(topic, "-s", payload, qos, ["-r", *options] if retain else options)

    def _publish(self, topic, how, payload, qos, options):
        argv = ["mosquitto_pub", "-V", "5", "-h", self.host, "-p", str(self.port)]
        argv += ["-t", topic, "-q", str(qos), how, *options]
        done = subprocess.run(argv, input=payload, capture_output=True, check=False)
        if done.returncode != 0:
            raise LabError(f"mosquitto_pub failed: {done.stderr.decode()}")

    def receive(self, topic, count, timeout=30, qos=1, options=()):
        """Subscribes and returns the first `count` messages as (topic, payload) texts."""
        argv = [
            "mosquitto_sub",
            "-V",
            "5",
            "-h",
            self.host,
            "-p",
            str(self.port),
            "-t",
            topic,
            "-q",
            str(qos),
            "-C",
            str(count),
            "-W",
            str(timeout),
            "-F",
            "%t %p",
            *options,
        ]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        found = [tuple(line.split(" ", 1)) for line in done.stdout.splitlines()]
        if len(found) < count:
            raise LabError(
                f"{len(found)} of {count} messages on {topic} within {timeout} s {done.stderr}"
            )
        return found
