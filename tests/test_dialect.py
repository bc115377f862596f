"""The dialect: one module is one extension, and nothing else has to be touched for it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from moximap.imap import commands
from moximap.imap.dialect import ANY_STATE, Dialect, Extension, Spec, discover, standard
from moximap.imap.site import Site
from tests.dialogue import DialogueCase

MODULE = '''"""SHOUT (RFC 9999), made up."""

import attrs
from moximap.imap.dialect import ANY_STATE, Capability, Extension, Reply, Spec


@attrs.frozen
class Shout:
    words: bytes

    def run(self, session):
        session.write(b"* SHOUT %b\\r\\n" % self.words.upper())
        return Reply("loud", b"ALERT")


def parse(p):
    p.sp()
    return Shout(p.astring())


EXTENSION = Extension(name="SHOUT", rfcs=(9999,), capabilities=(Capability(b"X-SHOUT"),),
                      commands={b"SHOUT": Spec(parse, ANY_STATE)})
'''


class OneModuleTests(DialogueCase):
    """A made-up command in a new file of ``commands/``, and nothing else."""

    def make_site(self) -> Site:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "shout.py").write_text(MODULE)
        commands.__path__.append(str(folder))
        self.addCleanup(commands.__path__.remove, str(folder))
        self.addCleanup(sys.modules.pop, "moximap.imap.commands.shout", None)
        importlib.invalidate_caches()
        site = super().make_site()
        site.dialect = Dialect(tuple(discover()))
        return site

    def test_a_new_module_is_a_new_command(self) -> None:
        self.dialogue("""
            C: a SHOUT "what is it"
            S: * SHOUT WHAT IS IT
            S: a OK [ALERT] loud
            C: b SHOUT
            S: b BAD {*}
        """)
        self.assertIn(b"X-SHOUT", self.site.dialect.capabilities(self.client().protocol.session))


class DialectTests(SynchronousTestCase):
    def test_two_rows_of_one_name_are_an_error(self) -> None:
        one = Extension("one", (1,), commands={b"A": Spec(lambda p: None, ANY_STATE)})  # type: ignore[arg-type,return-value]
        self.assertRaises(ValueError, Dialect, (one, one))

    def test_every_extension_says_its_rfc_in_its_modules_first_lines(self) -> None:
        for extension in standard().extensions:
            doc = importlib.import_module(extension.module).__doc__ or ""
            self.assertTrue(any(f"RFC {n}" in doc for n in extension.rfcs), extension.module)
