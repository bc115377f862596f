"""ID (RFC 2971)."""

from __future__ import annotations

import moximap
from tests.dialogue import DialogueCase


class IdTests(DialogueCase):
    def test_before_login_there_is_no_version(self) -> None:
        """Rule 26; client 32: ID comes before login or after it, as ID () or ID NIL."""
        self.dialogue(f"""
            S: * OK {{*}}
            C: a023 ID ("name" "sodr" "version" "19.34" "vendor" "Pink Floyd Music Limited")
            S: * ID ("name" "moximap")
            S: a023 OK ID completed
            C: b ID ()
            S: * ID ("name" "moximap")
            S: b OK ID completed
            C: c LOGIN ada secret
            S: c OK {{*}}
            C: a042 ID NIL
            S: * ID ("name" "moximap" "version" "{moximap.__version__}")
            S: a042 OK ID completed
        """, login=None)
        self.client().send(b"d SELECT INBOX\r\n")
        self.client().received()
        self.dialogue(f"""
            C: e id nil
            S: * ID ("name" "moximap" "version" "{moximap.__version__}")
            S: e OK ID completed
        """)
        self.assertEqual(self.client().protocol.session.client_id,
                         {"name": "sodr", "version": "19.34", "vendor": "Pink Floyd Music Limited"})

    def test_spaces_inside_the_parentheses_are_skipped(self) -> None:
        """aioimaplib sends them; other servers take them."""
        self.client().send(b'a ID ( "name" "x" )\r\nb ID ( )\r\n')
        self.assertRegex(self.client().received(), rb'\* ID [^\r]*\r\na OK [^\r]*\r\n\* ID [^\r]*\r\nb OK ')
        self.assertEqual(self.client().protocol.session.client_id, {"name": "x"})

    def test_what_the_client_says_is_kept(self) -> None:
        """Names of fields are in any case; values may be NIL, literals, UTF-8, or no UTF-8 at all."""
        self.client().send(b'a ID ("NAME" {3+}\r\nfoo "os" NIL "Vendor" "\xc3\xa9" "x" "\xff")\r\n')
        self.assertIn(b"a OK", self.client().received())
        self.assertEqual(self.client().protocol.session.client_id,
                         {"name": "foo", "os": None, "vendor": "é", "x": "\ufffd"})

    def test_limits(self) -> None:
        """RFC 2971 3.3: 30 fields, 30 octets, 1024 octets."""
        fields = " ".join(f'"f{i}" "v"' for i in range(30))
        self.dialogue(f"""
            C: a ID ({fields})
            S: * ID {{*}}
            S: a OK ID completed
            C: b ID ({fields} "more" "v")
            S: b BAD ID has over 30 fields
            C: c ID ("{"f" * 30}" "{"v" * 1024}")
            S: * ID {{*}}
            S: c OK ID completed
            C: d ID ("{"f" * 31}" "v")
            S: d BAD an ID field is too long
            C: e ID ("f" "{"v" * 1025}")
            S: e BAD an ID field is too long
        """)
        self.assertEqual(list(self.client().protocol.session.client_id), ["f" * 30])

    def test_bad_syntax(self) -> None:
        """Rule 25: a field that comes twice is an error."""
        for text in ("ID", "ID x", 'ID ("name")', 'ID ("name" "a" "NAME" "b")', "ID (name foo)",
                     'ID "name" "a"',
                     'ID ("name" "a"', 'ID (NIL "a")', 'ID ("name" ("a"))', "ID NIL NIL",
                     'ID ("a" "b""c" "d")'):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")


class IdByteByByteTests(IdTests):
    byte_by_byte = True
