"""`moximap key`: keys that people bring, and keys that are made for them."""

from __future__ import annotations

import json
import plistlib
import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity import clientkeys
from moximap.identity.clientkeys import BadKey
from moximap.net.fingerprint import fingerprint
from moximap.store.bell import DIRECTORY, Bell
from tests.server import needs, run
from tests.test_cli import CommandCase
from tests.test_tls import client_certificate, expected


def pem(key: Any) -> bytes:
    return client_certificate(key, expired=True).public_bytes(Encoding.PEM)


class KeyCommandCase(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add("ada")
        self.key = ec.generate_private_key(ec.SECP256R1())

    def add_key(self, *arguments: str, key: Any = None, code: int = 0) -> str:
        result = self.run_command("key", "add", *arguments, given=pem(key or self.key), code=code)
        return result.stdout.strip() or result.stderr

    def keys(self, *arguments: str) -> Any:
        return json.loads(self.run_command("key", "list", *arguments, "--json").stdout)


class Bringing(KeyCommandCase):
    def test_a_key_is_known_by_its_fingerprint_whatever_its_certificate(self) -> None:
        """CONTRACT 1, 2: the certificate is expired, and called as it likes."""
        self.assertEqual(self.add_key("ada"), expected(self.key))
        (key,) = self.keys()
        self.assertEqual((key["name"], key["type"], key["account"]), ("phone", "ecdsa-p256", "ada"))
        self.assertRegex(self.run_command("key", "list").stdout, f"^{expected(self.key)}  ecdsa-p256  +ada  phone ")

    def test_each_kind_has_its_name(self) -> None:
        """CONTRACT 1."""
        for key, kind in ((ed25519.Ed25519PrivateKey.generate(), "ed25519"),
                          (ec.generate_private_key(ec.SECP384R1()), "ecdsa-p384"),
                          (rsa.generate_private_key(65537, 2048), "rsa-2048")):
            shown = self.run_command("key", "show", self.add_key("ada", "x", key=key), "--json").stdout
            self.assertEqual(json.loads(shown)["type"], kind)

    def test_a_weak_key_is_refused(self) -> None:
        """CONTRACT 9."""
        self.assertIn("too weak", self.add_key("ada", key=rsa.generate_private_key(65537, 1024), code=2))

    def test_a_key_belongs_to_one_account(self) -> None:
        """CONTRACT 3."""
        self.add("bob")
        self.add_key("ada")
        for name in ("ada", "bob"):
            self.assertIn("already", self.add_key(name, code=2))

    def test_without_a_common_name_it_has_its_serial_number(self) -> None:
        """CONTRACT 9."""
        certificate = clientkeys.new_certificate(self.key, "x")
        self.patch(clientkeys, "clean_name", lambda name: (_ for _ in ()).throw(BadKey()))
        self.assertEqual(clientkeys.default_name(certificate), f"serial {certificate.serial_number:x}")

    def test_what_is_no_certificate_is_said_in_one_line(self) -> None:
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        for given in (b"", b"\x30", b"\0\xff" * 99, private, broken, pem(self.key)[:200]):
            self.assertIn("certificate", self.refused("key", "add", "ada", given=given))
        self.refused("key", "add", "ada", "a\nb", given=pem(self.key))
        self.refused("key", "add", "nobody", given=pem(self.key))
        self.assertRaises(BadKey, clientkeys.kind, client_certificate(dsa.generate_private_key(2048)))

    def test_der_and_a_file_with_the_private_key_serve(self) -> None:
        der = client_certificate(self.key).public_bytes(Encoding.DER)
        self.run_command("key", "add", "ada", given=der)
        self.run_command("key", "rm", expected(self.key))
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.run_command("key", "add", "ada", given=private + pem(self.key))

    def test_its_switches_are_kept(self) -> None:
        self.add_key("ada", "tv", "--no-preauth", "--read-only", "--until", "2999-12-31")
        (key,) = self.keys("ADA")
        self.assertTrue(key["no_preauth"] and key["read_only"])
        self.assertEqual(key["until"], "3000-01-01T00:00:00+00:00")
        line = self.run_command("key", "list").stdout
        self.assertIn("no preauth, read-only, until 3000-01-01T00:00:00+00:00, never used", line)

    def test_an_end_is_a_day_or_a_moment_to_come(self) -> None:
        for bad in ("2001-01-01", "tomorrow", "9999-12-31", "2999-13-01"):
            self.refused("key", "add", "ada", "--until", bad, given=pem(self.key))
        self.add_key("ada", "--until", "2999-01-01T12:00:00+01:00")
        self.assertEqual(self.keys()[0]["until"], "2999-01-01T11:00:00+00:00")

    def test_rm_revokes_and_tells_running_servers(self) -> None:
        bell = Bell(self.data / "bell")
        self.addCleanup(bell.close)
        self.run_command("key", "rm", self.add_key("ada"))
        self.assertEqual(bell.drain(), [(DIRECTORY, 0)])
        self.assertEqual(self.keys(), [])
        self.refused("key", "rm", expected(self.key))

    def test_a_fingerprint_may_begin_with_a_minus(self) -> None:
        for command in ("show", "rm"):
            for start in ("-h", "--", "-j"):
                self.assertIn("no such key", self.refused("key", command, start + "a" * 41))


class Making(KeyCommandCase):
    def gen(self, *arguments: str, name: str = "my phone", given: str = "") -> Path:
        out = Path(self.mktemp())
        self.run_command("key", "gen", "ada", name, "--out", str(out), *arguments, given=given)
        return out

    def test_all_forms_hold_the_key_that_is_in_the_directory(self) -> None:
        """Client 44: the legacy p12 is of 3DES and SHA-1, for those who know nothing else."""
        needs("openssl")
        for kind in ("ecdsa-p256", "ed25519"):
            out = self.gen("--type", kind, "--passphrase-stdin", name=kind, given="open sesame\n")
            known = {key["name"]: key["fingerprint"] for key in self.keys()}[kind]
            for file, said in ((f"{kind}.p12", "AES-256-CBC"), (f"{kind}-legacy.p12", "pbeWithSHA1And3-KeyTripleDES")):
                key, certificate, _ = pkcs12.load_key_and_certificates((out / file).read_bytes(), b"open sesame")
                assert certificate is not None
                self.assertEqual(expected(key), known)
                self.assertEqual(fingerprint(certificate.public_bytes(Encoding.DER)), known)
                legacy = ["-legacy"] if "legacy" in file else []
                shown = run("sh", "-c", 'exec openssl pkcs12 -info -noout -passin pass:"open sesame" "$@" 2>&1',
                            "sh", "-in", out / file, *legacy)
                self.assertIn(said.encode(), shown)
            ssl.create_default_context().load_cert_chain(out / f"{kind}.pem")
            ssl.create_default_context().load_cert_chain(out / f"{kind}.crt", out / f"{kind}.key")
            self.assertIn(b"BEGIN PRIVATE KEY", (out / f"{kind}.key").read_bytes())

    def test_the_profile_names_account_server_and_key(self) -> None:
        out = self.gen("--server", "mail.example.org:9993", "--passphrase-stdin", given="sesame\n")
        profile = plistlib.loads((out / "my-phone.mobileconfig").read_bytes())
        key, mail = profile["PayloadContent"]
        self.assertEqual(key["PayloadContent"], (out / "my-phone-legacy.p12").read_bytes())
        self.assertEqual((key["Password"], mail["IncomingMailServerHostName"]), ("sesame", "mail.example.org"))
        self.assertEqual((mail["IncomingMailServerPortNumber"], mail["EmailAddress"]), (9993, "ada"))

    def test_files_are_the_owners_only_and_none_is_overwritten(self) -> None:
        out = self.gen()
        for path in out.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.refused("key", "gen", "ada", "my phone", "--out", str(out), code=1)
        self.assertEqual(len(self.keys()), 1)

    def test_a_name_is_no_way_out_of_the_directory(self) -> None:
        out = self.gen(name="../../x y")
        self.assertEqual({path.name for path in out.iterdir()},
                         {f"x-y{end}" for end in (".key", ".crt", ".pem", ".p12", "-legacy.p12", ".mobileconfig")})

    def test_what_cannot_be_is_said(self) -> None:
        for bad in ("a b", "host:0", "host:65536", ":993", "a/b"):
            self.refused("key", "gen", "ada", "x", "--server", bad)
        self.refused("key", "gen", "nobody", "x")
        self.refused("key", "gen", "ada", "x", "--passphrase-stdin")

    def test_no_secret_is_shown_by_a_repr(self) -> None:
        bundle = clientkeys.make("ed25519", "x", "sesame")
        self.assertNotIn("sesame", repr(bundle))
        self.assertNotIn("PRIVATE", repr(bundle))


class Records(SynchronousTestCase):
    def test_a_long_name_is_cut_in_the_certificate_only(self) -> None:
        certificate = clientkeys.make("ed25519", "x" * 200).certificate
        self.assertEqual(clientkeys.default_name(certificate), "x" * 64)
