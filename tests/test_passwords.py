"""Passwords and their verifiers, with the RFCs' own examples as witnesses."""

from base64 import b64decode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity.passwords import (ITERATIONS, PasswordRefused, dummy_verifier, make_verifiers,
                                        prepare, verify)
from moximap.store.interfaces import Verifier


def verifier_of(mechanism: str, salt: str, stored: str, server: str) -> Verifier:
    return Verifier(mechanism, b64decode(salt), 4096, b64decode(stored), b64decode(server))


class Rfcs(SynchronousTestCase):
    """The exchanges of RFC 5802 section 5 and RFC 7677 section 3; keys computed from their proofs."""

    def test_sha1_fits_the_example_of_rfc_5802(self) -> None:
        known = verifier_of("SCRAM-SHA-1", "QSXCR+Q6sek8bf92",
                            "6dlGYMOdZcOPutkcNY8U2g7vK9Y=", "D+CSWLOshSulAsxiupA+qs2/fTE=")
        self.assertTrue(verify("pencil", known))

    def test_sha256_fits_the_example_of_rfc_7677(self) -> None:
        known = verifier_of("SCRAM-SHA-256", "W22ZaJ0SNY7soEsUEjb6gQ==",
                            "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
                            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
        self.assertTrue(verify("pencil", known))


class Verifiers(SynchronousTestCase):
    def test_there_is_one_for_each_hash_with_its_own_salt(self) -> None:
        first, second = make_verifiers("sesame", 4096)
        self.assertEqual([first.mechanism, second.mechanism], ["SCRAM-SHA-256", "SCRAM-SHA-1"])
        self.assertNotEqual(first.salt, second.salt)
        self.assertEqual((len(first.salt), len(first.stored_key), len(second.stored_key)),
                         (16, 32, 20))

    def test_iterations_are_at_least_those_of_rfc_7677(self) -> None:
        self.assertGreaterEqual(ITERATIONS, 4096)

    def test_only_the_right_password_fits(self) -> None:
        for verifier in make_verifiers("sesame", 4096):
            self.assertTrue(verify("sesame", verifier))
            for wrong in ("Sesame", "sesame ", "", "ses\0ame"):
                self.assertFalse(verify(wrong, verifier))

    def test_no_password_fits_the_dummy(self) -> None:
        self.assertFalse(verify("sesame", dummy_verifier()))

    def test_ways_to_type_the_same_password_are_one(self) -> None:
        verifier = make_verifiers("caf\u00e9 bar", 4096)[0]
        self.assertTrue(verify("cafe\u0301\u00a0bar", verifier))


class Refusals(SynchronousTestCase):
    def test_what_cannot_be_typed_is_refused(self) -> None:
        for bad in ("", "tab\there", "nul\0", "\ud800", "\u0378", "line\n"):
            self.assertRaises(PasswordRefused, make_verifiers, bad)

    def test_a_refusal_is_a_value_error_that_does_not_show_the_password(self) -> None:
        error = self.assertRaises(ValueError, prepare, "hunter2\x07")
        self.assertNotIn("hunter2", str(error))
        self.assertIsNone(error.__cause__)

    @settings(max_examples=100, deadline=None)
    @given(st.text())
    def test_any_text_is_prepared_or_refused(self, text: str) -> None:
        try:
            octets = prepare(text)
        except PasswordRefused:
            return
        self.assertEqual(prepare(octets.decode()), octets)
