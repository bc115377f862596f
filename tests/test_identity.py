"""Logins against a directory, and the SASL mechanisms that lead to them."""

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity import authenticator, sasl
from moximap.identity.authenticator import Authenticator
from moximap.identity.errors import AuthenticationFailed, LoginDisabled, ProtocolError
from moximap.identity.passwords import make_verifiers, verify
from moximap.store.errors import NoSuchAccount
from moximap.store.interfaces import AccountRecord, Verifier


class Accounts:
    """As much of an IDirectory as a login needs."""

    def __init__(self) -> None:
        self.records: dict[str, AccountRecord] = {}
        self.found: list[bool] = []

    def put(self, name: str, password: str, *addresses: str, disabled: str | None = None) -> None:
        record = AccountRecord(name, 0.0, disabled, make_verifiers(password, 4096))
        for key in (name, *addresses):
            self.records[key] = record

    def moment(self) -> object:
        return dict(self.records)

    def account(self, name: str) -> AccountRecord:
        self.found.append(name.casefold() in self.records)
        try:
            return self.records[name.casefold()]
        except KeyError:
            raise NoSuchAccount(name) from None


class LoginCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.accounts = Accounts()
        self.accounts.put("jos\u00e9", "sesame", "jose@example.org")
        self.checked: list[Verifier] = []
        self.patch(authenticator, "verify", self.verify)
        self.authenticator = Authenticator(self.accounts, cache_size=2)  # type: ignore[arg-type]

    def verify(self, password: str, verifier: Verifier) -> bool:
        self.checked.append(verifier)
        return verify(password, verifier)

    def refused(self, login: str, password: str) -> None:
        self.assertRaises(AuthenticationFailed, self.authenticator.password, login, password)


class Passwords(LoginCase):
    def test_name_and_address_reach_the_account(self) -> None:
        for login in ("jos\u00e9", "JOS\u00c9", "jose\u0301", "jose@example.org"):
            self.assertEqual(self.authenticator.password(login, "sesame").name, "jos\u00e9")

    def test_an_unknown_name_costs_what_a_wrong_password_costs(self) -> None:
        self.refused("jos\u00e9", "wrong")
        self.refused("nobody", "wrong")
        self.refused("nobody", "sesame")
        self.assertEqual(len(self.checked), 3)
        self.assertEqual({v.mechanism for v in self.checked}, {"SCRAM-SHA-256"})

    def test_a_name_costs_one_look_up_that_finds_and_one_that_does_not_whoever_it_is(self) -> None:
        self.refused("jos\u00e9", "wrong")
        costs = []
        for login in ("jos\u00e9", "nobody"):
            del self.accounts.found[:]
            self.refused(login, "wrong")
            password = sorted(self.accounts.found)
            del self.accounts.found[:]
            self.patch(self.authenticator, "_secret", b"secret")
            self.authenticator.verifier(login, "SCRAM-SHA-256")
            costs.append((password, sorted(self.accounts.found)))
        self.assertEqual(costs, [([False, True], [False, True])] * 2)

    def test_an_account_without_a_password_is_not_entered(self) -> None:
        self.accounts.records["keyed"] = AccountRecord("keyed", 0.0)
        self.refused("keyed", "")
        self.refused("keyed", "sesame")
        self.assertEqual(len(self.checked), 2)

    def test_disabled_logins_are_told_to_the_owner_only(self) -> None:
        self.accounts.put("away", "sesame", disabled="Moved to mail.example.com.")
        self.refused("away", "wrong")
        error = self.assertRaises(LoginDisabled, self.authenticator.password, "away", "sesame")
        self.assertEqual(str(error), "Moved to mail.example.com.")


