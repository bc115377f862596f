"""Login attempts: noted in the background, with the client's name where it comes in time (docs/contract.md 17 to 25)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from moximap.identity import attempts as module
from moximap.identity.attempts import AttemptLog, printable
from moximap.store.attempts import KEPT, Attempt, Attempts
from moximap.store.errors import Unavailable
from tests.dialogue import DialogueCase
from tests.secure import SecureCase
from tests.test_keys import attempt

SECOND = 1.0


def listen(case: SynchronousTestCase) -> list[str]:
    """The log's lines about logins, from now on."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_namespace"] == "moximap.login":
            lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    case.addCleanup(globalLogPublisher.removeObserver, observe)
    return lines


class Noting(DialogueCase):
    """What a connection's attempts become."""

    def noted(self) -> list[tuple[str, str, str, str]]:
        """Mechanism, login, account and result of all records, the oldest first; those that wait do not count."""
        self.clock.advance(module.GATHER)
        records = self.directory.attempts.of()
        return [(r.attempt.mechanism, r.attempt.login, r.attempt.account, r.attempt.result)
                for r in sorted(records, key=lambda r: r.first)]

    def say(self, *lines: str) -> bytes:
        client = self.client(login=None)
        for line in lines:
            client.send(line.encode() + b"\r\n")
        return client.received()

    def test_rule_24_an_attempt_waits_a_second_for_id(self) -> None:
        self.say("a LOGIN ada secret")
        self.assertEqual(self.noted(), [])
        self.clock.advance(SECOND)
        self.assertEqual(self.noted(), [("login", "ada", "ada", "ok")])
        self.assertEqual(self.directory.attempts.of()[0].attempt.agent, "")

    def test_rule_24_id_fills_in_the_program_and_sends_it_on(self) -> None:
        self.say("a LOGIN ada secret", 'b ID ("name" "Mail" "version" NIL)')
        self.noted()
        self.assertEqual(self.directory.attempts.of()[0].attempt.agent, 'name="Mail" version=""')

    def test_rule_24_id_before_the_login_serves_too(self) -> None:
        self.say('b ID ("name" "Mail")', "a LOGIN ada wrong", "c LOGIN ada secret")
        self.assertEqual([each[3] for each in self.noted()], ["badpassword", "ok"])
        self.assertEqual({each.attempt.agent for each in self.directory.attempts.of()}, {'name="Mail"'})

    def test_rule_24_a_later_attempt_sends_the_earlier_on(self) -> None:
        self.say("a LOGIN ada wrong", "b LOGIN ada secret")
        self.assertEqual([each[3] for each in self.noted()], ["badpassword"])

    def test_rule_24_the_end_of_the_connection_sends_it_on(self) -> None:
        self.say("a LOGIN ada secret")
        self.client().lose()
        self.assertEqual([each[3] for each in self.noted()], ["ok"])

    def test_rule_18_each_end_of_an_attempt_has_its_result(self) -> None:
        self.directory.set_disabled("bob", "Moved.")
        for script, wanted in (
                (["a LOGIN ada wrong"], ("login", "ada", "ada", "badpassword")),
                (["a LOGIN nobody wrong"], ("login", "nobody", "-", "baduser")),
                (["a LOGIN bob secret"], ("login", "bob", "bob", "logindisabled")),
                (["a AUTHENTICATE PLAIN", "*"], ("plain", "", "-", "aborted")),
                (["a AUTHENTICATE PLAIN", "!"], ("plain", "", "-", "badprotocol")),
                (["a AUTHENTICATE PLAIN YQ=="], ("plain", "", "-", "badprotocol")),
                (["a AUTHENTICATE X-NEW"], ("(unrecognized)", "", "-", "badprotocol")),
                (["a AUTHENTICATE EXTERNAL ="], ("external", "", "-", "badcreds")),
                (["a AUTHENTICATE SCRAM-SHA-1 biwsbj1hZGEscj14", "*"], ("scram-sha-1", "ada", "-", "aborted")),
                (["a AUTHENTICATE SCRAM-SHA-1 biwsbj1hZGEscj14", "Yz1iaXdzLHI9eCxwPUFBQUE="],
                 ("scram-sha-1", "ada", "ada", "badcreds"))):
            self.say(*script)
            self.clients.pop("").lose()
            self.noted()
            self.assertIn(wanted, self.noted(), script)

    def test_a_client_that_goes_away_in_the_middle_is_noted(self) -> None:
        self.say("a AUTHENTICATE PLAIN")
        self.client().lose()
        self.assertEqual(self.noted(), [("plain", "", "-", "aborted")])

    def test_a_store_that_fails_is_an_error_of_ours(self) -> None:
        def fail(name: str) -> Any:
            raise Unavailable("locked")

        self.patch(self.directory, "account", fail)
        self.assertIn(b"NO [UNAVAILABLE]", self.say("a LOGIN ada secret"))
        self.client().lose()
        self.assertEqual(self.noted(), [("login", "ada", "-", "error")])

    def test_refused_before_anything_is_judged_there_is_no_attempt(self) -> None:
        self.site.plaintext_login = False
        self.say("a LOGIN ada secret", "b AUTHENTICATE PLAIN")
        self.client().lose()
        self.assertEqual(self.noted(), [])

    def test_a_login_name_without_end_is_cut(self) -> None:
        self.say(f"a LOGIN {'x' * 5000} wrong")
        self.client().lose()
        self.assertEqual(self.noted()[0][1], "x" * 320)

    def test_where_it_came_from_is_in_it(self) -> None:
        """Rule 17."""
        self.say("a LOGIN ada secret")
        self.client().lose()
        self.noted()
        found = self.directory.attempts.of("ada")[0].attempt
        self.assertEqual((found.remote, found.local, found.protocol, found.tls), ("127.0.0.1", "10.0.0.1", "imap", ""))


