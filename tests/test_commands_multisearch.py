"""MULTISEARCH: ESEARCH over several mailboxes (RFC 7377)."""

from __future__ import annotations

from moximap.imap.dialect import standard
from tests.dialogue import HELLO, DialogueCase
from tests.test_commands_inprogress import SlowPool

CHAD = HELLO.replace(b"hello", b"chad")


class MultiSearchCase(DialogueCase):
    def setUp(self) -> None:
        super().setUp()
        account = self.directory.open("ada")
        for name in ("folder1", "folder2/banana", "folder2/peach", "folder2/salmon/deep", "other"):
            account.create(name)
        account.subscribe("folder2/peach", False)
        self.validity = {mailbox.name: mailbox.uidvalidity for mailbox in account.mailboxes().mailboxes}
        account.close()
        self.bound.update({name.replace("/", "_"): str(value) for name, value in self.validity.items()})
        self.fill(3, "folder1")
        self.fill(1, "folder1", flags=("\\Seen",))
        self.fill(2, "folder2/banana", CHAD)
        self.fill(1, "folder2/peach", flags=("\\Seen",))
        self.fill(1, "folder2/salmon/deep", CHAD)
        self.fill(2, "INBOX")

    def ok(self, command: str, number: str = "") -> None:
        client = self.client(number)
        client.send(b"x " + command.encode() + b"\r\n")
        self.clock.advance(0)
        self.assertIn(b"x OK ", client.received())