class Remembering(LoginCase):
    def test_a_second_login_costs_no_hash(self) -> None:
        for _ in range(3):
            self.authenticator.password("jos\u00e9", "sesame")
        self.assertEqual(len(self.checked), 1)

    def test_a_changed_password_ends_what_is_remembered(self) -> None:
        self.authenticator.password("jos\u00e9", "sesame")
        self.accounts.put("jos\u00e9", "new")
        self.refused("jos\u00e9", "sesame")
        self.authenticator.password("jos\u00e9", "new")

    def test_a_wrong_password_is_not_remembered(self) -> None:
        self.authenticator.password("jos\u00e9", "sesame")
        self.refused("jos\u00e9", "wrong")
        self.refused("jos\u00e9", "wrong")
        self.assertEqual(len(self.checked), 3)

    def test_disabling_logins_works_at_once(self) -> None:
        self.authenticator.password("jos\u00e9", "sesame")
        record = self.accounts.records["jos\u00e9"]
        self.accounts.records["jos\u00e9"] = attrs.evolve(record, disabled="no")
        self.assertRaises(LoginDisabled, self.authenticator.password, "jos\u00e9", "sesame")

    def test_who_is_remembered_is_looked_up_again_only_after_a_change(self) -> None:
        self.assertIsNone(self.authenticator.remembered("jos\u00e9", "sesame"))
        self.authenticator.password("jos\u00e9", "sesame")
        del self.accounts.found[:]
        self.assertIsNotNone(self.authenticator.remembered("jos\u00e9", "sesame"))
        self.assertIsNone(self.authenticator.remembered("jos\u00e9", "wrong"))
        self.assertIsNone(self.authenticator.remembered("nobody", "sesame"))
        self.assertEqual(self.accounts.found, [])
        self.accounts.put("other", "sesame")
        for _ in range(2):
            self.assertIsNotNone(self.authenticator.remembered("jos\u00e9", "sesame"))
        self.assertEqual(self.accounts.found, [True])

    def test_who_is_remembered_is_as_the_directory_has_him_now(self) -> None:
        self.authenticator.password("jos\u00e9", "sesame")
        record = self.accounts.records["jos\u00e9"]
        self.accounts.records["jos\u00e9"] = attrs.evolve(record, disabled="no")
        self.assertRaises(LoginDisabled, self.authenticator.remembered, "jos\u00e9", "sesame")
        self.accounts.put("jos\u00e9", "new")
        self.assertIsNone(self.authenticator.remembered("jos\u00e9", "sesame"))
        del self.accounts.records["jos\u00e9"]
        self.assertIsNone(self.authenticator.remembered("jos\u00e9", "sesame"))

    def test_the_oldest_of_too_many_is_forgotten(self) -> None:
        for name in ("a", "b", "c"):
            self.accounts.put(name, "sesame")
            self.authenticator.password(name, "sesame")
        self.authenticator.password("c", "sesame")
        self.assertEqual(len(self.checked), 3)
        self.authenticator.password("a", "sesame")
        self.assertEqual(len(self.checked), 4)

    def test_no_password_is_shown_or_kept(self) -> None:
        self.authenticator.password("jos\u00e9", "sesame")
        kept = self.authenticator._verified
        self.assertNotIn("sesame", repr(kept) + repr(kept._entries))


class Plain(LoginCase):
    def run_plain(self, *responses: bytes | None) -> sasl.Step:
        mechanism = sasl.Plain()
        step = mechanism.start(responses[0])
        for response in responses[1:]:
            self.assertEqual(step, sasl.Challenge(b""))
            assert response is not None
            step = mechanism.step(response)
        return step.run(self.authenticator) if isinstance(step, sasl.Check) else step

    def login(self, *responses: bytes | None) -> tuple[str, str]:
        done = self.run_plain(*responses)
        assert isinstance(done, sasl.Done)
        return done.login, done.account.name

    def test_the_initial_response_logs_in(self) -> None:
        self.assertEqual(self.login("\0jos\u00e9\0sesame".encode()), ("jos\u00e9", "jos\u00e9"))

    def test_without_one_there_is_an_empty_challenge(self) -> None:
        self.assertEqual(self.login(None, b"\0jose@example.org\0sesame"),
                         ("jose@example.org", "jos\u00e9"))

    def test_an_authzid_may_be_another_name_of_the_account(self) -> None:
        self.login("jos\u00e9\0jose@example.org\0sesame".encode())

    def test_an_authzid_of_another_account_is_refused(self) -> None:
        self.accounts.put("other", "sesame")
        for authzid in (b"other", b"nobody"):
            self.assertRaises(AuthenticationFailed, self.login,
                              authzid + b"\0jose@example.org\0sesame")

    def test_broken_messages_are_the_clients_fault(self) -> None:
        for bad in (b"", b"jose\0sesame", b"\0jose\0ses\0ame", b"\0\0sesame", b"\0jose\0",
                    b"\0jos\xe9\0sesame", b"\xff\0jose\0sesame", b"\0jose\0\xc0\x80"):
            self.assertRaises(ProtocolError, self.run_plain, bad)

    def test_a_step_does_not_show_the_password(self) -> None:
        self.assertNotIn("sesame", repr(sasl.Plain().start(b"\0jose\0sesame")))

    @given(st.binary())
    def test_any_response_is_a_check_or_a_protocol_error(self, response: bytes) -> None:
        try:
            step = sasl.Plain().start(response)
        except ProtocolError:
            return
        self.assertIsInstance(step, sasl.Check)
