"""Worker processes: one listening socket, several servers, bells between them, and kill -9 of one."""

from __future__ import annotations

import imaplib
import os
import re
import select
import signal
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from moximap import worker
from tests import beside
from tests.server import Server, ServerTestCase, add_account, listen, moximap_command, ports_in, twistd

STARTED = re.compile(r"worker (\d) is process (\d+)")


class WorkerTests(ServerTestCase):
    def start_server(self) -> Server:
        data = self.directory / "data"
        add_account(data, self.user, self.password)
        settings = self.directory / "settings.toml"
        settings.write_text(f'[capabilities_off]\n"{listen("imap")[1]}" = ["QUOTA"]\n')
        child = twistd("--data", data, "--plaintext-login", "--workers", "2", *listen("imap"), "--config", settings,
                       directory=self.directory)
        self.look_after(child)
        child.wait_until(lambda lines: self.serving(lines) == 2)
        return Server(data, child, data, ports_in(child.lines[:20]))

    @staticmethod
    def serving(lines: list[str]) -> int:
        """How many workers have ever begun to listen."""
        return sum("worker" in line and "listening: imap" in line for line in lines)

    def pids(self) -> dict[str, int]:
        """The process of each worker, as last told."""
        return {found[1]: int(found[2]) for line in self.server.child.lines if (found := STARTED.search(line))}

    def connect(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=30)
        self.addCleanup(client.shutdown)
        client.login(self.user, self.password)
        return client

    def served_by(self, client: imaplib.IMAP4) -> int:
        """The worker that has this connection: the one with a socket to the client's port."""
        port = client.sock.getsockname()[1]
        table = Path("/proc/net/tcp").read_text().splitlines()
        inodes = {line.split()[9] for line in table if f":{port:04X} 01 " in line}
        for pid in self.pids().values():
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                except FileNotFoundError:
                    continue                       # closed meanwhile
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    return pid
        raise AssertionError("no worker has the connection")

    def one_of_each(self) -> dict[int, imaplib.IMAP4]:
        """A connection to each of the two workers."""
        found: dict[int, imaplib.IMAP4] = {}
        for _ in range(200):
            client = self.connect()
            found.setdefault(self.served_by(client), client)
            if len(found) == 2:
                return found
        raise AssertionError("one worker gets all connections")

    def test_what_one_worker_answered_the_other_knows(self) -> None:
        first, second = self.one_of_each().values()
        first.select()
        second.select()
        for count in range(1, 21):
            first.append("INBOX", "", "", b"Subject: %d\r\n\r\nhi\r\n" % count)
            second.noop()
            self.assertEqual(second.response("EXISTS")[1][-1], b"%d" % count)
            second.store(str(count), "+FLAGS", "\\Flagged")
            first.noop()
            self.assertIn(b"%d (UID %d FLAGS (\\Flagged))" % (count, count), first.response("FETCH")[1])

    def test_notify_tells_what_the_other_worker_did(self) -> None:
        first, second = self.one_of_each().values()
        first.xatom("NOTIFY", "SET", "(PERSONAL (MessageNew MessageExpunge MailboxName))")
        for count in range(1, 6):
            second.append("Junk", "", "", b"Subject: %d\r\n\r\nhi\r\n" % count)
            self.assertEqual(first.readline(), b"* STATUS Junk (UIDNEXT %d MESSAGES %d UNSEEN %d)\r\n"
                             % (count + 1, count, count))
        second.create("New")
        self.assertTrue(first.readline().endswith(b' "/" New\r\n'))
        first.noop()
        self.assertEqual(first.response("STATUS")[1], [None], "told twice")

    def test_workers_know_what_is_switched_off_for_a_listener(self) -> None:
        for client in self.one_of_each().values():
            self.assertNotIn(b"QUOTA", client.capability()[1][0].split())
            self.assertIn(b"IDLE", client.capability()[1][0].split())

    def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(self) -> None:
        by_pid = self.one_of_each()
        (victim, doomed), (survivor, other) = by_pid.items()
        other.select()
        for count in range(10):
            self.assertEqual(doomed.append("INBOX", "", "", b"Subject: %d\r\n\r\nhi\r\n" % count)[0], "OK")
        os.kill(victim, signal.SIGKILL)
        self.server.child.wait_until(lambda lines: self.serving(lines) == 3)
        other.noop()
        self.assertEqual(other.response("EXISTS")[1][-1], b"10")
        self.assertNotIn(victim, self.pids().values())
        self.assertIn(survivor, self.pids().values())
        self.assertEqual(set(self.one_of_each()), set(self.pids().values()))
        self.assertEqual(moximap_command(self.server.data, "check"), b"")

    def test_all_end_with_the_supervisor(self) -> None:
        pids = self.pids().values()
        self.server.child.stop()
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_workers_end_when_the_supervisor_is_killed(self) -> None:
        workers = [os.pidfd_open(pid) for pid in self.pids().values()]
        self.server.child.process.kill()
        for descriptor in workers:
            self.addCleanup(os.close, descriptor)
            self.assertTrue(select.select([descriptor], [], [], 30)[0], "the worker goes on alone")


class LifelineTests(SynchronousTestCase):
    def test_a_worker_that_is_ending_already_is_not_ended_again(self) -> None:
        """Who ends a service ends all of its processes, so that the supervisor's end comes behind a SIGTERM."""
        stopped: list[bool] = []

        def stop() -> None:
            if stopped:
                raise ReactorNotRunning
            stopped.append(True)
        lifeline = worker._Lifeline(SimpleNamespace(stop=stop))
        lifeline.connectionLost()
        lifeline.connectionLost()
        self.assertEqual(stopped, [True])


test_suite = beside.suite(__name__)
