"""What is broken below is told to the operator: which account, and what the system says; the client is not."""

from __future__ import annotations

import json
from typing import Any

import apsw
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from moximap.imap.complaints import Complaints
from moximap.store import database, indexing_elsewhere, indexing_process
from moximap.store.account import Account
from moximap.store.errors import NoSpace, NoSuchMailbox, Unavailable
from tests.dialogue import DialogueCase
from tests.indexcases import IndexCase


def listen(case: Any) -> list[str]:
    """The lines of complaints, as they come."""
    told: list[str] = []

    def hear(event: dict[str, Any]) -> None:
        if event.get("log_namespace") == "moximap.imap.complaints":
            told.append(event["log_format"].format(**event))
    globalLogPublisher.addObserver(hear)
    case.addCleanup(globalLogPublisher.removeObserver, hear)
    return told


class DamageTests(DialogueCase):
    def test_a_damaged_database_is_told_with_its_account(self) -> None:
        self.fill()
        told = listen(self)
        self.client().send(b"s SELECT INBOX\r\n")
        self.assertIn(b"s OK", self.client().received())

        def fail(*args: object, **named: object) -> None:
            database.fail(apsw.CorruptError("database disk image is malformed"))
        self.patch(Account, "copy", fail)
        self.patch(Account, "subscribe", fail)
        self.dialogue("""
            C: a SUBSCRIBE there
            S: a NO [UNAVAILABLE] the account's data cannot be read or written
            C: c UID COPY 1 Trash
            S: c NO [UNAVAILABLE] the account's data cannot be read or written
        """)
        self.assertEqual(len(told), 1)
        self.assertRegex(told[0], r"\Aaccount \S+: the account's data .* \(database disk image is malformed\)\Z")

    def test_what_the_client_did_wrong_is_not_told(self) -> None:
        told = listen(self)
        self.dialogue("""
            C: a APPEND Nowhere {1+}
            C: x
            S: a NO [TRYCREATE] {*}
            C: b NOOP x
            S: b BAD {*}
        """)
        self.assertEqual(told, [])


class PauseTests(SynchronousTestCase):
    def test_each_account_is_told_once_in_a_while(self) -> None:
        told, times = listen(self), [0.0]
        complaints = Complaints(lambda: times[0])
        error = Unavailable("cannot be read")
        error.__cause__ = OSError("input/output")
        for when, account in ((0, "ann"), (1, "ann"), (1, "ben"), (2, None), (61, "ann"), (62, "ann")):
            times[0] = when
            complaints.hear(account, error)
        self.assertEqual([line.partition(":")[0] for line in told],
                         ["account ann", "account ben", "account -", "account ann"])

    def test_only_what_a_failure_of_the_system_is_behind_counts(self) -> None:
        told, complaints = listen(self), Complaints(lambda: 0)
        gone = NoSuchMailbox("no such mailbox")
        gone.__cause__ = KeyError("x")
        for error in (None, Unavailable("the message is gone"), gone, ValueError("a bug")):
            complaints.hear("ann", error)
        self.assertEqual(told, [])


class IndexTests(IndexCase):
    """The process that indexes says what it can, and the server logs it."""

    def test_it_tells_of_which_account_and_what_the_system_says(self) -> None:
        for error in (apsw.CorruptError("malformed"), apsw.FullError("no room")):
            def fail(*args: object, error: Exception = error) -> None:
                database.fail(error)
            self.patch(Account, "index", fail)
            told = indexing_process.Indexing().answer(json.dumps((str(self.account.home), "ann", 1)))
            process, asked = indexing_elsewhere._Process(), Deferred[Any]()
            process.asked.append(asked)
            process.outReceived(json.dumps(told).encode() + b"\n")
            if isinstance(error, apsw.FullError):
                self.failureResultOf(asked, NoSpace)
            else:
                damaged = self.failureResultOf(asked, Unavailable)
                self.assertRegex(damaged.getErrorMessage(), r"ann: .* \(malformed\)")
