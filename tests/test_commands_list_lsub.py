"""LSUB (RFC 3501 6.3.9)."""

from __future__ import annotations

from twisted.internet.defer import execute

from moximap.imap.commands import listing
from tests.dialogue import DialogueCase
from tests.test_commands_list import ListCase


class LSubTests(ListCase):
    mailboxes = ("foo", "foo/bar", "foo/bar/deep", "moo", "Entwürfe")
    subscribed = ("INBOX", "foo/bar", "moo", "gone/away", "Entwürfe")

    def test_subscribed_names(self) -> None:
        """Names that do not exist are not marked: \\NonExistent implies \\Noselect, which means much here."""
        self.dialogue(r"""
            C: a LSUB "" "*"
            S: * LSUB (\HasNoChildren) "/" INBOX
            S: * LSUB (\HasNoChildren) "/" Entw&APw-rfe
            S: * LSUB (\HasChildren) "/" foo/bar
            S: * LSUB (\HasNoChildren) "/" gone/away
            S: * LSUB (\HasNoChildren) "/" moo
            S: a OK LSUB completed
        """)

    def test_percent_gives_the_name_above(self) -> None:
        """A003 of RFC 3501 6.3.9."""
        self.dialogue(r"""
            C: A003 LSUB "" %
            S: * LSUB (\HasNoChildren) "/" INBOX
            S: * LSUB (\HasNoChildren) "/" Entw&APw-rfe
            S: * LSUB (\Noselect \HasChildren) "/" foo
            S: * LSUB (\Noselect \HasChildren) "/" gone
            S: * LSUB (\HasNoChildren) "/" moo
            S: A003 OK LSUB completed
            C: b SUBSCRIBE foo
            S: b OK SUBSCRIBE completed
            C: c LSUB "" f%
            S: * LSUB (\HasChildren) "/" foo
            S: c OK LSUB completed
        """)

    def test_percent_anywhere_in_the_pattern(self) -> None:
        """Defect l: not only at its end."""
        self.dialogue(r"""
            C: a SUBSCRIBE foo/bar/deep
            S: a OK SUBSCRIBE completed
            C: b UNSUBSCRIBE foo/bar
            S: b OK UNSUBSCRIBE completed
            C: c LSUB "" "%/bar"
            S: * LSUB (\Noselect \HasChildren) "/" foo/bar
            S: c OK LSUB completed
            C: d LSUB foo/ "%"
            S: * LSUB (\Noselect \HasChildren) "/" foo/bar
            S: d OK LSUB completed
            C: e LSUB "" "foo/bar"
            S: e OK LSUB completed
        """)

    def test_a_child_of_a_name_that_is_gone(self) -> None:
        self.dialogue(r"""
            C: a SUBSCRIBE gone
            S: a OK SUBSCRIBE completed
            C: b LSUB "" g%
            S: * LSUB (\HasChildren) "/" gone
            S: b OK LSUB completed
        """)

    def test_the_delimiter(self) -> None:
        self.dialogue(r"""
            C: a LSUB "" ""
            S: * LSUB (\Noselect) "/" ""
            S: a OK LSUB completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("LSUB", 'LSUB ""', 'LSUB "" (a b)', 'LSUB (SUBSCRIBED) "" *',
                     'LSUB "" * RETURN (CHILDREN)'):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")


class LSubByteByByteTests(LSubTests):
    byte_by_byte = True


class MacTests(DialogueCase):
    def test_special_uses_are_told(self) -> None:
        """Client 5: macOS Mail asks LSUB "" *."""
        self.dialogue(r"""
            C: a LSUB "" *
            S: * LSUB (\HasNoChildren) "/" INBOX
            S: * LSUB (\HasNoChildren \Archive) "/" Archive
            S: * LSUB (\HasNoChildren \Drafts) "/" Drafts
            S: * LSUB (\HasNoChildren \Junk) "/" Junk
            S: * LSUB (\HasNoChildren \Sent) "/" Sent
            S: * LSUB (\HasNoChildren \Trash) "/" Trash
            S: a OK LSUB completed
        """)


class FewTests(ListCase):
    """Few names are read at once, many in the store's thread."""

    subscribed = ("INBOX",)

    def test_as_many_as_there_were_the_last_time(self) -> None:
        threads: list[object] = []
        self.patch(self.site.pool, "call", lambda f, *args: threads.append(f) or execute(f, *args))
        self.patch(self.site.pool, "quick", execute)
        client = self.client()
        told, went = [], []
        for command, few in (("LIST", 64), ("LIST", 64), ("LSUB", 0), ("LIST", 64), ("LIST", 64)):
            self.patch(listing, "FEW", few)
            client.send(f'x {command} "" INBOX\r\n'.encode())
            told.append(client.received().count(b'"/" INBOX\r\n'))
            went.append(threads.count(listing._made))
            threads.clear()
        self.assertEqual(told, [1] * 5)
        self.assertEqual(went, [1, 0, 0, 1, 0])
        for command in (b'LIST "%b" (I N)' % (b"*a" * 120), b'LIST "" %b' % (b"*a" * 200),
                        b'LSUB "" %b' % (b"*a" * 200)):
            client.send(b"x %b\r\n" % command)
            self.assertIn(b"x OK", client.received())
            self.assertEqual(len(threads), 1, command)
            threads.clear()
