"""README.md's first conversation and the demo's own instructions work as they are pasted."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

from tests import beside
from tests.server import ROOT, ServerTestCase, listen, needs, ports_in, run, run_on_terminal, twistd

#: What README.md says that the demo listens on; a test takes what is free instead.
README_PORT = "1993"


def pasteable(heading: str) -> list[str]:
    """The indented blocks below a heading of README.md, each a paste."""
    section = (ROOT / "README.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^    .*\n(?:    .*\n|\n(?=    ))*", section, re.M)
    return [textwrap.dedent(block) for block in blocks]


class DemoTests(ServerTestCase):
    """One demo for the whole of it: the later lines see what the earlier ones did."""

    def setUp(self) -> None:
        needs("curl", "openssl", "mutt", "mbsync", "bash")
        self.directory = Path(tempfile.mkdtemp(prefix="moximap-demo-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        command = self.directory / ".venv" / "bin" / "moximap"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!{sys.executable}\nfrom moximap.cli.main import main\nmain()\n")
        command.chmod(0o755)
        self.demo = twistd("--demo", *listen("imap", "imaps"), directory=self.directory)
        self.look_after(self.demo)
        self.demo.wait_until(lambda lines: len(ports_in(lines)) == 2 and "Ctrl-C" in lines[-1])
        self.port = str(ports_in(self.demo.lines)["imaps"])

    def paste(self, text: str) -> bytes:
        """What the shell shows; mutt is told to leave as soon as it is there, and not to let anybody read what it says."""
        text = text.strip("\n").replace(README_PORT, self.port)
        if not text.startswith("mutt "):
            return run("bash", "-e", "-o", "pipefail", "-c", text, directory=self.directory)
        return run_on_terminal("bash", "-c", text + " -e 'set sleep_time=0' -e 'push <exit>'", directory=self.directory)

    def test_the_readmes_first_conversation(self) -> None:
        said = {block: self.paste(block) for block in pasteable("A first conversation")}
        first = next(iter(said.values()))
        self.assertIn(b'"/" INBOX', first.replace(b'"INBOX"', b"INBOX"))
        talk = next(text for block, text in said.items() if "s_client" in block)
        self.assertIn(b"d OK", talk)
        copies = (self.directory / "moximap-demo/maildir/INBOX").glob("*/*")
        self.assertTrue(any(b"a first letter" in path.read_bytes() for path in copies))

    def test_what_the_demo_says_can_be_pasted(self) -> None:
        lines = [line.strip() for line in self.demo.lines if re.match(r"  (curl|mutt|printf) ", line)]
        self.assertEqual(["curl", "mutt", "printf", "curl", "printf"], [line.split()[0] for line in lines])
        for line in lines:
            self.assertTrue(self.paste(line))


test_suite = beside.suite(__name__)
