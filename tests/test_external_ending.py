"""What a key may do, and for how long: read-only keys, and sessions that end with their key or account."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from moximap.store.errors import Unavailable
from tests.dialogue import HELLO
from tests.secure import SecureCase


class ReadOnly(SecureCase):
    def setUp(self) -> None:
        super().setUp()
        self.know(read_only=True)
        self.fill(2)
        self.connect(key=self.key).received()

    def test_a_read_only_key_examines(self) -> None:
        self.dialogue("""
            C: a SELECT INBOX
            S: * FLAGS {*}
            S: * OK [PERMANENTFLAGS ()] flags that are kept
            S: * 2 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] {*}
            S: * OK [UIDVALIDITY {v}] {*}
            S: * OK [UIDNEXT 3] {*}
            S: * OK [HIGHESTMODSEQ {m}] {*}
            S: * OK [MAILBOXID {*}
            S: a OK [READ-ONLY] SELECT completed
            C: b FETCH 1 BODY[]<0.1>
            S: * 1 FETCH (UID 1 BODY[]<0> {1}
            S: F)
            S: b OK FETCH completed
            C: c FETCH 1 FLAGS
            S: * 1 FETCH (UID 1 FLAGS ())
            S: c OK FETCH completed
        """)

    def test_a_read_only_key_writes_nothing(self) -> None:
        self.clients[""].send(b"x SELECT INBOX\r\n")
        self.clients[""].received()
        for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "COPY 1 Trash", "MOVE 1 Trash", "UID EXPUNGE 1",
                        "CREATE x", "DELETE Trash", "RENAME Trash x", "SUBSCRIBE x", "UNSUBSCRIBE x"):
            self.clients[""].send(f"a {command}\r\n".encode())
            self.assertEqual(self.clients[""].received(), b"a NO [NOPERM] this key may only read\r\n", command)

    def test_a_message_is_refused_before_it_is_sent(self) -> None:
        self.dialogue(f"""
            C: a APPEND INBOX {{{len(HELLO)}}}
            S: a NO [NOPERM] this key may only read
        """)

    def test_a_password_of_the_same_account_still_writes(self) -> None:
        self.directory.keys.remove(self.directory.keys.of("ada")[0].fingerprint)
        self.know(read_only=True, no_preauth=True)
        self.connect("2", key=self.key).received()
        self.dialogue("""
            C2: a LOGIN ada secret
            S2: a OK {*}
            C2: b SUBSCRIBE x
            S2: b OK {*}
        """)


class Ending(SecureCase):
    def setUp(self) -> None:
        super().setUp()
        self.fingerprint = self.know().fingerprint
        self.connect(key=self.key).received()

    def ring(self) -> None:
        """What the doorbell does."""
        self.site.guard.directory_changed()

    def test_a_revoked_key_ends_its_sessions_even_in_idle(self) -> None:
        self.dialogue("""
            C: a IDLE
            S: + {*}
        """)
        self.directory.keys.remove(self.fingerprint)
        self.ring()
        self.dialogue("S: * BYE this key was revoked")
        self.assertIsNone(self.clients[""].protocol.session.room)

    def test_other_sessions_of_the_account_go_on(self) -> None:
        other = ed25519.Ed25519PrivateKey.generate()
        self.know(other)
        self.connect("2", key=other).received()
        self.connect("3").received()
        self.dialogue("""
            C3: a LOGIN ada secret
            S3: a OK {*}
        """)
        self.directory.keys.remove(self.fingerprint)
        self.ring()
        self.dialogue("""
            S: * BYE this key was revoked
            C2: a NOOP
            S2: a OK NOOP completed
            C3: b NOOP
            S3: b OK NOOP completed
        """)

    def test_disabling_and_removing_an_account_ends_all_its_sessions(self) -> None:
        self.connect("2").received()
        self.dialogue("""
            C2: a LOGIN ada secret
            S2: a OK {*}
        """)
        self.directory.set_disabled("ada", "away")
        self.ring()
        self.dialogue("""
            S: * BYE away
            S2: * BYE away
        """)

    def test_a_removed_account(self) -> None:
        self.directory.remove("ada")
        self.ring()
        self.dialogue("S: * BYE the account was removed")

    def test_imapserve_of_a_disabled_account_may_be_left_alone(self) -> None:
        self.clients[""].protocol.session.guarded = False
        self.directory.set_disabled("ada", "away")
        self.ring()
        self.dialogue("""
            C: a NOOP
            S: a OK NOOP completed
        """)

    def test_the_end_date_ends_a_session_by_itself(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        self.know(key, until=self.now + 3 * 86400)
        self.connect("2", key=key).received()
        for _ in range(3):
            self.clients["2"].send(b"a NOOP\r\n")
            self.assertEqual(self.clients["2"].received(), b"a OK NOOP completed\r\n")
            for _ in range(86400 // 1200):
                self.clock.advance(1200)
                self.clients["2"].protocol._patience.heard()          # as if it had said something
        self.assertEqual(self.clients["2"].received(), b"* BYE the end date of this key has passed\r\n")

    def test_a_key_that_is_revoked_while_it_logs_in_does_not_stay(self) -> None:
        whole = self.site.accounts.get

        async def revoked_meanwhile(name: str) -> Any:
            room = await whole(name)
            self.directory.keys.remove(self.fingerprint)
            self.ring()                                # nobody is logged in by it, as yet
            return room

        self.clients.pop("").lose()
        self.patch(self.site.accounts, "get", revoked_meanwhile)
        self.assertEqual(self.greeting(key=self.key), b"* BYE this key was revoked\r\n")

    def test_a_session_that_is_over_leaves_no_timer(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        self.know(key, until=self.now + 60)
        client = self.connect("2", key=key)
        (timer,) = [call for call in self.clock.getDelayedCalls() if call.getTime() == self.clock.seconds() + 60
                    and call.func.__qualname__ == "Expiry._look"]
        client.lose()
        self.assertFalse(timer.active())

    def test_a_directory_that_is_locked_is_asked_again(self) -> None:
        self.directory.keys.remove(self.fingerprint)
        whole, ended = self.site.authenticator.ended, []

        def fail_once(entries: Any) -> Any:
            ended.append(entries)
            if len(ended) == 1:
                raise Unavailable("locked")
            return whole(entries)

        self.patch(self.site.authenticator, "ended", fail_once)
        self.ring()
        self.clock.advance(1)
        self.dialogue("S: * BYE this key was revoked")
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
