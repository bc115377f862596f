"""SEARCH and UID SEARCH: what is asked and refused, and which messages are seen."""

from __future__ import annotations

from collections.abc import Iterable
from unittest import mock

from twisted.internet.defer import Deferred

from moximap.imap.commands import search_answer
from moximap.store.errors import Unavailable
from moximap.store.interfaces import NewMessage
from moximap.values import Changes, InternalDate, NumSet
from tests.dialogue import HELLO, DialogueCase

DAY = 86400
FEB_1994 = 760060800                  # 1 February 1994, 00:00 UTC


def mail(sender: str = "Fred Foobar <foobar@example.org>", subject: str = "hello",
         date: str = "Mon, 7 Feb 1994 21:52:25 -0800", body: str = "Hello, Bob.", more: str = "") -> bytes:
    return (f"From: {sender}\r\nTo: bob@example.org\r\nCc: Carl <carl@example.net>\r\n"
            f"Subject: {subject}\r\nDate: {date}\r\nMessage-ID: <1@example.org>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\n{more}\r\n{body}\r\n").encode()


class SearchCase(DialogueCase):
    """A mailbox with what each test puts there, selected on the first connection."""

    def put(self, *messages: NewMessage) -> None:
        account = self.directory.open("ada")
        account.append("INBOX", messages)
        account.close()
        self.site.accounts.bell("ada")

    def flagged(self, count: int, *numbers: int) -> None:
        """Some messages of which those with these numbers have \\Flagged."""
        self.put(*[NewMessage(HELLO, ("\\Flagged",) if n in numbers else (), InternalDate(FEB_1994))
                   for n in range(1, count + 1)])

    def elsewhere(self, change: str, uids: Iterable[int], flag: str = "\\Deleted") -> None:
        """What another process does to messages: "+" or "-" a flag, or "expunge"."""
        account = self.account()
        mailbox, numbers = account.mailbox("INBOX").id, NumSet.of(uids)
        if change == "expunge":
            account.store(mailbox, numbers, "+", ["\\Deleted"])
            account.expunge(mailbox, numbers)
        else:
            account.store(mailbox, numbers, change, [flag])
        self.site.accounts.bell("ada")

    def send(self, *lines: str, number: str = "") -> None:
        """Send commands whose answers are of no interest."""
        for line in lines:
            self.client(number).send(line.encode() + b"\r\n")
        self.client(number).received()

    def select(self, number: str = "") -> None:
        self.send("s SELECT INBOX", number=number)

    def ask(self, program: str) -> str:
        """What a SEARCH finds."""
        client = self.client()
        client.send(f"q SEARCH {program}\r\n".encode())
        lines = client.received().decode().split("\r\n")
        self.assertEqual(lines[1:], ["q OK SEARCH completed", ""], program)
        self.assertTrue(lines[0].startswith("* SEARCH"), lines[0])
        return lines[0][9:]

    def refused(self, program: str, status: str = "BAD") -> None:
        client = self.client()
        client.send(f"q {program}\r\n".encode())
        self.assertRegex(client.received().decode(), f"^q {status} [^\r]+\r\n$", program)


class SearchTests(SearchCase):
    def test_without_hits_an_empty_response_is_sent(self) -> None:
        self.select()
        self.dialogue("""
            C: a SEARCH ALL
            S: * SEARCH
            S: a OK SEARCH completed
            C: b UID SEARCH UNSEEN
            S: * SEARCH
            S: b OK UID SEARCH completed
            C: c SEARCH 1:*
            S: * SEARCH
            S: c OK SEARCH completed
        """)

    def test_it_needs_a_selected_mailbox(self) -> None:
        self.dialogue("""
            C: a SEARCH ALL
            S: a BAD no mailbox is selected
            C: b UID SEARCH ALL
            S: b BAD no mailbox is selected
        """)

    def test_examples_of_rfc_3501(self) -> None:
        march = InternalDate(FEB_1994 + 40 * DAY)
        self.put(*[NewMessage(mail(sender="Smith <s@example.org>" if n in (2, 84, 882) else "x@example.org"),
                              ("\\Flagged",), march) for n in range(1, 883)])
        self.select()
        self.dialogue("""
            C: A282 SEARCH FLAGGED SINCE 1-Feb-1994 FROM "Smith"
            S: * SEARCH 2 84 882
            S: A282 OK SEARCH completed
            C: A283 SEARCH TEXT "string not in mailbox"
            S: * SEARCH
            S: A283 OK SEARCH completed
        """)

    def test_a_literal_in_utf_8(self) -> None:
        self.put(NewMessage(mail()), NewMessage(mail(body="скоро отпуск!")))
        self.select()
        self.dialogue("""
            C: A284 SEARCH CHARSET UTF-8 TEXT {12}
            S: + {*}
            C: отпуск
            S: * SEARCH 2
            S: A284 OK SEARCH completed
            C: A285 SEARCH TEXT {12+}
            C: отпуск
            S: * SEARCH 2
            S: A285 OK SEARCH completed
            C: A286 SEARCH CHARSET "utf-8" BODY "ОТПУСК"
            S: * SEARCH 2
            S: A286 OK SEARCH completed
        """)

    def test_uids_are_told_by_uid_search_alone(self) -> None:
        self.flagged(5, 3, 5)
        self.select()
        self.elsewhere("expunge", [1, 4])
        self.send("x NOOP")
        self.dialogue("""
            C: a SEARCH FLAGGED
            S: * SEARCH 2 3
            S: a OK SEARCH completed
            C: b UID SEARCH FLAGGED
            S: * SEARCH 3 5
            S: b OK UID SEARCH completed
            C: c SEARCH UID 4:5
            S: * SEARCH 3
            S: c OK SEARCH completed
            C: d UID SEARCH 1:2
            S: * SEARCH 2 3
            S: d OK UID SEARCH completed
            C: e UID SEARCH NOT UID 3
            S: * SEARCH 2 5
            S: e OK UID SEARCH completed
            C: f UID SEARCH UID 700:*
            S: * SEARCH 5
            S: f OK UID SEARCH completed
        """)

    def test_the_whole_result_is_one_line_client_24_and_defect_q(self) -> None:
        self.put(*[NewMessage(HELLO)] * 250)
        self.select()
        self.assertEqual(len(self.ask("UNSEEN").split()), 250)

    def test_a_line_that_no_client_would_read_is_split_client_24(self) -> None:
        self.patch(search_answer, "LINE", 20)
        self.put(*[NewMessage(HELLO)] * 12)
        self.select()
        self.dialogue("""
            C: a SEARCH ALL
            S: * SEARCH 1 2 3 4 5 6
            S: * SEARCH 7 8 9 10 11
            S: * SEARCH 12
            S: a OK SEARCH completed
        """)


