# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for tests, by openssl: PEM files with key and chain in one."""

import pathlib
import subprocess


class Authority:
    """Issues certificates into `folder`."""

    def __init__(self, folder, name="authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = self.folder / f"{name}.key"
        self.pem = self.folder / f"{name}.pem"
        _openssl(
            *("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()),
            *("-keyout", self.key, "-out", self.pem, "-subj", f"/CN={name}"),
        )

    def issue(self, name, hosts="IP:127.0.0.1,DNS:localhost", file=None):
        """A PEM file with key, certificate and the authority's certificate; its path."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n")
        _openssl(
            *("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split()),
            *("-keyout", key, "-out", request, "-subj", f"/CN={name}"),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key),
            *("-CAcreateserial", "-days", "2", "-out", certificate, "-extfile", extensions),
        )
        store = pathlib.Path(file or self.folder / f"{name}.pem")
        whole = key.read_text() + certificate.read_text() + self.pem.read_text()
        fresh = store.with_suffix(".fresh")
        fresh.write_text(whole)
        fresh.rename(store)
        return store

    def encrypt(self, name, password):
        """Like the PEM file of an issued name, with the key encrypted."""
        store = self.folder / f"{name}-encrypted.pem"
        key = self.folder / f"{name}-encrypted.key"
        _openssl(
            *("pkcs8", "-topk8", "-in", self.folder / f"{name}.key", "-out", key),
            *("-passout", f"pass:{password}"),
        )
        store.write_text(key.read_text() + (self.folder / f"{name}.crt").read_text())
        return store


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
