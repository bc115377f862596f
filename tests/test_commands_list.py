"""LIST and its extensions (RFC 9051 6.3.9, RFC 5258, RFC 3348, RFC 5819, RFC 6154)."""

from __future__ import annotations

from time import perf_counter

from moximap.imap.commands.list import Return, Selection
from moximap.imap.dialect import Dialect, Extension, standard
from tests.dialogue import DialogueCase


class ListCase(DialogueCase):
    """``mailboxes`` are all there are besides INBOX; ``subscribed`` are all subscriptions."""

    mailboxes: tuple[str, ...] = ()
    subscribed: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        account = self.directory.open("ada")
        listing = account.mailboxes()
        for name in listing.subscribed:
            account.subscribe(name, False)
        for mailbox in listing.mailboxes:
            if mailbox.name != "INBOX":
                account.delete(mailbox.name)
        for name in self.mailboxes:
            account.create(name, subscribe=False)
        for name in self.subscribed:
            account.subscribe(name, True)
        account.close()


class FruitTests(ListCase):
    """The hierarchy of the examples of RFC 9051 6.3.9.8."""

    mailboxes = ("Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli",
                 "Vegetable/Corn")
    subscribed = ("INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli")

    def test_the_delimiter(self) -> None:
        """The examples of RFC 9051 6.3.9.8, A101 to A103; client 33: a quoted character, never NIL."""
        self.dialogue(r"""
            C: A101 LIST "" ""
            S: * LIST (\Noselect) "/" ""
            S: A101 OK LIST completed
            C: A102 LIST #news.comp.mail.misc ""
            S: * LIST (\Noselect) "/" ""
            S: A102 OK LIST completed
        """)

    def test_everything(self) -> None:
        """Example 1; client 4: INBOX is in capitals; client 28: nothing is \\Noselect."""
        self.dialogue(r"""
            C: A01 LIST "" "*"
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * LIST (\HasChildren) "/" Fruit
            S: * LIST (\HasNoChildren) "/" Fruit/Apple
            S: * LIST (\HasNoChildren) "/" Fruit/Banana
            S: * LIST (\HasNoChildren) "/" Tofu
            S: * LIST (\HasChildren) "/" Vegetable
            S: * LIST (\HasNoChildren) "/" Vegetable/Broccoli
            S: * LIST (\HasNoChildren) "/" Vegetable/Corn
            S: A01 OK LIST completed
        """)

    def test_subscribed_names_may_not_exist(self) -> None:
        """Example 2; rule 84: \\NonExistent only with (SUBSCRIBED)."""
        self.dialogue(r"""
            C: A02 LIST (SUBSCRIBED) "" "*"
            S: * LIST (\HasNoChildren \Subscribed) "/" INBOX
            S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana
            S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" Fruit/Peach
            S: * LIST (\HasChildren \Subscribed) "/" Vegetable
            S: * LIST (\HasNoChildren \Subscribed) "/" Vegetable/Broccoli
            S: A02 OK LIST completed
        """)

    def test_children(self) -> None:
        """Examples 3 and 4, and those of RFC 3348: there are no remote mailboxes."""
        for command in ('LIST () "" "%" RETURN (CHILDREN)', 'LIST (REMOTE) "" "%" RETURN (CHILDREN)',
                        'LIST "" "%"'):
            self.dialogue(rf"""
                C: A03 {command}
                S: * LIST (\HasNoChildren) "/" INBOX
                S: * LIST (\HasChildren) "/" Fruit
                S: * LIST (\HasNoChildren) "/" Tofu
                S: * LIST (\HasChildren) "/" Vegetable
                S: A03 OK LIST completed
            """)

    def test_remote_subscribed(self) -> None:
        """Example 5: REMOTE changes nothing; options come in any order and case."""
        self.dialogue(r"""
            C: A05 list (remote subscribed remote) "" "V*"
            S: * LIST (\HasChildren \Subscribed) "/" Vegetable
            S: * LIST (\HasNoChildren \Subscribed) "/" Vegetable/Broccoli
            S: A05 OK LIST completed
        """)

    def test_subscriptions_are_returned(self) -> None:
        """Example 6: the return option adds no names."""
        self.dialogue(r"""
            C: A06 LIST (REMOTE) "" "Fruit*" RETURN (SUBSCRIBED)
            S: * LIST (\HasChildren) "/" Fruit
            S: * LIST (\HasNoChildren) "/" Fruit/Apple
            S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Banana
            S: A06 OK LIST completed
        """)

    def test_several_patterns(self) -> None:
        """Example 7 of RFC 5258: each name once, whatever matches it."""
        self.dialogue(r"""
            C: BBB LIST "" ("INBOX" "Tofu" "Vegetable/%" "*/Corn")
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * LIST (\HasNoChildren) "/" Tofu
            S: * LIST (\HasNoChildren) "/" Vegetable/Broccoli
            S: * LIST (\HasNoChildren) "/" Vegetable/Corn
            S: BBB OK LIST completed
        """)

    def test_empty_patterns_are_ignored_in_extended_syntax(self) -> None:
        self.dialogue(r"""
            C: a LIST "" ("")
            S: a OK LIST completed
            C: b LIST () "" ""
            S: b OK LIST completed
            C: c LIST "Tofu" "" RETURN ()
            S: c OK LIST completed
            C: d LIST "" ("" Tofu)
            S: * LIST (\HasNoChildren) "/" Tofu
            S: d OK LIST completed
        """)

    def test_a_reference_stands_before_the_pattern(self) -> None:
        self.dialogue(r"""
            C: a LIST Fruit/ %
            S: * LIST (\HasNoChildren) "/" Fruit/Apple
            S: * LIST (\HasNoChildren) "/" Fruit/Banana
            S: a OK LIST completed
            C: b LIST Fruit /B*
            S: * LIST (\HasNoChildren) "/" Fruit/Banana
            S: b OK LIST completed
            C: c LIST Tofu/ *
            S: c OK LIST completed
        """)

    def test_inbox_in_any_case(self) -> None:
        """Client 4."""
        self.dialogue(r"""
            C: a LIST "" inbox
            S: * LIST (\HasNoChildren) "/" INBOX
            S: a OK LIST completed
            C: b LIST "" "inB%"
            S: * LIST (\HasNoChildren) "/" INBOX
            S: b OK LIST completed
            C: c CREATE Inbox/Lists
            S: c OK [MAILBOXID ({*})] CREATE completed
            C: d LIST "" "iNBOX*"
            S: * LIST (\HasChildren) "/" INBOX
            S: * LIST (\HasNoChildren) "/" INBOX/Lists
            S: d OK LIST completed
        """)

    def test_what_no_option_is(self) -> None:
        """Rule 84: unknown options are BAD, and RECURSIVEMATCH without a base."""
        self.dialogue(r"""
            C: a LIST (RECURSIVEMATCH) "" *
            S: a BAD RECURSIVEMATCH goes with SUBSCRIBED only
            C: b LIST (REMOTE RECURSIVEMATCH) "" *
            S: b BAD RECURSIVEMATCH goes with SUBSCRIBED only
            C: c LIST (SPECIAL-USE RECURSIVEMATCH) "" *
            S: c BAD RECURSIVEMATCH goes with SUBSCRIBED only
            C: d LIST (FANCY) "" *
            S: d BAD unknown LIST selection option: FANCY
            C: e LIST "" * RETURN (FANCY)
            S: e BAD unknown LIST return option: FANCY
            C: f LIST "" * RETURN (STATUS (FANCY))
            S: f BAD unknown STATUS item: FANCY
        """)

    def test_bad_syntax(self) -> None:
        for text in ('LIST', 'LIST ""', 'LIST "" *x{', 'LIST "" * *', 'LIST "" ()', 'LIST "" (a', 'LIST (',
                     'LIST ( "" *', 'LIST (SUBSCRIBED SUBSCRIBED "" *', 'LIST (SUBSCRIBED)"" *', 'LIST "" "*',
                     'LIST "" * RETURN', 'LIST "" * RETURN SUBSCRIBED', 'LIST "" * RETURN (CHILDREN',
                     'LIST "" * RETURN (STATUS)', 'LIST "" * RETURN (STATUS ())',
                     'LIST (SUBSCRIBED,REMOTE) "" *', 'LIST "" * RETURN (STATUS MESSAGES)',
                     'LIST "" * RETURN (CHILDREN) x', 'LIST "" ' + "a" * 2049):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")

    def test_a_trailing_space_is_let_through(self) -> None:
        client = self.client()
        client.send(b'a LIST "" Tofu \r\nb LIST "" Tofu RETURN (CHILDREN) \r\n')
        self.assertEqual(client.received().count(b"OK"), 2)

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a LIST "" *
            S: a BAD log in first
        """, login=None)

    def test_patterns_as_literals(self) -> None:
        self.client().send(b'a LIST {0+}\r\n {4+}\r\nTofu\r\n')
        self.assertEqual(self.client().received(),
                         b'* LIST (\\HasNoChildren) "/" Tofu\r\na OK LIST completed\r\n')


class RecursiveTests(ListCase):
    """RFC 9051 6.3.9.8, example 7."""

    mailboxes = ("Foo", "Foo/Bar", "Foo/Baz", "Moo")
    subscribed = ("Foo/Baz",)

    def test_a_child_is_subscribed(self) -> None:
        self.dialogue(r"""
            C: C02 LIST (SUBSCRIBED) "" "*"
            S: * LIST (\HasNoChildren \Subscribed) "/" Foo/Baz
            S: C02 OK LIST completed
            C: C03 LIST (SUBSCRIBED) "" "%"
            S: C03 OK LIST completed
            C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
            S: * LIST (\HasChildren) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))
            S: C04 OK LIST completed
        """)

    def test_the_parent_is_subscribed_too(self) -> None:
        self.dialogue(r"""
            C: s SUBSCRIBE Foo
            S: s OK SUBSCRIBE completed
            C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
            S: * LIST (\HasChildren \Subscribed) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))
            S: C04 OK LIST completed
        """)

    def test_the_parent_does_not_exist(self) -> None:
        self.dialogue(r"""
            C: s SUBSCRIBE Gone/Deep/Name
            S: s OK SUBSCRIBE completed
            C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" ("G%" "G%/%")
            S: * LIST (\NonExistent \HasNoChildren) "/" Gone ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\NonExistent \HasNoChildren) "/" Gone/Deep ("CHILDINFO" ("SUBSCRIBED"))
            S: C04 OK LIST completed
        """)

    def test_nothing_is_subscribed(self) -> None:
        self.dialogue(r"""
            C: s UNSUBSCRIBE Foo/Baz
            S: s OK UNSUBSCRIBE completed
            C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
            S: C04 OK LIST completed
        """)

    def test_children_that_are_not_subscribed(self) -> None:
        self.dialogue(r"""
            C: s UNSUBSCRIBE Foo/Baz
            S: s OK UNSUBSCRIBE completed
            C: s SUBSCRIBE Foo
            S: s OK SUBSCRIBE completed
            C: s SUBSCRIBE Moo
            S: s OK SUBSCRIBE completed
            C: C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)
            S: * LIST (\HasChildren \Subscribed) "/" Foo
            S: * LIST (\HasNoChildren \Subscribed) "/" Moo
            S: C04 OK LIST completed
        """)

    def test_no_status_of_what_is_listed_for_its_children(self) -> None:
        """Example 11, A02."""
        self.dialogue(r"""
            C: s SUBSCRIBE INBOX
            S: s OK SUBSCRIBE completed
            C: A02 LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))
            S: * LIST (\HasNoChildren \Subscribed) "/" INBOX
            S: * STATUS INBOX (MESSAGES 0)
            S: * LIST (\HasChildren) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))
            S: A02 OK LIST completed
        """)


class ChildInfoTests(ListCase):
    """RFC 9051 6.3.9.8, example 8.  Here qux2 exists: parents always do."""

    mailboxes = ("foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2",
                 "eps2/mamba", "qux2", "qux2/bar2")
    subscribed = ("foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba",
                  "qux2/bar2")

    def test_names_whose_chosen_children_are_all_listed_are_left_out(self) -> None:
        self.dialogue(r"""
            C: D03 LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"
            S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar2
            S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar22
            S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar222
            S: * LIST (\HasChildren \Subscribed) "/" eps2 ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\HasChildren) "/" foo2 ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\HasNoChildren \Subscribed) "/" foo2/bar2
            S: * LIST (\HasNoChildren \Subscribed) "/" qux2/bar2
            S: D03 OK LIST completed
        """)

    def test_childinfo_of_what_is_listed_anyway(self) -> None:
        """RFC 9051 6.3.9.3 has no reason for baz2 and foo2 here, though the example shows them."""
        self.dialogue(r"""
            C: D03 LIST (RECURSIVEMATCH SUBSCRIBED) "" "*"
            S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar2
            S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar22
            S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar222
            S: * LIST (\HasChildren \Subscribed) "/" eps2 ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\HasNoChildren \Subscribed) "/" eps2/mamba
            S: * LIST (\HasNoChildren \Subscribed) "/" foo2/bar1
            S: * LIST (\HasNoChildren \Subscribed) "/" foo2/bar2
            S: * LIST (\HasNoChildren \Subscribed) "/" qux2/bar2
            S: D03 OK LIST completed
        """)


class LonelyTests(ListCase):
    """RFC 9051 6.3.9.8, example 9."""

    mailboxes = ("foo",)
    subscribed = ("foo/bar",)

    def test_childinfo_without_children(self) -> None:
        self.dialogue(r"""
            C: a1 LIST "" ("foo" "foo/*")
            S: * LIST (\HasNoChildren) "/" foo
            S: a1 OK LIST completed
            C: a2 LIST (SUBSCRIBED) "" "foo/*"
            S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" foo/bar
            S: a2 OK LIST completed
            C: a3 LIST (SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)
            S: * LIST (\HasNoChildren) "/" foo ("CHILDINFO" ("SUBSCRIBED"))
            S: a3 OK LIST completed
        """)

    def test_no_status_of_what_does_not_exist(self) -> None:
        self.dialogue(r"""
            C: a LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES))
            S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" foo/bar
            S: a OK LIST completed
        """)


class StatusTests(ListCase):
    """LIST-STATUS (RFC 5819)."""

    mailboxes = ("foo",)

    def test_status_follows_each_name(self) -> None:
        """RFC 9051 example 11, and the examples of RFC 8438 and RFC 7889."""
        self.fill(17)
        self.fill(1, "foo", flags=("\\Seen",))
        self.dialogue(r"""
            C: A01 LIST "" % RETURN (STATUS (MESSAGES UNSEEN))
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * STATUS INBOX (MESSAGES 17 UNSEEN 17)
            S: * LIST (\HasNoChildren) "/" foo
            S: * STATUS foo (MESSAGES 1 UNSEEN 0)
            S: A01 OK LIST completed
            C: A04 LIST "" foo RETURN (STATUS (MESSAGES SIZE) CHILDREN STATUS (UIDNEXT))
            S: * LIST (\HasNoChildren) "/" foo
            S: * STATUS foo (MESSAGES 1 SIZE {size})
            S: A04 OK LIST completed
            C: t1 LIST "" % RETURN (STATUS (APPENDLIMIT))
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * STATUS INBOX (APPENDLIMIT 104857600)
            S: * LIST (\HasNoChildren) "/" foo
            S: * STATUS foo (APPENDLIMIT 104857600)
            S: t1 OK LIST completed
        """)

    def test_a_thousand_mailboxes_are_listed_in_bounded_time(self) -> None:
        """One call of the store; the bound is wide, for slow machines."""
        account = self.directory.open("ada")
        for i in range(1000):
            account.create(f"m/{i}", subscribe=False)
        account.close()
        client = self.client()
        start = perf_counter()
        client.send(b'a LIST "" * RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY))\r\n')
        took = perf_counter() - start
        lines = client.received().splitlines()
        self.assertEqual(len(lines), 2 * 1003 + 1)
        self.assertLess(took, 0.5)


class SpecialUseTests(DialogueCase):
    """RFC 6154, on the mailboxes that every account has."""

    def test_uses_are_told_unasked(self) -> None:
        """Client 5: macOS and iOS never ask; the example of RFC 6154 5.1."""
        self.dialogue(r"""
            C: t1 LIST "" "%"
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * LIST (\HasNoChildren \Archive) "/" Archive
            S: * LIST (\HasNoChildren \Drafts) "/" Drafts
            S: * LIST (\HasNoChildren \Junk) "/" Junk
            S: * LIST (\HasNoChildren \Sent) "/" Sent
            S: * LIST (\HasNoChildren \Trash) "/" Trash
            S: t1 OK LIST completed
            C: t2 LIST "" "S%" RETURN (SPECIAL-USE)
            S: * LIST (\HasNoChildren \Sent) "/" Sent
            S: t2 OK LIST completed
        """)

    def test_only_mailboxes_with_a_use(self) -> None:
        """Client 6, defect g: SPECIAL-USE selects; the example of RFC 6154 5.2."""
        self.dialogue(r"""
            C: t3 LIST (SPECIAL-USE) "" "*"
            S: * LIST (\HasNoChildren \Archive) "/" Archive
            S: * LIST (\HasNoChildren \Drafts) "/" Drafts
            S: * LIST (\HasNoChildren \Junk) "/" Junk
            S: * LIST (\HasNoChildren \Sent) "/" Sent
            S: * LIST (\HasNoChildren \Trash) "/" Trash
            S: t3 OK LIST completed
            C: t4 UNSUBSCRIBE Sent
            S: t4 OK UNSUBSCRIBE completed
            C: t5 LIST (SPECIAL-USE SUBSCRIBED) "" ("S*" "T*" "I*")
            S: * LIST (\HasNoChildren \Trash \Subscribed) "/" Trash
            S: t5 OK LIST completed
        """)

    def test_capabilities(self) -> None:
        names = standard().capabilities(self.client().protocol.session).split()
        for name in (b"LIST-EXTENDED", b"LIST-STATUS", b"SPECIAL-USE", b"CREATE-SPECIAL-USE", b"CHILDREN"):
            self.assertIn(name, names)


class EncodingTests(ListCase):
    """Client 19: modified UTF-7, or quoted UTF-8 once that is enabled, and no literals."""

    mailboxes = ("Entwürfe", "R&D", "日本 & more", 'a "b" \\c', "NIL", "with space")

    def test_modified_utf7(self) -> None:
        self.dialogue(r"""
            C: a LIST "" *
            S: * LIST (\HasNoChildren) "/" INBOX
            S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
            S: * LIST (\HasNoChildren) "/" "NIL"
            S: * LIST (\HasNoChildren) "/" R&-D
            S: * LIST (\HasNoChildren) "/" "a \"b\" \\c"
            S: * LIST (\HasNoChildren) "/" "with space"
            S: * LIST (\HasNoChildren) "/" "&ZeVnLA- &- more"
            S: a OK LIST completed
            C: b LIST "" "Entw&APw-%"
            S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
            S: b OK LIST completed
            C: c LIST "" "Entwü*"
            S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
            S: c OK LIST completed
            C: d STATUS R&D (MESSAGES)
            S: * STATUS R&-D (MESSAGES 0)
            S: d OK STATUS completed
        """)

    def test_utf8_once_it_is_enabled(self) -> None:
        for name in ("IMAP4rev2", "UTF8=ACCEPT"):
            self.clients.clear()
            self.dialogue(rf"""
                C: a ENABLE {name}
                S: * ENABLED {name}
                S: a OK ENABLE completed
                C: b LIST "" ("E*" "*more" "R*") RETURN (STATUS (MESSAGES))
                S: * LIST (\HasNoChildren) "/" "Entwürfe"
                S: * STATUS "Entwürfe" (MESSAGES 0)
                S: * LIST (\HasNoChildren) "/" R&D
                S: * STATUS R&D (MESSAGES 0)
                S: * LIST (\HasNoChildren) "/" "日本 & more"
                S: * STATUS "日本 & more" (MESSAGES 0)
                S: b OK LIST completed
            """)

    def test_names_that_are_no_utf8(self) -> None:
        self.client().send(b'a LIST "" "\xff"\r\n')
        self.assertEqual(self.client().received()[:5], b"a BAD")


class RowTests(DialogueCase):
    """Other modules add options as rows."""

    def test_options_of_another_module(self) -> None:
        self.site.dialect = Dialect((*standard().extensions, Extension(
            name="made up", rfcs=(),
            list_selections={b"EMPTY": Selection(lambda e: e.mailbox is not None and not e.mailbox.messages,
                                                 base=True, returns=b"SHOUT")},
            list_returns={b"SHOUT": Return(
                attribute=lambda entry: "\\Loud",
                read=lambda account, value: len(account.mailboxes().mailboxes),
                response=lambda session, entry, wire, data: b"* SHOUT %b %d\r\n" % (wire, data))})))
        self.fill(1)
        self.dialogue(r"""
            C: a LIST (EMPTY RECURSIVEMATCH) "" ("INBOX" "J%")
            S: * LIST (\HasNoChildren \Junk \Loud) "/" Junk
            S: * SHOUT Junk 6
            S: a OK LIST completed
        """)


class FruitByteByByteTests(FruitTests):
    byte_by_byte = True


class RecursiveByteByByteTests(RecursiveTests):
    byte_by_byte = True


class EncodingByteByByteTests(EncodingTests):
    byte_by_byte = True