class ChangeTests(SearchCase):
    """What a SEARCH tells of changes, and which messages it sees."""

    def test_search_tells_no_changes_rule_67(self) -> None:
        self.flagged(2)
        self.select()
        self.flagged(1, 1)
        self.dialogue("""
            C: a SEARCH ALL
            S: * SEARCH 1 2
            S: a OK SEARCH completed
            C: b SEARCH FLAGGED
            S: * SEARCH
            S: b OK SEARCH completed
            C: c SEARCH SUBJECT hello
            S: * SEARCH 1 2
            S: c OK SEARCH completed
            C: d NOOP
            S: * 3 EXISTS
            S: d OK NOOP completed
            C: e SEARCH FLAGGED
            S: * SEARCH 3
            S: e OK SEARCH completed
        """)

    def test_uid_search_tells_what_is_new_first_and_finds_it(self) -> None:
        self.flagged(2)
        self.select()
        self.flagged(1, 1)
        self.dialogue("""
            C: a UID SEARCH FLAGGED
            S: * 3 EXISTS
            S: * SEARCH 3
            S: a OK UID SEARCH completed
        """)

    def test_no_expunge_comes_with_a_search_client_14(self) -> None:
        self.flagged(4, 2, 4)
        self.select()
        self.elsewhere("expunge", [2])
        self.elsewhere("+", [3], "\\Flagged")
        self.dialogue("""
            C: a SEARCH FLAGGED
            S: * SEARCH 3 4
            S: a OK SEARCH completed
            C: b UID SEARCH FLAGGED
            S: * 3 FETCH (UID 3 FLAGS (\\Flagged))
            S: * SEARCH 3 4
            S: b OK UID SEARCH completed
            C: c UID SEARCH ALL
            S: * SEARCH 1 2 3 4
            S: c OK UID SEARCH completed
            C: d SEARCH SUBJECT hello
            S: * SEARCH 1 3 4
            S: d OK SEARCH completed
            C: e NOOP
            S: * 2 EXPUNGE
            S: e OK NOOP completed
            C: f SEARCH FLAGGED
            S: * SEARCH 2 3
            S: f OK SEARCH completed
        """)

    def test_flags_that_another_process_set_are_found(self) -> None:
        self.flagged(2)
        self.select()
        self.elsewhere("+", [2], "\\Seen")
        self.elsewhere("+", [2], "Fresh")
        self.assertEqual(self.ask("SEEN"), "2")
        self.assertEqual(self.ask("KEYWORD fresh"), "2")

    def test_a_client_that_goes_away_while_the_store_searches(self) -> None:
        self.flagged(2)
        self.select()
        session = self.client().protocol.session
        searched: Deferred[NumSet] = Deferred()
        session.call = lambda *args: searched
        self.client().send(b"a SEARCH RETURN (SAVE ALL) SUBJECT hello\r\n")
        self.clients.pop("").lose()
        searched.callback(NumSet(((1, 2),)))

    def test_a_client_that_goes_away_while_the_image_is_refreshed(self) -> None:
        self.flagged(2)
        for command in (b"SEARCH", b"UID SEARCH"):
            self.select()
            session = self.client().protocol.session
            room = session.room
            read: Deferred[Changes] = Deferred()
            with mock.patch.object(room.pool, "quick", return_value=read) as quick:
                self.site.accounts.bell("ada")
                self.client().send(b"a %b UNSEEN\r\n" % command)
                quick.assert_called_once()
                image = session.selected.image
                self.clients.pop("").lose()
            read.callback(room.store.changes(image.mailbox, image.modseq))

    def test_a_failing_store_is_an_answer(self) -> None:
        self.flagged(1)
        self.select()

        def fail(*args: object) -> None:
            raise Unavailable("the disk is on fire")

        account = self.client().protocol.session.account
        self.patch(account, "search", fail)
        self.refused("SEARCH SUBJECT x", "NO \\[UNAVAILABLE\\]")
        self.assertEqual(self.ask("UNSEEN"), "1")


class SearchTestsByteByByte(SearchTests):
    byte_by_byte = True
