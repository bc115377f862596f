"""SAVEDATE (RFC 8514)."""

from __future__ import annotations

from datetime import UTC, datetime

import apsw

from moximap.imap.dialect import standard
from moximap.store import appending, transfer
from moximap.values import InternalDate
from tests.dialogue import DialogueCase

#: 28 Dec 2014 12:00, 1 Jan 2015 17:50:53 and 2 Jan 2015 00:00, all UTC.
DECEMBER, JANUARY, SECOND = 1419768000, 1420134653, 1420156800


class SaveDateTests(DialogueCase):
    now = DECEMBER

    def setUp(self) -> None:
        super().setUp()
        for module in (appending, transfer):
            self.patch(module, "time", lambda: self.now)
        self.fill(2)
        self.now = JANUARY
        self.fill(1, date=InternalDate(946684800))
        self.client().send(b"s SELECT INBOX\r\n")
        self.client().received()

    def forget(self, *uids: int) -> None:
        """Messages that have no save date, as a storage without that would give them."""
        connection = apsw.Connection(str(self.data / "accounts" / "ada" / "mail.db"))
        for uid in uids:
            connection.execute("UPDATE message SET saved = NULL WHERE uid = ?", (uid,))
        connection.close()

    def test_fetch(self) -> None:
        """A101 of the RFC, in UTC."""
        self.dialogue("""
            C: A101 FETCH 3 (SAVEDATE)
            S: * 3 FETCH (UID 3 SAVEDATE " 1-Jan-2015 17:50:53 +0000")
            S: A101 OK FETCH completed
            C: b UID FETCH 1:3 (INTERNALDATE SAVEDATE savedate)
            S: * 1 FETCH (UID 1 INTERNALDATE " 7-Feb-1994 21:52:25 -0800" SAVEDATE "28-Dec-2014 12:00:00 +0000")
            S: * 2 FETCH (UID 2 INTERNALDATE " 7-Feb-1994 21:52:25 -0800" SAVEDATE "28-Dec-2014 12:00:00 +0000")
            S: * 3 FETCH (UID 3 INTERNALDATE " 1-Jan-2000 00:00:00 +0000" SAVEDATE " 1-Jan-2015 17:50:53 +0000")
            S: b OK UID FETCH completed
        """)

    def test_search(self) -> None:
        """A102 and A103 of the RFC; time and zone do not count."""
        self.dialogue("""
            C: A102 SEARCH SAVEDON 28-Dec-2014
            S: * SEARCH 1 2
            S: A102 OK SEARCH completed
            C: A103 SEARCH SAVEDSINCE 28-Dec-2014
            S: * SEARCH 1 2 3
            S: A103 OK SEARCH completed
            C: c SEARCH SAVEDSINCE "29-Dec-2014"
            S: * SEARCH 3
            S: c OK SEARCH completed
            C: d SEARCH SAVEDBEFORE 1-Jan-2015
            S: * SEARCH 1 2
            S: d OK SEARCH completed
            C: e SEARCH SAVEDBEFORE 28-Dec-2014
            S: * SEARCH
            S: e OK SEARCH completed
            C: f UID SEARCH NOT SAVEDON 28-Dec-2014 savedatesupported
            S: * SEARCH 3
            S: f OK UID SEARCH completed
            C: g SEARCH RETURN (COUNT) OR SAVEDON 1-Jan-2015 SAVEDBEFORE 29-Dec-2014
            S: * ESEARCH (TAG "g") COUNT 3
            S: g OK SEARCH completed
        """)

    def test_rule_87_every_way_into_a_mailbox_sets_it_anew(self) -> None:
        self.now = SECOND
        self.dialogue("""
            C: a COPY 1 Trash
            S: a OK {*}
            C: b MOVE 2 Trash
            S: * OK {*}
            S: * 2 EXPUNGE
            S: b OK MOVE completed
            C: c REPLACE 2 Trash {5+}
            C: hello
            S: * OK {*}
            S: * 2 EXPUNGE
            S: c OK REPLACE completed
            C: d APPEND Trash "17-Jul-1996 02:44:25 -0700" {5+}
            C: hello
            S: d OK {*}
            C: e FETCH 1 SAVEDATE
            S: * 1 FETCH (UID 1 SAVEDATE "28-Dec-2014 12:00:00 +0000")
            S: e OK FETCH completed
        """)
        self.client().send(b"f SELECT Trash\r\n")
        self.client().received()
        self.dialogue("""
            C: g FETCH 1,2,4 (INTERNALDATE SAVEDATE)
            S: * 1 FETCH (UID 1 INTERNALDATE " 7-Feb-1994 21:52:25 -0800" SAVEDATE " 2-Jan-2015 00:00:00 +0000")
            S: * 2 FETCH (UID 2 INTERNALDATE " 7-Feb-1994 21:52:25 -0800" SAVEDATE " 2-Jan-2015 00:00:00 +0000")
            S: * 4 FETCH (UID 4 INTERNALDATE "17-Jul-1996 02:44:25 -0700" SAVEDATE " 2-Jan-2015 00:00:00 +0000")
            S: g OK FETCH completed
            C: h SEARCH SAVEDON 2-Jan-2015
            S: * SEARCH 1 2 3 4
            S: h OK SEARCH completed
        """)

    def test_it_does_not_change_while_the_message_stays(self) -> None:
        self.now = SECOND
        self.dialogue("""
            C: a STORE 1 FLAGS.SILENT (\\Seen)
            S: a OK STORE completed
            C: b FETCH 1 SAVEDATE
            S: * 1 FETCH (UID 1 SAVEDATE "28-Dec-2014 12:00:00 +0000")
            S: b OK FETCH completed
        """)

    def test_rule_87_messages_without_one(self) -> None:
        """NIL; the search keys look at INTERNALDATE; SAVEDATESUPPORTED does not find them."""
        self.forget(1, 3)
        self.dialogue("""
            C: a FETCH 1:3 SAVEDATE
            S: * 1 FETCH (UID 1 SAVEDATE NIL)
            S: * 2 FETCH (UID 2 SAVEDATE "28-Dec-2014 12:00:00 +0000")
            S: * 3 FETCH (UID 3 SAVEDATE NIL)
            S: a OK FETCH completed
            C: b SEARCH SAVEDATESUPPORTED
            S: * SEARCH 2
            S: b OK SEARCH completed
            C: c SEARCH SAVEDON 7-Feb-1994
            S: * SEARCH 1
            S: c OK SEARCH completed
            C: d SEARCH SAVEDBEFORE 1-Jan-2000
            S: * SEARCH 1
            S: d OK SEARCH completed
            C: e SEARCH SAVEDSINCE 1-Jan-2000
            S: * SEARCH 2 3
            S: e OK SEARCH completed
            C: f SEARCH NOT SAVEDATESUPPORTED
            S: * SEARCH 1 3
            S: f OK SEARCH completed
        """)

    def test_bad_syntax(self) -> None:
        for text in ("SEARCH SAVEDON", "SEARCH SAVEDON yesterday", "SEARCH SAVEDBEFORE 30-Feb-2015",
                     "SEARCH SAVEDSINCE 1-Jan-15", "SEARCH SAVEDATESUPPORTED 1-Jan-2015", "SEARCH SAVEDATE",
                     "FETCH 1 (SAVEDATE NIL)", "FETCH 1 SAVEDATE[]"):
            self.dialogue(f"C: a {text}\nS: a BAD {{*}}")

    def test_announced(self) -> None:
        self.assertIn(b"SAVEDATE", standard().capabilities(self.client().protocol.session).split())

    def test_these_are_the_days_that_the_tests_speak_of(self) -> None:
        self.assertEqual([datetime.fromtimestamp(moment, UTC).isoformat()
                          for moment in (DECEMBER, JANUARY, SECOND)],
                         ["2014-12-28T12:00:00+00:00", "2015-01-01T17:50:53+00:00", "2015-01-02T00:00:00+00:00"])


class SaveDateByteByByteTests(SaveDateTests):
    byte_by_byte = True
