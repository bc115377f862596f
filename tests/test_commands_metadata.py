"""METADATA (RFC 5464) and LIST-METADATA (RFC 9590)."""

from __future__ import annotations

from moximap.imap.dialect import standard
from moximap.imap.site import Limits
from tests.dialogue import DialogueCase

MINE = "/private/comment"
ALL = "/shared/comment"


class MetadataCase(DialogueCase):
    def server(self, **values: str) -> None:
        """What the administrator tells all accounts."""
        self.directory.annotations.change({f"/shared/{name}": value.encode() for name, value in values.items()})
        self.site.accounts.bell(None)

    def ok(self, command: str, number: str = "") -> None:
        client = self.client(number)
        client.send(b"x " + command.encode() + b"\r\n")
        self.clock.advance(0)
        self.assertIn(b"x OK ", client.received())


class GetTests(MetadataCase):
    def test_an_entry_of_the_server(self) -> None:
        """RFC 5464 4.2: provided by the administrator, readable by all (CONTRACT 80)."""
        self.server(comment="Shared comment", admin="mailto:root@example.org")
        self.server(**{"vendor/deltachat/irohrelay": "https://iroh.example.org"})
        self.dialogue("""
            C: a GETMETADATA "" /shared/comment
            S: * METADATA "" (/shared/comment "Shared comment")
            S: a OK GETMETADATA completed
            C: b GETMETADATA "" (/shared/vendor/deltachat/irohrelay /shared/admin)
            S: * METADATA "" (/shared/admin "mailto:root@example.org" \
/shared/vendor/deltachat/irohrelay "https://iroh.example.org")
            S: b OK GETMETADATA completed
        """)

    def test_entries_of_a_mailbox(self) -> None:
        """RFC 5464 4.2 and 4.4.1: one, several, and several without parentheses."""
        self.ok(f'SETMETADATA INBOX ({MINE} "My own comment" {ALL} "Shared comment")')
        both = f'* METADATA INBOX ({MINE} "My own comment" {ALL} "Shared comment")'
        self.dialogue(f"""
            C: a GETMETADATA "INBOX" /private/comment
            S: * METADATA INBOX (/private/comment "My own comment")
            S: a OK GETMETADATA completed
            C: b GETMETADATA "INBOX" (/shared/comment /private/comment)
            S: {both}
            S: b OK GETMETADATA completed
            C: c GETMETADATA inbox /private/comment /shared/comment
            S: {both}
            S: c OK GETMETADATA completed
        """)

    def test_what_is_not_set_is_not_told(self) -> None:
        """CONTRACT 81: no match, no response."""
        self.dialogue("""
            C: a GETMETADATA INBOX (/private/comment)
            S: a OK GETMETADATA completed
            C: b GETMETADATA "" /shared/admin
            S: b OK GETMETADATA completed
        """)

    def test_maxsize(self) -> None:
        """RFC 5464 4.2.1; CONTRACT 81: LONGENTRIES has the size of the longest; options on either side."""
        self.ok(f'SETMETADATA INBOX ({MINE} "My own comment" {ALL} "{"x" * 2199}")')
        for command in ('"INBOX" (MAXSIZE 1024)', '(MAXSIZE 1024) "INBOX"', "(DEPTH 0 MAXSIZE 14) INBOX"):
            self.dialogue(f"""
                C: a GETMETADATA {command} (/shared/comment /private/comment)
                S: * METADATA INBOX (/private/comment "My own comment")
                S: a OK [METADATA LONGENTRIES 2199] {{*}}
            """)
        self.dialogue("""
            C: b GETMETADATA INBOX (MAXSIZE 3) (/shared/comment /private/comment)
            S: b OK [METADATA LONGENTRIES 2199] {*}
        """)

    def test_depth(self) -> None:
        """RFC 5464 4.2.2."""
        self.ok(r'SETMETADATA INBOX (/private/filters/values/small "SMALLER 5000" '
                r'/private/filters/values/boss "FROM \"boss@example.com\"" /private/filters/values/a/b x)'
                .replace(" x)", ' "x")'))
        small, boss, deep = ('/private/filters/values/small "SMALLER 5000"',
                             r'/private/filters/values/boss "FROM \"boss@example.com\""',
                             '/private/filters/values/a/b "x"')
        self.dialogue(f"""
            C: a GETMETADATA "INBOX" (DEPTH 1) (/private/filters/values)
            S: * METADATA INBOX ({boss} {small})
            S: a OK GETMETADATA completed
            C: b GETMETADATA (depth 0) INBOX /private/filters/values
            S: b OK GETMETADATA completed
            C: c GETMETADATA (DEPTH 1) INBOX /private/filters
            S: c OK GETMETADATA completed
        """)
        for entry in ("/private/filters", "/private/filters/values", "/private", "/"):
            self.dialogue(f"""
                C: a GETMETADATA (DEPTH infinity) INBOX {entry}
                S: * METADATA INBOX ({deep} {boss} {small})
                S: a OK GETMETADATA completed
            """)
        self.dialogue("""
            C: a GETMETADATA (DEPTH infinity) INBOX /private/filters/val
            S: a OK GETMETADATA completed
        """)

    def test_no_such_mailbox(self) -> None:
        """CONTRACT 81."""
        self.dialogue("""
            C: a GETMETADATA nowhere /private/comment
            S: a NO [TRYCREATE] {*}
            C: b SETMETADATA nowhere (/private/comment "x")
            S: b NO [TRYCREATE] {*}
        """)

    def test_names_of_mailboxes_are_encoded(self) -> None:
        self.ok('CREATE "a b/Entw&APw-rfe"')
        self.ok(f'SETMETADATA "a b/Entw&APw-rfe" ({MINE} "x")')
        self.dialogue("""
            C: a GETMETADATA "a b/Entw&APw-rfe" /private/comment
            S: * METADATA "a b/Entw&APw-rfe" (/private/comment "x")
            S: a OK GETMETADATA completed
            C: b ENABLE UTF8=ACCEPT
            S: * ENABLED UTF8=ACCEPT
            S: b OK ENABLE completed
            C: c GETMETADATA "a b/Entwürfe" /private/comment
            S: * METADATA "a b/Entwürfe" (/private/comment "x")
            S: c OK GETMETADATA completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("", "INBOX", "INBOX ()", "INBOX /private", "INBOX /private/", "INBOX /private//x",
                     "INBOX /other/comment", "INBOX /private/a%", 'INBOX "/private/a*"', "INBOX comment",
                     'INBOX "/private/\u00e4"', 'INBOX "/private/a\tb"', "INBOX /shared/vendor/x", "INBOX /",
                     "(DEPTH 2) INBOX /private/x", "(MAXSIZE) INBOX /private/x", "(FANCY 1) INBOX /private/x",
                     "(DEPTH 1) (DEPTH 1)", "() INBOX /private/x", "(MAXSIZE -1) INBOX /private/x",
                     "(DEPTH 1) INBOX /other", "(DEPTH infinity) INBOX //", "INBOX (/private/x /private/y"):
            self.dialogue(f"C: a GETMETADATA {text}\nS: a BAD {{*}}")

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a GETMETADATA "" /shared/comment
            S: a BAD log in first
        """, login=None)

    def test_announced(self) -> None:
        names = standard().capabilities(self.client().protocol.session).split()
        self.assertIn(b"METADATA", names)
        self.assertIn(b"LIST-METADATA", names)
        self.assertNotIn(b"METADATA-SERVER", names)