class MultiSearchTests(MultiSearchCase):
    def test_the_example(self) -> None:
        """RFC 7377 section 3, of which CONTRACT 89 has the order; mailboxes without hits say nothing."""
        self.dialogue("""
            C: tag1 ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen
            S: * ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY {folder1}) UID ALL 1:3
            S: * ESEARCH (TAG "tag1" MAILBOX folder2/banana UIDVALIDITY {folder2_banana}) UID ALL 1:2
            S: * ESEARCH (TAG "tag1" MAILBOX folder2/salmon/deep UIDVALIDITY {folder2_salmon_deep}) UID ALL 1
            S: tag1 OK ESEARCH completed
            C: tag2 ESEARCH IN (mailboxes "folder1" subtree-one "folder2") subject "chad"
            S: * ESEARCH (TAG "tag2" MAILBOX folder2/banana UIDVALIDITY {folder2_banana}) UID ALL 1:2
            S: tag2 OK ESEARCH completed
        """)

    def test_all_filters(self) -> None:
        everything = ["INBOX", "folder1", "folder2/banana", "folder2/peach", "folder2/salmon/deep"]
        for sources, found in (
                ("personal", everything), ("inboxes", ["INBOX"]),
                ("subscribed", [name for name in everything if name != "folder2/peach"]),
                ("subtree folder2", everything[2:]), ("subtree-one folder2", everything[2:4]),
                ("subtree (folder1 folder2/salmon)", ["folder1", "folder2/salmon/deep"]),
                ("SUBTREE folder2/peach", ["folder2/peach"]), ("mailboxes (inbox folder1)", everything[:2]),
                ("mailboxes folder1 inboxes", everything[:2]), ("subtree folder", [])):
            lines = [f'S: * ESEARCH (TAG "a" MAILBOX {name} UIDVALIDITY {self.validity[name]}) UID COUNT {{*}}'
                     for name in found]
            self.dialogue("\n".join([f"C: a ESEARCH IN ({sources}) RETURN (COUNT) ALL", *lines,
                                     "S: a OK ESEARCH completed"]))

    def test_each_mailbox_once(self) -> None:
        """CONTRACT 89: whatever names it, the selected one too."""
        self.ok("SELECT folder1")
        self.dialogue("""
            C: a ESEARCH IN (mailboxes (folder1 folder1) personal selected subtree folder1) RETURN (MIN) SEEN
            S: * ESEARCH (TAG "a" MAILBOX folder1 UIDVALIDITY {folder1}) UID MIN 4
            S: * ESEARCH (TAG "a" MAILBOX folder2/peach UIDVALIDITY {folder2_peach}) UID MIN 1
            S: a OK ESEARCH completed
        """)

    def test_a_missing_mailbox_has_no_hits(self) -> None:
        """CONTRACT 89."""
        self.dialogue("""
            C: a ESEARCH IN (mailboxes nowhere) ALL
            S: a OK ESEARCH completed
            C: b ESEARCH IN (mailboxes (nowhere INBOX)) RETURN (COUNT MIN MAX) ALL
            S: * ESEARCH (TAG "b" MAILBOX INBOX UIDVALIDITY {INBOX}) UID COUNT 2 MIN 1 MAX 2
            S: b OK ESEARCH completed
        """)

    def test_the_selected_mailbox(self) -> None:
        """RFC 7377 2.1 and 2.2: by UID and with all correlators, with a source or without."""
        self.ok("SELECT folder1")
        for sources in ("", "IN (selected) ", "IN (SELECTED selected) "):
            self.dialogue(f"""
                C: a ESEARCH {sources}UNSEEN
                S: * ESEARCH (TAG "a" MAILBOX folder1 UIDVALIDITY {{folder1}}) UID ALL 1:3
                S: a OK ESEARCH completed
                C: a ESEARCH {sources}RETURN (COUNT) FLAGGED
                S: a OK ESEARCH completed
            """)

    def test_the_selected_mailbox_hears_first_what_is_new(self) -> None:
        self.ok("SELECT folder1")
        self.fill(1, "folder1")
        self.dialogue("""
            C: a ESEARCH IN (selected) RETURN (MAX) ALL
            S: * 5 EXISTS
            S: * ESEARCH (TAG "a" MAILBOX folder1 UIDVALIDITY {folder1}) UID MAX 5
            S: a OK ESEARCH completed
        """)

    def test_the_selected_mailbox_by_its_new_name(self) -> None:
        self.ok("SELECT folder1")
        self.ok("RENAME folder1 folder3", "2")
        self.dialogue("""
            C: a ESEARCH IN (selected) RETURN (MAX) ALL
            S: * ESEARCH (TAG "a" MAILBOX folder3 UIDVALIDITY {folder1}) UID MAX 4
            S: a OK ESEARCH completed
        """)

    def test_nothing_is_selected(self) -> None:
        """RFC 7377 2.2: BAD."""
        self.dialogue("""
            C: a ESEARCH ALL
            S: a BAD {*}
            C: b ESEARCH IN (selected personal) ALL
            S: b BAD {*}
        """)

    def test_save(self) -> None:
        """RFC 7377 2.2; CONTRACT 89: on the selected mailbox alone."""
        self.ok("SELECT folder1")
        self.dialogue("""
            C: a ESEARCH RETURN (SAVE) SEEN
            S: a OK ESEARCH completed
            C: b UID SEARCH RETURN (ALL) $
            S: * ESEARCH (TAG "b") UID ALL 4
            S: b OK UID SEARCH completed
            C: c ESEARCH IN (selected) RETURN (SAVE COUNT) UNSEEN
            S: * ESEARCH (TAG "c" MAILBOX folder1 UIDVALIDITY {folder1}) UID COUNT 3
            S: c OK ESEARCH completed
            C: d ESEARCH IN (selected) $ UID 2:9
            S: * ESEARCH (TAG "d" MAILBOX folder1 UIDVALIDITY {folder1}) UID ALL 2:3
            S: d OK ESEARCH completed
            C: e ESEARCH IN (selected inboxes) RETURN (SAVE) ALL
            S: e BAD {*}
            C: f ESEARCH IN (mailboxes folder1) RETURN (SAVE) ALL
            S: f BAD {*}
            C: g ESEARCH IN (mailboxes other inboxes) $
            S: g NO {*}
            C: h ESEARCH IN (selected) RETURN (SAVE) FLAGGED
            S: h OK ESEARCH completed
            C: i UID SEARCH RETURN (COUNT) $
            S: * ESEARCH (TAG "i") UID COUNT 0
            S: i OK UID SEARCH completed
        """)

    def test_numbers_behind_the_end_are_no_error(self) -> None:
        """RFC 7377 section 2: a client's window may lie anywhere; here, and in other mailboxes."""
        for sources in ("selected", "mailboxes folder1"):
            self.ok("SELECT folder1" if sources == "selected" else "SELECT INBOX")
            for numbers, found in (("1:2", "1:2"), ("3:100", "3:4"), ("101:200", ""), ("2,4,9", "2,4"),
                                   ("*", "4"), ("9:*", "4"), ("UID 2:3", "2:3"), ("UID 9:*", "4"),
                                   ("NOT 1:2", "3:4"), ("UID 100:200", "")):
                line = f'S: * ESEARCH (TAG "a" MAILBOX folder1 UIDVALIDITY {{folder1}}) UID ALL {found}'
                self.dialogue("\n".join([f"C: a ESEARCH IN ({sources}) {numbers}", *([line] if found else []),
                                         "S: a OK ESEARCH completed"]))

    def test_an_empty_mailbox(self) -> None:
        for numbers in ("1:*", "*", "UID 1:*", "UID *", "5"):
            self.dialogue(f"C: a ESEARCH IN (mailboxes other) {numbers}\nS: a OK ESEARCH completed")

    def test_uidonly(self) -> None:
        """RFC 9586: no sequence numbers, wherever."""
        self.ok("SELECT folder1")
        self.ok("ENABLE UIDONLY")
        self.dialogue("""
            C: a ESEARCH IN (selected) 1
            S: a BAD [UIDREQUIRED] {*}
            C: b ESEARCH IN (inboxes) 1
            S: b BAD [UIDREQUIRED] {*}
            C: c ESEARCH IN (inboxes) UID 1
            S: * ESEARCH (TAG "c" MAILBOX INBOX UIDVALIDITY {INBOX}) UID ALL 1
            S: c OK ESEARCH completed
        """)

    def test_names_are_encoded(self) -> None:
        """Defect c: names with spaces and others are written as everywhere."""
        self.ok('CREATE "a b/Entw&APw-rfe"')
        self.fill(1, "a b/Entw\u00fcrfe")
        self.dialogue("""
            C: a ESEARCH IN (subtree "a b") ALL
            S: * ESEARCH (TAG "a" MAILBOX "a b/Entw&APw-rfe" UIDVALIDITY {v}) UID ALL 1
            S: a OK ESEARCH completed
            C: b ENABLE IMAP4rev2
            S: * ENABLED IMAP4rev2
            S: b OK ENABLE completed
            C: c ESEARCH IN (subtree {3+}
            C: a b) ALL
            S: * ESEARCH (TAG "c" MAILBOX "a b/Entwürfe" UIDVALIDITY {v}) UID ALL 1
            S: c OK ESEARCH completed
        """)

    def test_modseqs(self) -> None:
        """RFC 7162 with RFC 7377: each mailbox's own highest."""
        account = self.account()
        highest = {name: max(m for m in account.changes(account.mailbox(name).id, 0).modseqs)
                   for name in ("INBOX", "folder1")}
        self.ok("SELECT folder1")
        self.ok("ENABLE CONDSTORE")
        self.dialogue(f"""
            C: a ESEARCH IN (selected inboxes) RETURN (COUNT) MODSEQ 1
            S: * ESEARCH (TAG "a" MAILBOX INBOX UIDVALIDITY {{INBOX}}) UID COUNT 2 MODSEQ {highest["INBOX"]}
            S: * ESEARCH (TAG "a" MAILBOX folder1 UIDVALIDITY {{folder1}}) UID COUNT 4 MODSEQ {highest["folder1"]}
            S: a OK ESEARCH completed
        """)

    def test_charsets(self) -> None:
        """CONTRACT 91."""
        self.dialogue("""
            C: a ESEARCH IN (inboxes) CHARSET KOI8-R ALL
            S: a NO [BADCHARSET {*}
            C: b ESEARCH IN (inboxes) RETURN (COUNT) CHARSET UTF-8 FROM "ada"
            S: * ESEARCH (TAG "b" MAILBOX INBOX UIDVALIDITY {INBOX}) UID COUNT 2
            S: b OK ESEARCH completed
        """)

    def test_what_was_selected_stays_selected(self) -> None:
        self.ok("EXAMINE INBOX")
        self.ok("ESEARCH IN (personal) ALL")
        session = self.client().protocol.session
        self.assertEqual(session.selected.mailbox.name, "INBOX")

    def test_progress_is_that_of_all_mailboxes(self) -> None:
        """CONTRACT 88: over all mailboxes."""
        self.client()
        pool = self.site.pool = SlowPool(self.clock)
        pool.slow = {"_there": 12.0}
        self.client().send(b'a ESEARCH IN (personal) RETURN (COUNT) TEXT "nobody"\r\n')
        self.clock.advance(10)
        self.dialogue('S: * OK [INPROGRESS ("a" 0 10)] still working')
        self.clock.advance(2)
        self.dialogue("S: a OK ESEARCH completed")

    def test_bad_syntax(self) -> None:
        self.ok("SELECT INBOX")
        for text in ("", "IN (inboxes)", "IN inboxes ALL", "IN () ALL", "IN (selected-delayed) ALL",
                     "IN (fancy) ALL", "IN (mailboxes) ALL", "IN (mailboxes ()) ALL", "IN (subtree) ALL",
                     "IN (inboxes (opt 1)) ALL", "IN (inboxes ALL", "IN (inboxes) RETURN ALL",
                     "IN (inboxes) RETURN (FANCY) ALL", "IN (inboxes) FANCY", "RETURN (COUNT)",
                     "RETURN (COUNT) IN (inboxes) ALL", "IN (inboxes,personal) ALL"):
            self.dialogue(f"C: a ESEARCH {text}\nS: a BAD {{*}}")

    def test_login_comes_first(self) -> None:
        self.dialogue("""
            S: * OK {*}
            C: a ESEARCH IN (personal) ALL
            S: a BAD log in first
        """, login=None)

    def test_announced(self) -> None:
        self.assertIn(b"MULTISEARCH", standard().capabilities(self.client().protocol.session).split())


class MultiSearchByteByByteTests(MultiSearchTests):
    byte_by_byte = True
