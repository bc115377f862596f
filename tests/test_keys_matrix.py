"""Every program with every kind of key and certificate, on both versions of TLS: only the key matters."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import beside
from tests.server import moximap_command, needs, run, run_on_terminal
from tests.test_external import ca_signed
from tests.test_keys_clients import MBSYNC, KeyServerCase
from tests.test_tls import client_certificate

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Matrix(KeyServerCase):
    """``files``: by kind of key and kind of certificate, each with its key in it."""

    def setUp(self) -> None:
        super().setUp()
        keys: dict[str, Any] = {"rsa": rsa.generate_private_key(65537, 2048),
                                "ecdsa": ec.generate_private_key(ec.SECP256R1()),
                                "ed25519": ed25519.Ed25519PrivateKey.generate()}
        self.files: dict[str, dict[str, Path]] = {}
        self.known = {}
        for kind, key in keys.items():
            self.files[kind] = {
                "expired": self.write(f"{kind}-expired", key, client_certificate(key, expired=True)),
                "foreign": self.write(f"{kind}-foreign", key, ca_signed(key)),
                "plain": self.write(f"{kind}-plain", key, client_certificate(key))}
            self.known[kind] = self.add_key(self.files[kind]["plain"])
        self.host = f"localhost:{self.server.ports['imaps']}"

    def write(self, name: str, key: Any, certificate: x509.Certificate) -> Path:
        path = self.directory / f"{name}.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                         + certificate.public_bytes(Encoding.PEM))
        return path

    def every(self) -> Iterator[tuple[str, str, Path]]:
        for files in self.files.values():
            for certificate, path in files.items():
                for version in VERSIONS:
                    yield version, certificate, path

    def check_record(self) -> None:
        """All of it was by key alone, and on both versions."""
        # Written and then logged in batches, in order: when this login is in the log, all before it are on record.
        self.imaps(self.context()).login(self.user, self.password)
        self.server.child.wait_until(lambda lines: any(
            "mechanism=login" in line and self.user in line for line in lines))
        attempts = [attempt for attempt in json.loads(moximap_command(self.server.data, "attempts", "--all", "--json"))
                    if attempt["account"] == self.user and attempt["mechanism"] != "login"]
        self.assertEqual({(attempt["mechanism"], attempt["result"]) for attempt in attempts}, {("tlsclientauth", "ok")})
        self.assertEqual({(attempt["key"], attempt["tls"].split()[0]) for attempt in attempts},
                         {(key, f"TLSv{version}") for key in self.known.values() for version in VERSIONS})

    def test_openssl_curl_and_imaplib(self) -> None:
        needs("curl")
        ca = self.server.certificate
        for version, certificate, path in self.every():
            case = f"{path.name} {certificate} {version}"
            said = run("openssl", "s_client", "-quiet", "-verify_quiet", f"-tls{version.replace('.', '_')}", "-CAfile", ca,
                       "-cert", path, "-key", path, "-connect", self.host, given=b"a SELECT INBOX\r\nb LOGOUT\r\n")
            self.assertTrue(said.startswith(b"* PREAUTH ") and b"a OK [READ-WRITE]" in said, case)
            listed = run("curl", "--silent", "--show-error", "--noproxy", "*", f"--tlsv{version}", "--tls-max", version,
                         "--cacert", ca, "--cert", path, "--key", path, f"imaps://{self.host}/")
            self.assertIn(b"\\Sent", listed, case)
            client = self.imaps(self.context(path, path, VERSIONS[version]))
            self.assertEqual((client.state, client.select()[0]), ("AUTH", "OK"), case)
        self.check_record()

    def test_mutt(self) -> None:
        needs("mutt")
        for version, certificate, path in self.every():
            if certificate == "plain":
                continue
            other = "ssl_use_tlsv1_3" if version == "1.2" else "ssl_use_tlsv1_2"
            run_on_terminal("mutt", "-n", "-F", "/dev/null", "-e", f"set certificate_file={self.server.certificate}",
                            "-e", f"set sleep_time=0 folder=. {other}=no ssl_client_cert={path}", "-f", f"imaps://{self.host}/INBOX",
                            "-e", "push <exit>")
        self.check_record()

    def test_mbsync(self) -> None:
        needs("mbsync")
        for number, (version, _, path) in enumerate(self.every()):
            copy = self.directory / f"copy-{number}"
            copy.mkdir()
            settings = self.directory / "mbsyncrc"
            settings.write_text(MBSYNC.format(port=self.server.ports["imaps"], versions=f"TLSv{version}", copy=copy,
                                              ca=self.server.certificate, certificate=path, key=path))
            run("mbsync", "-c", settings, "all")
            self.assertTrue((copy / "Sent").is_dir())
        self.check_record()


test_suite = beside.suite(__name__)
