"""NAMESPACE (RFC 9051 6.3.10, RFC 2342)."""

from __future__ import annotations

from tests.dialogue import DialogueCase


class NamespaceTests(DialogueCase):
    def test_one_personal_namespace_without_prefix(self) -> None:
        """Client 33: K-9 needs an empty prefix and a delimiter."""
        self.dialogue("""
            C: a NAMESPACE
            S: * NAMESPACE (("" "/")) NIL NIL
            S: a OK NAMESPACE completed
        """)

    def test_bad_syntax(self) -> None:
        self.dialogue("""
            C: a NAMESPACE x
            S: a BAD {*}
        """)

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a NAMESPACE
            S: a BAD log in first
        """, login=None)


class NamespaceByteByByteTests(NamespaceTests):
    byte_by_byte = True