class Secure(SecureCase):
    def test_rule_17_tls_and_the_key_are_in_it(self) -> None:
        key = self.know()
        client = self.connect(key=self.key)
        client.received()
        client.send(b'a ID ("name" "Mail")\r\n')
        client.received()
        self.clock.advance(module.GATHER)
        (found,) = self.directory.attempts.of("ada")
        self.assertEqual((found.attempt.mechanism, found.attempt.key, found.attempt.agent),
                         ("tlsclientauth", key.fingerprint, 'name="Mail"'))
        self.assertRegex(found.attempt.tls, r"^TLSv1\.3 TLS_\w+ sni=mail\.example\.org$")
        self.assertIsNotNone(self.directory.keys.find(key.fingerprint).used)


class Held:
    """A pool whose calls wait until they are let go."""

    def __init__(self) -> None:
        self.calls: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self.calls.append((deferred, function, args))
        return deferred

    def go(self) -> None:
        deferred, function, args = self.calls.pop(0)
        try:
            result = function(*args)
        except Exception as error:
            deferred.errback(error)
        else:
            deferred.callback(result)


class Kept:
    """A directory's attempts."""

    def __init__(self) -> None:
        self.batches: list[list[Attempts]] = []
        self.cleaned: list[float] = []
        self.broken = False
        self.attempts = self

    def record(self, batch: list[Attempts]) -> list[int]:
        if self.broken:
            raise Unavailable("locked")
        self.batches.append(batch)
        return [41 + each.count for each in batch]

    def clean(self, now: float) -> int:
        self.cleaned.append(now)
        return 0


class Background(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.pool, self.kept = Clock(), Held(), Kept()
        self.log = AttemptLog(self.kept, self.pool, self.clock, self.clock.seconds)  # type: ignore[arg-type]
        self.lines = listen(self)

    def note(self, *attempts: Attempt) -> None:
        for each in attempts:
            self.log.note(each)
        self.clock.advance(module.GATHER)

    def go(self) -> None:
        """A batch is written, and the next one gathered."""
        self.pool.go()
        self.clock.advance(module.GATHER)

    def test_rule_22_nobody_waits_and_what_comes_meanwhile_is_one_batch(self) -> None:
        self.note(attempt(login="a"))
        self.note(attempt(login="b"), attempt(login="c"))
        self.note(attempt(login="b"))
        self.assertEqual((len(self.pool.calls), self.lines), (1, []))
        self.go()
        self.go()
        self.assertEqual([[(each.attempt.login, each.count) for each in batch] for batch in self.kept.batches],
                         [[("a", 1)], [("b", 2), ("c", 1)]])
        self.assertEqual(self.pool.calls, [])

    def test_rule_22_the_line_is_logged_when_the_count_is_known(self) -> None:
        self.note(attempt(result="badpassword"))
        self.assertEqual(self.lines, [])
        self.go()
        self.assertEqual(self.lines, ['login failed: address=192.0.2.1 result=badpassword mechanism=plain '
                                      'account="ada" login="ada" key=- count=42'])

    def test_a_line_has_nothing_that_a_client_could_forge(self) -> None:
        for login, shown in (("a\r\nlogin failed: address=192.0.2.9", '"a\\r\\nlogin failed: address=192.0.2.9"'),
                             ('x" key=', '"x\\" key="'), ("\u202eren\u00e9\0", '"\\u202eren\\xe9\\x00"'),
                             ("x" * 999, '"' + "x" * 200 + '"'), ("\udcff", '"\\udcff"')):
            self.assertEqual(printable(login), shown)

    def test_a_directory_that_fails_costs_the_records_and_nothing_else(self) -> None:
        self.kept.broken = True
        self.note(attempt())
        self.go()
        self.assertEqual(len(self.lines), 2)
        self.assertIn("count=?", self.lines[0])
        self.kept.broken = False
        self.note(attempt())
        self.go()
        self.assertEqual(len(self.kept.batches), 1)

    def test_what_waits_is_bounded(self) -> None:
        self.patch(module, "WAITING", 2)
        self.note(attempt(login="a"))
        self.note(*(attempt(login=str(number)) for number in range(5)))
        self.go()
        self.go()
        self.assertEqual(sum(map(len, self.kept.batches)), 3)
        self.assertEqual(len(self.lines), 6)

    def test_rule_20_old_ones_are_cleaned_up_now_and_then(self) -> None:
        self.clock.advance(KEPT)
        for _ in range(2):
            self.note(attempt())
            self.go()
        self.clock.advance(module.CLEAN + 1)
        self.note(attempt())
        self.go()
        self.assertEqual(len(self.kept.cleaned), 2)
        self.assertGreater(self.kept.cleaned[1] - self.kept.cleaned[0], module.CLEAN)

    def test_flush_waits_for_all_that_was_noted(self) -> None:
        self.log.note(attempt(login="a"))
        done = self.log.flush()
        self.log.note(attempt(login="b"))
        self.go()
        self.assertNoResult(done)
        self.go()
        self.successResultOf(done)
        self.successResultOf(self.log.flush())
        self.assertEqual(self.clock.getDelayedCalls(), [])
