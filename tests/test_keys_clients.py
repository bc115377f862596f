"""Real programs log in by key alone, with keys made as docs/identity.md says; and a key revoked elsewhere."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
import time
from pathlib import Path

from tests import beside
from tests.server import (PROGRAM_SECONDS, ROOT, Server, ServerTestCase, SharedServerTestCase, add_account, listen, make_certificate,
                          moximap_command, needs, ports_in, run, run_on_terminal, twistd)


def blocks() -> list[str]:
    """The lines of docs/identity.md that begin with openssl."""
    return re.findall(r"^    (openssl .*)$", (ROOT / "docs/identity.md").read_text(), re.M)


MBSYNC = """
IMAPStore far
Host localhost
Port {port}
User nobody
Pass none
SSLType IMAPS
SSLVersions {versions}
CertificateFile {ca}
ClientCertificate {certificate}
ClientKey {key}

MaildirStore near
SubFolders Verbatim
Path {copy}/
Inbox {copy}/INBOX

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
"""


class KeyServerCase(SharedServerTestCase):
    """Those that need a server of their own start it."""

    def make_key(self, name: str, *options: str) -> tuple[Path, Path]:
        """A key and an expired certificate of the wrong name."""
        key, certificate = self.directory / f"{name}.key", self.directory / f"{name}.crt"
        run("openssl", "genpkey", *options, "-out", key)
        run("openssl", "req", "-new", "-x509", "-key", key, "-subj", "/CN=not.a.name", "-days", "1",
            "-out", certificate)
        return key, certificate

    def add_key(self, certificate: Path, *options: str) -> str:
        said = moximap_command(self.server.data, "key", "add", self.user, *options,
                               given=certificate.read_bytes())
        return said.decode().strip()

    def context(self, key: Path | None = None, certificate: Path | None = None,
                version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.server.certificate))
        context.minimum_version = context.maximum_version = version
        if key is not None and certificate is not None:
            context.load_cert_chain(certificate, key)
        return context

    def imaps(self, context: ssl.SSLContext) -> imaplib.IMAP4_SSL:
        client = imaplib.IMAP4_SSL("localhost", self.server.ports["imaps"], ssl_context=context, timeout=30)
        self.addCleanup(client.shutdown)
        return client


class Programs(KeyServerCase):
    def test_imaplib_with_all_kinds_of_keys_on_both_versions_of_tls(self) -> None:
        for name, options in (("ec", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")),
                              ("ed", ("-algorithm", "ED25519")),
                              ("rsa", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"))):
            key, certificate = self.make_key(name, *options)
            self.add_key(certificate)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = self.imaps(self.context(key, certificate, version))
                self.assertEqual(client.state, "AUTH", (name, version))
                self.assertEqual(client.select()[0], "OK")

    def test_starttls_gives_external_and_no_second_greeting(self) -> None:
        key, certificate = self.make_key("ed", "-algorithm", "ED25519")
        self.add_key(certificate)
        client = imaplib.IMAP4("localhost", self.server.ports["imap"], timeout=30)
        self.addCleanup(client.shutdown)
        self.assertNotIn("AUTH=EXTERNAL", client.capabilities)
        client.starttls(self.context(key, certificate))
        self.assertEqual(client.state, "NONAUTH")
        self.assertIn("AUTH=EXTERNAL", client.capabilities)
        self.assertEqual(client.authenticate("EXTERNAL", lambda challenge: b"")[0], "OK")

    def test_openssl_curl_mutt_and_mbsync_with_keys_as_the_documentation_makes_them(self) -> None:
        needs("curl", "mutt", "mbsync", "basenc")
        for line in blocks():
            said = run("sh", "-c", line + (" -passout pass:x" if "pkcs12" in line else ""), directory=self.directory)
        certificate, key = self.directory / "phone.crt", self.directory / "phone.key"
        self.assertEqual(said.decode().strip(), self.add_key(certificate))
        both = self.directory / "phone.pem"
        both.write_bytes(key.read_bytes() + certificate.read_bytes())
        host, ca = f"localhost:{self.server.ports['imaps']}", self.server.certificate
        answer = run("openssl", "s_client", "-quiet", "-verify_quiet", "-CAfile", ca, "-cert", certificate, "-key", key,
                     "-connect", host, given=b"a LOGOUT\r\n")
        self.assertEqual(answer[:9], b"* PREAUTH")
        listed = run("curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", ca, "--cert", certificate, "--key",
                     key, f"imaps://{host}/")
        self.assertIn(b"\\Sent", listed)
        run_on_terminal("mutt", "-n", "-F", "/dev/null", "-e", f"set sleep_time=0 certificate_file={ca} folder=.",
                        "-e", f"set ssl_client_cert={both}", "-f", f"imaps://{host}/INBOX", "-e", "push <exit>")
        self.mbsync(certificate, key)

    def mbsync(self, certificate: Path, key: Path) -> None:
        copy = self.directory / "copy"
        copy.mkdir()
        settings = self.directory / "mbsyncrc"
        settings.write_text(MBSYNC.format(
            port=self.server.ports["imaps"], versions="TLSv1.2 TLSv1.3", copy=copy, ca=self.server.certificate,
            certificate=certificate, key=key))
        run("mbsync", "-c", settings, "all")
        self.assertTrue((copy / "Sent").is_dir())

    def test_every_attempt_is_on_record_and_in_the_log_without_its_password(self) -> None:
        client = self.imaps(self.context())
        for password in ("wrong-password-1", "wrong-password-2"):
            with self.assertRaises(imaplib.IMAP4.error):
                client.login(self.user, password)
        self.server.child.wait_until(lambda lines: any(
            "count=" in line and "login failed" in line and self.user in line for line in lines))
        said = self.server.child.said
        self.assertRegex(said, r'login failed: address=127\.0\.0\.1 result=badpassword mechanism=login'
                         f' account="{self.user}')
        self.assertNotIn("wrong-password", said)
        self.assertIn(b"badpassword", moximap_command(self.server.data, "attempts"))


class Stopped(ServerTestCase):
    password = "a password"

    def test_an_attempt_is_on_record_even_if_the_server_stops_at_once(self) -> None:
        client = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=PROGRAM_SECONDS)
        self.addCleanup(client.shutdown)
        client.login(self.user, self.password)
        self.server.child.stop()
        self.assertRegex(moximap_command(self.server.data, "attempts"), rb"1x  ok +127\.0\.0\.1 +login +ada")


class Revoked(KeyServerCase):
    """Two workers: a key is revoked by a third process, and an account disabled."""

    kinds = ("imaps",)

    def start_server(self) -> Server:
        data = self.directory / "data"
        add_account(data, self.user, self.password)
        certificate, key = make_certificate(self.directory)
        child = twistd("--data", data, "--workers", "2", "--tls-cert", certificate, "--tls-key", key,
                       *listen("imaps"), directory=self.directory)
        self.look_after(child)
        child.wait_until(lambda lines: sum("worker" in line and "listening: imaps" in line for line in lines) == 2)
        return Server(data, child, certificate, ports_in(child.lines[:20]))

    def idle(self, context: ssl.SSLContext) -> socket.socket:
        connection = context.wrap_socket(socket.create_connection(("localhost", self.server.ports["imaps"]), 30),
                                         server_hostname="localhost")
        self.addCleanup(connection.close)
        assert connection.recv(4096).startswith(b"* PREAUTH")
        connection.sendall(b"a IDLE\r\n")
        assert connection.recv(4096).startswith(b"+ ")
        return connection

    def test_idle_sessions_end_within_a_second_in_every_worker(self) -> None:
        key, certificate = self.make_key("ed", "-algorithm", "ED25519")
        fingerprint = self.add_key(certificate)
        sessions = [self.idle(self.context(key, certificate)) for _ in range(8)]
        moximap_command(self.server.data, "key", "rm", "--", fingerprint)
        revoked = time.monotonic()
        for session in sessions:
            self.assertEqual(session.recv(4096), b"* BYE this key was revoked\r\n")
        self.assertLess(time.monotonic() - revoked, 1.0)


test_suite = beside.suite(__name__)
