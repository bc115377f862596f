"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8, RFC 6154, RFC 5530)."""

from __future__ import annotations

from moximap.imap.commands.mailboxes import CreateParameter
from moximap.imap.dialect import Dialect, Extension, standard
from tests.dialogue import DialogueCase


class CreateTests(DialogueCase):
    def test_a_separator_at_the_end_is_ignored(self) -> None:
        """A003 and A004 of RFC 9051 6.3.4; rule 86: subscribed."""
        self.dialogue(r"""
            C: A003 CREATE owatagusiam/
            S: A003 OK [MAILBOXID ({*})] CREATE completed
            C: A004 CREATE owatagusiam/blurdybloop
            S: A004 OK [MAILBOXID ({*})] CREATE completed
            C: b LSUB "" o*
            S: * LSUB (\HasChildren) "/" owatagusiam
            S: * LSUB (\HasNoChildren) "/" owatagusiam/blurdybloop
            S: b OK LSUB completed
        """)

    def test_parents_are_made(self) -> None:
        """Rule 86; client 28: as mailboxes that can be selected."""
        self.dialogue(r"""
            C: a CREATE foo/bar/zap
            S: a OK [MAILBOXID ({*})] CREATE completed
            C: b STATUS foo (MESSAGES)
            S: * STATUS foo (MESSAGES 0)
            S: b OK STATUS completed
        """)

    def test_who_speaks_imap4rev2_is_told_the_names(self) -> None:
        """Others did not ask for a LIST, and c-client's mailutil crashes at it."""
        self.dialogue(r"""
            C: a ENABLE IMAP4rev2
            S: * ENABLED IMAP4rev2
            S: a OK {*}
            C: b CREATE foo/bar/zap (USE (\Junk))
            S: * LIST (\HasChildren \Subscribed) "/" foo
            S: * LIST (\HasChildren \Subscribed) "/" foo/bar
            S: * LIST (\HasNoChildren \Junk \Subscribed) "/" foo/bar/zap
            S: b OK [MAILBOXID ({*})] CREATE completed
        """)

    def test_what_exists(self) -> None:
        self.dialogue("""
            C: a CREATE inbox
            S: a NO [ALREADYEXISTS] {*}
            C: b CREATE Sent
            S: b NO [ALREADYEXISTS] {*}
        """)

    def test_below_inbox(self) -> None:
        """Client 4: children have INBOX in the one spelling."""
        self.dialogue(r"""
            C: a CREATE inBox/Lists
            S: a OK [MAILBOXID ({*})] CREATE completed
        """)

    def test_names_that_cannot_be(self) -> None:
        """Rule 86."""
        for name in ('""', "a//b", "/a", "a//", "#news", "a/../b", ".", '"a%"', '"a*"', '"a\x7f"', "&AIA-",
                     "&ICg-", "e&AwE-", '"' + "n" * 1500 + '"', "a/" * 60 + "a"):
            self.dialogue(f"C: a CREATE {name}\nS: a NO [CANNOT] {{*}}")

    def test_uses(self) -> None:
        """t2 and t3 of RFC 6154 5.3; rule 85: a use is taken from its holder."""
        self.dialogue(r"""
            C: t2 CREATE MySpecial (USE (\Drafts \sent))
            S: t2 OK [MAILBOXID ({*})] CREATE completed
            C: t3 CREATE Everything (USE (\All))
            S: t3 NO [USEATTR] {*}
            C: t4 LIST "" ("Drafts" "Sent" "Every*" "My*")
            S: * LIST (\HasNoChildren) "/" Drafts
            S: * LIST (\HasNoChildren \Drafts \Sent) "/" MySpecial
            S: * LIST (\HasNoChildren) "/" Sent
            S: t4 OK LIST completed
            C: t5 CREATE Plain (USE ())
            S: t5 OK [MAILBOXID ({*})] CREATE completed
        """)

    def test_uses_that_are_never_given(self) -> None:
        """Client 23: NO [USEATTR], and nothing is created."""
        for use in (r"\All", r"\Flagged", r"\Important", r"\Fancy", r"\Sent \Fancy"):
            self.dialogue(rf"""
                C: a CREATE deep/new (USE ({use}))
                S: a NO [USEATTR] {{*}}
                C: b LIST "" ("deep*" Sent)
                S: * LIST (\HasNoChildren \Sent) "/" Sent
                S: b OK LIST completed
            """)

    def test_a_mailbox_that_comes_back_has_other_uids(self) -> None:
        """Client 20: its UIDVALIDITY is higher."""
        self.dialogue(r"""
            C: a CREATE x
            S: a OK [MAILBOXID ({*})] CREATE completed
            C: b STATUS x (UIDVALIDITY)
            S: * STATUS x (UIDVALIDITY {old})
            S: b OK STATUS completed
            C: c DELETE x
            S: c OK DELETE completed
            C: d CREATE x
            S: d OK [MAILBOXID ({*})] CREATE completed
            C: e STATUS x (UIDVALIDITY)
            S: * STATUS x (UIDVALIDITY {new})
            S: e OK STATUS completed
        """)
        self.assertGreater(int(self.bound["new"]), int(self.bound["old"]))

    def test_other_sessions_see_it(self) -> None:
        self.dialogue(r"""
            C1: a CREATE x
            S1: a OK [MAILBOXID ({*})] CREATE completed
            C2: b STATUS x (MESSAGES)
            S2: * STATUS x (MESSAGES 0)
            S2: b OK STATUS completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("CREATE", "CREATE a b", "CREATE a ()", r"CREATE a (USE)", r"CREATE a (USE \Sent)",
                     r"CREATE a (USE (Sent))", r"CREATE a (USE (\Sent)", "CREATE a (FANCY)",
                     r"CREATE a USE (\Sent)", r"CREATE a (USE (\Sent) USE (\Junk))",
                     r"CREATE a (USE (\Sent\Junk))", r"CREATE (USE (\Sent))"):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")

    def test_a_trailing_space_is_let_through(self) -> None:
        self.client().send(b"a CREATE x \r\n")
        self.assertIn(b"a OK", self.client().received())

    def test_parameters_of_another_module(self) -> None:
        self.site.dialect = Dialect((*standard().extensions, Extension(name="made up", rfcs=(), create={
            b"QUIET": CreateParameter(lambda p: None, lambda value: {"subscribe": False}),
            b"NUMBER": CreateParameter(code=lambda mailbox: b"NUMBER %d" % mailbox.id)})))
        self.dialogue(r"""
            C: a CREATE x (QUIET)
            S: a OK [MAILBOXID ({*}) NUMBER {n}] CREATE completed
            C: b LSUB "" x
            S: b OK LSUB completed
            C: c CREATE y (NUMBER)
            S: c BAD unknown CREATE parameter: NUMBER
        """)


class DeleteTests(DialogueCase):
    def test_children_must_go_first(self) -> None:
        """A682 to A687 of RFC 9051 6.3.5."""
        self.dialogue(r"""
            C: a CREATE foo/bar
            S: a OK [MAILBOXID ({*})] CREATE completed
            C: A684 DELETE foo
            S: A684 NO [HASCHILDREN] {*}
            C: A685 DELETE foo/bar
            S: A685 OK DELETE completed
            C: A686 LIST "" f*
            S: * LIST (\HasNoChildren) "/" foo
            S: A686 OK LIST completed
            C: A687 DELETE foo/
            S: A687 OK DELETE completed
            C: b LIST "" f*
            S: b OK LIST completed
            C: c LIST (SUBSCRIBED) "" f*
            S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" foo
            S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" foo/bar
            S: c OK LIST completed
        """)

    def test_what_cannot_be_deleted(self) -> None:
        self.dialogue("""
            C: a DELETE nowhere
            S: a NO [NONEXISTENT] {*}
            C: b DELETE Inbox
            S: b NO [CANNOT] {*}
            C: c DELETE
            S: c BAD {*}
            C: d DELETE a b
            S: d BAD {*}
        """)

    def test_sessions_that_have_it_selected_keep_it(self) -> None:
        """Rule 37: they hear that its messages are gone, and go on."""
        self.fill(2, "Junk")
        for number in ("1", "2"):
            self.client(number).send(b"s SELECT Junk\r\n")
            self.client(number).received()
        self.dialogue("""
            C1: a DELETE Junk
            S1: * 2 EXPUNGE
            S1: * 1 EXPUNGE
            S1: a OK DELETE completed
            C2: b NOOP
            S2: * 2 EXPUNGE
            S2: * 1 EXPUNGE
            S2: b OK NOOP completed
            C2: c STATUS Junk (MESSAGES)
            S2: c NO [NONEXISTENT] {*}
            C2: d NOOP
            S2: d OK NOOP completed
        """)


class RenameTests(DialogueCase):
    def test_children_go_along(self) -> None:
        """A683 and A684 of RFC 9051 6.3.6; subscriptions are by the new name and by the old."""
        self.dialogue(r"""
            C: a CREATE foo/bar
            S: a OK [MAILBOXID ({*})] CREATE completed
            C: A684 RENAME foo zowie
            S: A684 OK RENAME completed
            C: A685 LIST "" ("foo*" "zowie*")
            S: * LIST (\HasChildren) "/" zowie
            S: * LIST (\HasNoChildren) "/" zowie/bar
            S: A685 OK LIST completed
            C: b LSUB "" "foo*"
            S: * LSUB (\HasChildren) "/" foo
            S: * LSUB (\HasNoChildren) "/" foo/bar
            S: b OK LSUB completed
            C: c LSUB "" "zowie*"
            S: * LSUB (\HasChildren) "/" zowie
            S: * LSUB (\HasNoChildren) "/" zowie/bar
            S: c OK LSUB completed
        """)

    def test_parents_are_made(self) -> None:
        self.dialogue(r"""
            C: a RENAME Junk baz/rag/zowie/
            S: a OK RENAME completed
            C: b LIST "" ("baz*" "Junk")
            S: * LIST (\HasChildren) "/" baz
            S: * LIST (\HasChildren) "/" baz/rag
            S: * LIST (\HasNoChildren \Junk) "/" baz/rag/zowie
            S: b OK LIST completed
        """)

    def test_inbox_gives_its_messages(self) -> None:
        """Z433 of RFC 9051 6.3.6, and rule 86: INBOX and its children stay."""
        self.fill(2)
        self.client().send(b"a CREATE INBOX/bar\r\nb SELECT INBOX\r\n")
        self.client().received()
        self.dialogue(r"""
            C: Z433 RENAME INBOX old-mail
            S: * 2 EXPUNGE
            S: * 1 EXPUNGE
            S: Z433 OK RENAME completed
            C: Z434 LIST "" ("INBOX*" old-mail) RETURN (STATUS (MESSAGES))
            S: * LIST (\HasChildren) "/" INBOX
            S: * STATUS INBOX (MESSAGES 0)
            S: * LIST (\HasNoChildren) "/" INBOX/bar
            S: * STATUS INBOX/bar (MESSAGES 0)
            S: * LIST (\HasNoChildren) "/" old-mail
            S: * STATUS old-mail (MESSAGES 2)
            S: Z434 OK LIST completed
        """)

    def test_what_cannot_be_renamed(self) -> None:
        self.dialogue("""
            C: a RENAME nowhere x
            S: a NO [NONEXISTENT] {*}
            C: b RENAME Junk Sent
            S: b NO [ALREADYEXISTS] {*}
            C: c RENAME Junk inbox
            S: c NO [ALREADYEXISTS] {*}
            C: d RENAME Junk Junk/below
            S: d NO [CANNOT] {*}
            C: e RENAME Junk a//b
            S: e NO [CANNOT] {*}
            C: f RENAME Junk
            S: f BAD {*}
            C: g RENAME Junk a b
            S: g BAD {*}
        """)


class SubscribeTests(DialogueCase):
    def test_subscribing_twice_and_never(self) -> None:
        self.dialogue(r"""
            C: a UNSUBSCRIBE Sent
            S: a OK UNSUBSCRIBE completed
            C: b UNSUBSCRIBE Sent
            S: b OK UNSUBSCRIBE completed
            C: c UNSUBSCRIBE #news.comp.mail.mime
            S: c OK UNSUBSCRIBE completed
            C: d LSUB "" S*
            S: d OK LSUB completed
            C: e SUBSCRIBE Sent/
            S: e OK SUBSCRIBE completed
            C: f SUBSCRIBE Sent
            S: f OK SUBSCRIBE completed
            C: g LSUB "" S*
            S: * LSUB (\HasNoChildren \Sent) "/" Sent
            S: g OK LSUB completed
        """)

    def test_names_that_can_and_cannot_be(self) -> None:
        """A mailbox need not exist; a name that none can have is refused (A002 of RFC 9051 6.3.7)."""
        self.dialogue("""
            C: a SUBSCRIBE not/there
            S: a OK SUBSCRIBE completed
            C: b SUBSCRIBE #news.comp.mail.mime
            S: b NO [CANNOT] {*}
            C: c SUBSCRIBE
            S: c BAD {*}
            C: d SUBSCRIBE a b
            S: d BAD {*}
            C: e UNSUBSCRIBE
            S: e BAD {*}
        """)

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a SUBSCRIBE x
            S: a BAD log in first
            C: b CREATE x
            S: b BAD log in first
            C: c DELETE x
            S: c BAD log in first
            C: d RENAME x y
            S: d BAD log in first
            C: e UNSUBSCRIBE x
            S: e BAD log in first
        """, login=None)


class CreateByteByByteTests(CreateTests):
    byte_by_byte = True


class DeleteByteByByteTests(DeleteTests):
    byte_by_byte = True


class RenameByteByByteTests(RenameTests):
    byte_by_byte = True


class SubscribeByteByByteTests(SubscribeTests):
    byte_by_byte = True