class GetByteByByteTests(GetTests):
    byte_by_byte = True


class SetTests(MetadataCase):
    limits = Limits(literal=5000)

    def test_literals_of_all_kinds(self) -> None:
        """RFC 5464 4.3; CONTRACT 1.13 h: any nstring."""
        self.dialogue("""
            C: a SETMETADATA INBOX (/private/comment {32}
            S: + go ahead
            C: My new comment across
            C: two lines)
            S: a OK SETMETADATA completed
            C: b GETMETADATA INBOX /private/comment
            S: * METADATA INBOX (/private/comment {32}
            S: My new comment across
            S: two lines)
            S: b OK GETMETADATA completed
            C: c SETMETADATA INBOX (/private/comment {3+}
            C: one /shared/comment ~{5+}
            C: a b\0c)
            S: c OK SETMETADATA completed
            C: d GETMETADATA INBOX (/private/comment /shared/comment)
            S: * METADATA INBOX (/private/comment "one" /shared/comment ~{5}
            S: a b\0c)
            S: d OK GETMETADATA completed
            C: e SETMETADATA {5+}
            C: INBOX ({16+}
            C: /PRIVATE/Comment {0+}
            C: )
            S: e OK SETMETADATA completed
            C: f GETMETADATA INBOX /private/COMMENT
            S: * METADATA INBOX (/private/comment "")
            S: f OK GETMETADATA completed
        """)

    def test_nil_removes(self) -> None:
        """RFC 5464 4.3; what is not there is removed, too."""
        self.dialogue("""
            C: a SETMETADATA INBOX (/private/comment "My new comment" /shared/comment "This one is for you!")
            S: a OK SETMETADATA completed
            C: b SETMETADATA INBOX (/private/comment NIL /private/other NIL)
            S: b OK SETMETADATA completed
            C: c GETMETADATA INBOX (/private/comment /shared/comment)
            S: * METADATA INBOX (/shared/comment "This one is for you!")
            S: c OK GETMETADATA completed
            C: d SETMETADATA INBOX (/private/comment "NIL")
            S: d OK SETMETADATA completed
            C: e GETMETADATA INBOX /private/comment
            S: * METADATA INBOX (/private/comment "NIL")
            S: e OK GETMETADATA completed
        """)

    def test_8_bit_values(self) -> None:
        self.ok("ENABLE UTF8=ACCEPT")
        self.dialogue("""
            C: a SETMETADATA INBOX (/private/comment "Grüße")
            S: a OK SETMETADATA completed
            C: b GETMETADATA INBOX /private/comment
            S: * METADATA INBOX (/private/comment "Grüße")
            S: b OK GETMETADATA completed
        """)
        self.client("2")
        self.dialogue("""
            C2: b GETMETADATA INBOX /private/comment
            S2: * METADATA INBOX (/private/comment {7}
            S2: Grüße)
            S2: b OK GETMETADATA completed
        """)

    def test_private_entries_of_the_server_are_the_accounts_own(self) -> None:
        self.client("2", login="bob")
        self.dialogue("""
            C: a SETMETADATA "" (/private/vendor/x/y "mine")
            S: a OK SETMETADATA completed
            C: b GETMETADATA "" /private/vendor/x/y
            S: * METADATA "" (/private/vendor/x/y "mine")
            S: b OK GETMETADATA completed
            C2: a GETMETADATA "" (DEPTH infinity) /
            S2: a OK GETMETADATA completed
        """)

    def test_shared_entries_of_the_server_are_the_administrators(self) -> None:
        """RFC 5464 3.3: NO, and nothing else of the command is done."""
        self.server(comment="Hello")
        self.dialogue("""
            C: a SETMETADATA "" (/private/comment "x" /shared/comment "mine")
            S: a NO [NOPERM] {*}
            C: b SETMETADATA "" (/shared/comment NIL)
            S: b NO [NOPERM] {*}
            C: c GETMETADATA "" (/private/comment /shared/comment)
            S: * METADATA "" (/shared/comment "Hello")
            S: c OK GETMETADATA completed
        """)

    def test_too_many(self) -> None:
        """CONTRACT 79: 1000 entries in all; a command that goes beyond changes nothing."""
        values = {f"/private/{n}": b"x" for n in range(999)}
        self.account().annotations.change("Sent", values)
        self.dialogue("""
            C: a SETMETADATA INBOX (/private/a "x" /private/b "x")
            S: a NO [METADATA TOOMANY] {*}
            C: b GETMETADATA (DEPTH 1) INBOX /private
            S: b OK GETMETADATA completed
            C: c SETMETADATA "" (/private/a "x")
            S: c OK SETMETADATA completed
            C: d SETMETADATA INBOX (/private/a "x")
            S: d NO [METADATA TOOMANY] {*}
            C: e SETMETADATA Sent (/private/1 "y" /private/2 NIL)
            S: e OK SETMETADATA completed
            C: f SETMETADATA INBOX (/private/a "x")
            S: f OK SETMETADATA completed
        """)

    def test_too_large(self) -> None:
        """CONTRACT 79: 1,000,000 octets of names and values in all."""
        self.account().annotations.change("Sent", {"/private/big": b"x" * (1_000_000 - 12 - 20)})
        self.dialogue("""
            C: a SETMETADATA INBOX (/private/comment "12345")
            S: a NO [METADATA MAXSIZE 1000000] {*}
            C: b SETMETADATA INBOX (/private/comment "1234")
            S: b OK SETMETADATA completed
        """)

    def test_a_value_that_is_too_long(self) -> None:
        """RFC 5464 4.3: NO with MAXSIZE, before it comes where that is possible."""
        self.dialogue(f"""
            C: a SETMETADATA INBOX (/private/comment {{5001}}
            S: a NO [METADATA MAXSIZE 5000] {{*}}
            C: b SETMETADATA INBOX (/private/comment {{5001+}}
            C: {"x" * 5001})
            S: b NO [METADATA MAXSIZE 5000] {{*}}
            C: c SETMETADATA INBOX (/private/comment {{5000+}}
            C: {"x" * 5000})
            S: c OK SETMETADATA completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("", "INBOX", "INBOX ()", 'INBOX /private/x "y"', "INBOX (/private/x)", "INBOX (/private/x y)",
                     'INBOX (/private/x "y"', 'INBOX (/private/x "y" /private/z)', 'INBOX ("x" "y")',
                     'INBOX (/private "y")', 'INBOX (/private/a%b "y")', 'INBOX (/shared/vendor/x "y")',
                     'INBOX (/private/ "y")', 'INBOX (/private//y "y")', 'INBOX (/private/x "y") z'):
            self.dialogue(f"C: a SETMETADATA {text}\nS: a BAD {{*}}")


class SetByteByByteTests(SetTests):
    byte_by_byte = True


class LifeTests(MetadataCase):
    """What becomes of annotations when their mailbox changes; what they do to it."""

    def test_they_follow_a_mailbox_that_is_renamed(self) -> None:
        """RFC 5464 4.1."""
        self.ok("CREATE box")
        self.ok(f'SETMETADATA box ({MINE} "x")')
        self.ok("RENAME box other")
        self.dialogue("""
            C: a GETMETADATA other /private/comment
            S: * METADATA other (/private/comment "x")
            S: a OK GETMETADATA completed
        """)

    def test_they_are_copied_when_inbox_is_renamed(self) -> None:
        """RFC 5464 4.1; CONTRACT 82."""
        self.ok(f'SETMETADATA INBOX ({MINE} "x")')
        self.ok("RENAME INBOX old")
        self.dialogue("""
            C: a GETMETADATA INBOX /private/comment
            S: * METADATA INBOX (/private/comment "x")
            S: a OK GETMETADATA completed
            C: b GETMETADATA old /private/comment
            S: * METADATA old (/private/comment "x")
            S: b OK GETMETADATA completed
        """)
        self.assertEqual(list(self.account().check()), [])

    def test_they_go_with_their_mailbox(self) -> None:
        """RFC 5464 4.1; CONTRACT 82."""
        self.ok("CREATE box")
        self.ok(f'SETMETADATA box ({MINE} "x")')
        self.ok("DELETE box")
        self.ok("CREATE box")
        self.dialogue("""
            C: a GETMETADATA box /private/comment
            S: a OK GETMETADATA completed
        """)
        self.assertEqual(list(self.account().check()), [])

    def test_they_move_the_modseq_of_their_mailbox(self) -> None:
        """CONTRACT 42, RFC 7162: a change is found by HIGHESTMODSEQ; what is as it was moves nothing."""
        seen = []
        for value in ('"x"', '"x"', '"y"', "NIL", "NIL"):
            self.ok(f"SETMETADATA Sent ({MINE} {value})")
            seen.append(self.account().mailbox("Sent").modseq)
        self.assertEqual([b - a for a, b in zip(seen, seen[1:], strict=False)], [0, 1, 1, 0])

    def test_a_selected_mailbox_goes_on(self) -> None:
        self.fill(2)
        self.ok("SELECT INBOX")
        self.ok(f'SETMETADATA INBOX ({MINE} "x")')
        self.fill(1)
        self.dialogue("""
            C: a NOOP
            S: * 3 EXISTS
            S: a OK NOOP completed
        """)


class UnaskedTests(MetadataCase):
    """Unsolicited METADATA: names only, and only after ENABLE (CONTRACT 65)."""

    def test_another_sessions_changes(self) -> None:
        """RFC 5464 4.4.2; what was before ENABLE is not told, nor what this session does itself."""
        self.ok(f'SETMETADATA INBOX ({MINE} "x")', "2")
        self.dialogue("""
            C: e ENABLE METADATA
            S: * ENABLED METADATA
            S: e OK ENABLE completed
            C: a NOOP
            S: a OK NOOP completed
        """)
        self.ok(f'SETMETADATA INBOX ({MINE} "y" {ALL} NIL /private/b "z")', "2")
        self.ok('CREATE "a box"', "2")
        self.ok(f'SETMETADATA "a box" ({MINE} "y")', "2")
        self.dialogue("""
            C: b NOOP
            S: * METADATA INBOX /private/b /private/comment
            S: * METADATA "a box" /private/comment
            S: b OK NOOP completed
            C: c SETMETADATA INBOX (/private/comment "z")
            S: c OK SETMETADATA completed
            C: d NOOP
            S: d OK NOOP completed
        """)

    def test_without_enable_nothing_is_told(self) -> None:
        self.client()
        self.ok(f'SETMETADATA INBOX ({MINE} "y")', "2")
        self.dialogue("C: b NOOP\nS: b OK NOOP completed")

    def test_what_is_removed_is_told(self) -> None:
        self.ok(f'SETMETADATA INBOX ({MINE} "x")', "2")
        self.ok("ENABLE METADATA")
        self.ok(f"SETMETADATA INBOX ({MINE} NIL)", "2")
        self.dialogue("""
            C: b NOOP
            S: * METADATA INBOX /private/comment
            S: b OK NOOP completed
        """)

    def test_one_of_two_changes_at_once_is_our_own(self) -> None:
        self.ok("ENABLE METADATA")
        self.ok(f'SETMETADATA INBOX ({ALL} "x")', "2")
        self.dialogue("""
            C: a SETMETADATA INBOX (/private/comment "y")
            S: * METADATA INBOX /shared/comment
            S: a OK SETMETADATA completed
        """)

    def test_the_servers_entries_alone(self) -> None:
        """METADATA-SERVER, as those call it that have no others."""
        self.dialogue("""
            C: e ENABLE METADATA-SERVER
            S: * ENABLED METADATA-SERVER
            S: e OK ENABLE completed
        """)
        self.ok(f'SETMETADATA INBOX ({MINE} "y")', "2")
        self.ok(f'SETMETADATA "" ({MINE} "y")', "2")
        self.server(comment="we move on Friday")
        self.dialogue("""
            C: b NOOP
            S: * METADATA "" /private/comment /shared/comment
            S: b OK NOOP completed
            C: c ENABLE METADATA
            S: * ENABLED METADATA
            S: c OK ENABLE completed
        """)
        self.ok(f'SETMETADATA INBOX ({MINE} "z")', "2")
        self.dialogue("""
            C: b NOOP
            S: * METADATA INBOX /private/comment
            S: b OK NOOP completed
        """)

    def test_during_idle(self) -> None:
        """CONTRACT 82: with a mailbox selected, whichever it is, and without."""
        self.ok("ENABLE METADATA", "1")
        self.ok("ENABLE METADATA", "3")
        self.ok("SELECT Sent", "1")
        self.dialogue("""
            C1: i IDLE
            S1: + idling
            C3: i IDLE
            S3: + idling
            C2: a SETMETADATA INBOX (/private/comment "y")
            S2: a OK SETMETADATA completed
            S1: * METADATA INBOX /private/comment
            S3: * METADATA INBOX /private/comment
        """)
        self.server(admin="mailto:root@example.org")
        self.dialogue("""
            S1: * METADATA "" /shared/admin
            S3: * METADATA "" /shared/admin
            C1: DONE
            S1: i OK IDLE completed
            C3: DONE
            S3: i OK IDLE completed
        """)

    def test_changes_of_another_process(self) -> None:
        self.ok("ENABLE METADATA")
        self.account().annotations.change("INBOX", {MINE: b"x"})
        self.site.accounts.bell("ada")
        self.dialogue("""
            C: b NOOP
            S: * METADATA INBOX /private/comment
            S: b OK NOOP completed
        """)

    def test_a_mailbox_that_is_renamed_is_told_by_its_new_name(self) -> None:
        self.ok("CREATE box", "2")
        self.ok("ENABLE METADATA")
        self.ok(f'SETMETADATA box ({MINE} "x")', "2")
        self.ok("RENAME box other", "2")
        self.dialogue("""
            C: b NOOP
            S: * METADATA other /private/comment
            S: b OK NOOP completed
        """)

    def test_the_store_is_asked_only_when_something_happened(self) -> None:
        self.ok("ENABLE METADATA")
        asked = []
        annotations = self.client().protocol.session.account.annotations
        since = annotations.since
        self.patch(annotations, "since", lambda modseq: asked.append(modseq) or since(modseq))
        self.dialogue("C: b NOOP\nS: b OK NOOP completed\nC: c NOOP\nS: c OK NOOP completed")
        self.assertEqual(asked, [])


class ListTests(MetadataCase):
    def test_list_with_annotations(self) -> None:
        """The example of RFC 9590; CONTRACT 83: one response per mailbox, NIL for what it lacks."""
        color = "/shared/vendor/cmu/cyrus-imapd/color"
        self.ok("CREATE foo")
        self.ok("CREATE foo/bar")
        self.ok(f'SETMETADATA INBOX ({color} "#b71c1c")')
        self.ok(f'SETMETADATA foo ({MINE} "x")')
        self.dialogue(f"""
            C: a LIST "" (INBOX foo%) RETURN (METADATA ({color}))
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * METADATA INBOX ({color} "#b71c1c")
            S: * LIST (\\HasChildren) "/" foo
            S: * METADATA foo ({color} NIL)
            S: a OK LIST completed
            C: b LIST "" foo RETURN (METADATA ("{color.upper()}" {MINE} {MINE}) STATUS (MESSAGES))
            S: * LIST (\\HasChildren) "/" foo
            S: * METADATA foo ({color} NIL {MINE} "x")
            S: * STATUS foo (MESSAGES 0)
            S: b OK LIST completed
            C: c LIST "" foo
            S: * LIST (\\HasChildren) "/" foo
            S: c OK LIST completed
        """)

    def test_names_without_a_mailbox_have_none(self) -> None:
        self.ok("SUBSCRIBE gone")
        self.dialogue(f"""
            C: a LIST (SUBSCRIBED) "" gone RETURN (METADATA ({MINE}))
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" gone
            S: a OK LIST completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("METADATA", "METADATA ()", f"METADATA {MINE}", "METADATA (/private)", "METADATA (x)",
                     f"METADATA ({MINE}", f"METADATA({MINE})", "METADATA (DEPTH 1)"):
            self.dialogue(f'C: a LIST "" * RETURN ({text})\nS: a BAD {{*}}')


class ListByteByByteTests(ListTests):
    byte_by_byte = True
