"""interimap, which lives on QRESYNC, keeps a Dovecot and a moximap in step while both of them change.

`MOXIMAP_CHANGES=500 trial tests.test_sync_interimap` is the long form; `MOXIMAP_SEED` picks other changes.
"""

from __future__ import annotations

import os
import random
import re

from tests import beside, dovecot
from tests.dovecot import Dovecot, Tunnel
from tests.server import ServerTestCase, moximap_command, needs, run
from tests.syncing import Side, World, connect

CHANGES = int(os.environ.get("MOXIMAP_CHANGES", "60"))
SEED = int(os.environ.get("MOXIMAP_SEED", "7162"))
ROUND = 15
CONFIGURATION = """
database = {home}/state.db

[local]
type = tunnel
command = {command}

[remote]
type = imap
host = 127.0.0.1
port = {port}
STARTTLS = NO
auth = LOGIN
username = {user}
password = {password}
"""
#: All that interimap says when nothing is wrong; any other line is a warning, whatever it calls itself.
PEACEFUL = re.compile(r"""(?x) ((database|local|remote)(\(.*?\))?:\ )? (
    Creating\ new\ schema\ in\ database\ file\ .* | (Created|Deleted|Removed)\ mailbox\ .*
    | Renamed\ mailbox\ .* | (Subscribe|Unsubscribe)\ to\ .* | Removed\ \d+\ UID\(s\)\ [\d:,]+
    | Added\ \d+\ UID\(s\)\ .* | Updated\ flags\ \(.*\)\ for\ UID\ [\d:,]+ )""")
TRAFFIC = re.compile(r"(local|remote)(\(.*?\))?: IMAP traffic \(bytes\): .*|")


class InterimapTests(ServerTestCase):
    """Whatever happens on either side between two runs, afterwards both have all of it, and nobody warned."""

    def setUp(self) -> None:
        needs("interimap", dovecot.PROGRAM)
        super().setUp()
        self.dovecot = Dovecot.make(self.directory / "dovecot")
        self.directory.chmod(0o711)
        self.configuration = self.directory / "interimap.conf"
        self.configuration.write_text(CONFIGURATION.format(
            home=self.directory, command=self.dovecot.command, port=self.server.ports["imap"],
            user=self.user, password=self.password))

    def sides(self) -> tuple[Side, Side]:
        near = Tunnel(self.dovecot.command)
        self.addCleanup(near.shutdown)
        far = connect(self.server.ports["imap"], self.user, self.password)
        self.addCleanup(far.shutdown)
        return Side("local", near), Side("remote", far)

    def interimap(self, *arguments: str) -> list[str]:
        """What it says; every line must be one that tells of work done."""
        said = run("sh", "-c", 'exec "$@" 2>&1', "sh", "interimap", "--config", self.configuration,
                   *arguments, HOME=str(self.directory)).decode(errors="replace").splitlines()
        said = [line for line in said if not TRAFFIC.fullmatch(line)]
        self.assertEqual([], [line for line in said if not PEACEFUL.fullmatch(line)], "\n".join(said))
        return said

    def test_a_dovecot_is_kept_in_step_through_random_changes_on_both_sides(self) -> None:
        near, far = self.sides()
        world = World(random.Random(SEED), (near, far), self.interimap)
        self.interimap()
        world.mailboxes = far.mailboxes()
        for number in range(CHANGES):
            if number % ROUND == 0:
                self.assert_in_step(world)
            world.change()
        self.assert_in_step(world)
        self.assertEqual([], self.interimap(), "a run with nothing to do does something")
        self.assertEqual([], self.interimap("--repair"), "a look at every message finds something")
        self.assertEqual(b"", moximap_command(self.server.data, "check"))
        self.assertEqual([], self.dovecot.complaints())

    def assert_in_step(self, world: World) -> None:
        """Run interimap; both sides have what they must have, message by message.

        A second run lets it hear what it was not told: Dovecot is silent on the modseq of what interimap appends,
        and moximap subscribes to what it creates.
        """
        self.interimap()
        for side in world.sides:
            found = side.mailboxes()
            self.assertEqual(set(world.mailboxes), set(found), f"mailboxes, {side.name}")
            for name, letters in world.mailboxes.items():
                self.assertEqual(letters, found[name], f"{name}, {side.name}")
            subscribed = side.subscribed()
            self.assertEqual(world.subscribed, {name: name in subscribed for name in world.subscribed}, side.name)
        self.interimap()
        near, far = (side.subscribed() & set(world.mailboxes) for side in world.sides)
        self.assertEqual(near, far, "subscribed")
        world.in_step()


test_suite = beside.suite(__name__)
