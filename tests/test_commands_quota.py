"""QUOTA (RFC 9208)."""

from __future__ import annotations

from moximap.imap.dialect import standard
from moximap.values import Resource
from tests.dialogue import HELLO
from tests.test_commands_append import AppendCase


class QuotaCase(AppendCase):
    def limit(self, **limits: int | None) -> None:
        """As `moximap quota` does, in another process."""
        named: dict[Resource, int | None] = {}
        named.update(limits)  # type: ignore[arg-type]
        self.account().set_quota(named)


class QuotaTests(QuotaCase):
    def test_getquota(self) -> None:
        """G0001 of the RFC; limits of two resources, and the one that is always there."""
        self.limit(storage=512 * 1024, messages=1000)
        self.fill(3)
        self.dialogue(f"""
            C: G0001 GETQUOTA ""
            S: * QUOTA "" (STORAGE {-(-3 * len(HELLO) // 1024)} 512 MESSAGE 3 1000 MAILBOX 6 10000)
            S: G0001 OK GETQUOTA completed
        """)

    def test_getquotaroot(self) -> None:
        """G0002 of the RFC; the mailbox need not exist."""
        self.limit(messages=1000, mailboxes=20)
        self.dialogue("""
            C: G0002 GETQUOTAROOT inbox
            S: * QUOTAROOT INBOX ""
            S: * QUOTA "" (MESSAGE 0 1000 MAILBOX 6 20)
            S: G0002 OK GETQUOTAROOT completed
            C: b GETQUOTAROOT "not there"
            S: * QUOTAROOT "not there" ""
            S: * QUOTA "" (MESSAGE 0 1000 MAILBOX 6 20)
            S: b OK GETQUOTAROOT completed
            C: c GETQUOTAROOT &AOQ-
            S: * QUOTAROOT &AOQ- ""
            S: * QUOTA "" (MESSAGE 0 1000 MAILBOX 6 20)
            S: c OK GETQUOTAROOT completed
            C: d ENABLE IMAP4rev2
            S: * ENABLED {*}
            S: d OK {*}
            C: e GETQUOTAROOT {2+}
            C: ä
            S: * QUOTAROOT "ä" ""
            S: * QUOTA "" (MESSAGE 0 1000 MAILBOX 6 20)
            S: e OK GETQUOTAROOT completed
        """)

    def test_storage_is_told_in_units_of_1024_octets(self) -> None:
        """5.1: what is used is rounded up."""
        self.limit(storage=2048)
        for size, units in ((1, 1), (1023, 1), (1, 2)):
            self.fill(1, content=b"x" * size)
            self.dialogue(f"""
                C: a GETQUOTA ""
                S: * QUOTA "" (STORAGE {units} 2 MAILBOX 6 10000)
                S: a OK GETQUOTA completed
            """)

    def test_no_other_root(self) -> None:
        self.dialogue("""
            C: a GETQUOTA "!partition/sda4"
            S: a NO [NONEXISTENT] there is no such quota root
            C: b GETQUOTA ada
            S: b NO [NONEXISTENT] there is no such quota root
        """)

    def test_setquota_is_refused(self) -> None:
        """4.1.3: QUOTASET is not announced."""
        self.dialogue("""
            C: S0001 SETQUOTA "" (STORAGE 510)
            S: S0001 NO [NOPERM] limits are set by the administrator
            C: b SETQUOTA "#user/alice" ()
            S: b NO [NOPERM] limits are set by the administrator
            C: c GETQUOTA ""
            S: * QUOTA "" (MAILBOX 6 10000)
            S: c OK GETQUOTA completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("GETQUOTA", "GETQUOTA a b", "GETQUOTA (a)", "GETQUOTAROOT", "GETQUOTAROOT a b", "SETQUOTA",
                     'SETQUOTA ""', 'SETQUOTA "" STORAGE 510', 'SETQUOTA "" (STORAGE)',
                     'SETQUOTA "" (STORAGE -1)', 'SETQUOTA "" (STORAGE 9223372036854775808)'):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a GETQUOTA ""
            S: a BAD log in first
            C: b GETQUOTAROOT INBOX
            S: b BAD log in first
        """, login=None)

    def test_status_tells_what_expunge_would_free(self) -> None:
        """S0003 of the RFC; defect l: DELETED-STORAGE is the real size, in octets."""
        self.fill(8)
        self.fill(4, flags=("\\Deleted",))
        self.dialogue(f"""
            C: S0003 STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)
            S: * STATUS INBOX (MESSAGES 12 DELETED 4 DELETED-STORAGE {4 * len(HELLO)})
            S: S0003 OK STATUS completed
            C: b STATUS Sent (DELETED-STORAGE)
            S: * STATUS Sent (DELETED-STORAGE 0)
            S: b OK STATUS completed
        """)

    def test_announced(self) -> None:
        names = standard().capabilities(self.client().protocol.session).split()
        for name in (b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE", b"QUOTA=RES-MAILBOX"):
            self.assertIn(name, names)
        self.assertNotIn(b"QUOTASET", names)


class OverQuotaTests(QuotaCase):
    def test_append_is_refused_before_its_message_is_asked_for(self) -> None:
        """4.3.1, rule 73."""
        self.limit(storage=1024)
        self.dialogue("""
            C: A003 APPEND INBOX (\\Seen) {1025}
            S: A003 NO [OVERQUOTA] {*}
            C: b APPEND INBOX {5}
            S: + go ahead
            C: hello
            S: b OK {*}
        """)
        self.assertIn(b"c NO [OVERQUOTA] ", self.said(b"c APPEND INBOX {1020+}\r\n" + b"x" * 1020 + b"\r\n"))
        self.assertEqual(self.contents(), [b"hello"])

    def test_rule_73_announced_sizes_are_summed(self) -> None:
        """A005 of RFC 3502."""
        self.limit(storage=10 * 1024)
        first = (b"Date: Mon, 7 Feb 2000 22:43:04 -0800 (PST)\r\nFrom: Fred Foobar <fred@example.com>\r\n"
                 b"Subject: hmm...\r\n")
        self.account().create("test")
        self.assertEqual(self.said(b"A005 APPEND test (\\Flagged) {%d}\r\n" % len(first)), b"+ go ahead\r\n")
        self.assertRegex(self.said(first + b" {35403}\r\n"), rb"^A005 NO \[OVERQUOTA\] [^\r]*\r\n$")
        self.assertEqual(self.said(b"b APPEND test {%d+}\r\n" % len(first) + first + b" {10239}\r\n")[:16],
                         b"b NO [OVERQUOTA]")
        self.assertEqual(self.contents("test"), [])

    def test_the_number_of_messages(self) -> None:
        self.limit(messages=1)
        self.dialogue("""
            C: a APPEND INBOX {5}
            S: + go ahead
            C: first {6}
            S: a NO [OVERQUOTA] {*}
            C: b APPEND INBOX {5+}
            C: first {6+}
            C: second
            S: b NO [OVERQUOTA] {*}
        """)
        self.assertEqual(self.contents(), [])

    def test_reached_by_another_session_while_the_message_comes(self) -> None:
        self.limit(messages=1)
        self.dialogue("""
            C: a APPEND INBOX {5}
            S: + go ahead
            C2: b APPEND INBOX {5+}
            C2: other
            S2: b OK {*}
            C: hello
            S: a NO [OVERQUOTA] {*}
        """)
        self.assertEqual(self.contents(), [b"other"])

    def test_copy_is_refused_whole_and_move_is_not(self) -> None:
        self.fill(3)
        self.limit(messages=5)
        self.said(b"s SELECT INBOX\r\n")
        self.dialogue("""
            C: A004 COPY 1:3 Sent
            S: A004 NO [OVERQUOTA] {*}
            C: b COPY 1:2 Sent
            S: b OK {*}
            C: c UID COPY 3 INBOX
            S: c NO [OVERQUOTA] {*}
            C: d MOVE 1:3 Sent
            S: * OK {*}
            S: * 3 EXPUNGE
            S: * 2 EXPUNGE
            S: * 1 EXPUNGE
            S: d OK MOVE completed
        """)
        self.assertEqual(len(self.contents("Sent")), 5)

    def test_rule_75_replace_is_judged_by_what_it_adds(self) -> None:
        """RFC 8508 3.4: the old message is on its way out; the RFC overrules the rule's other reading."""
        self.fill(1, content=b"x" * 1000)
        self.limit(storage=1024, messages=1)
        self.said(b"s SELECT INBOX\r\n")
        self.dialogue("""
            C: a REPLACE 1 INBOX {1025}
            S: a NO [OVERQUOTA] {*}
            C: b REPLACE 1 Sent {1024}
            S: + go ahead
        """)
        self.assertIn(b"b OK", self.said(b"y" * 1024 + b"\r\n"))
        self.assertEqual(self.contents("Sent"), [b"y" * 1024])

    def test_create(self) -> None:
        self.limit(mailboxes=7)
        self.dialogue("""
            C: a CREATE a/b
            S: a NO [OVERQUOTA] {*}
            C: b LIST "" a*
            S: b OK LIST completed
            C: c CREATE a
            S: c OK {*}
            C: d CREATE b
            S: d NO [OVERQUOTA] {*}
        """)

    def test_a_large_message_that_came_in_vain_leaves_no_file(self) -> None:
        self.said(b"a APPEND INBOX {200000}\r\n")
        self.limit(storage=1024)
        self.assertIn(b"a NO [OVERQUOTA] ", self.said(b"x" * 200000 + b"\r\n"))
        self.assertEqual(self.files("tmp") + self.files("large"), [])


class QuotaByteByByteTests(QuotaTests):
    byte_by_byte = True


class OverQuotaByteByByteTests(OverQuotaTests):
    byte_by_byte = True
