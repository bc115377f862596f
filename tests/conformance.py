"""The conformance table of README.md: `python -m tests.conformance` writes it anew.

What this server does is read from its dialect, and which tests show it from their names.  What other servers announce
are facts as of 2026, from their sources, documentation and CAPABILITY strings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from moximap.imap import commands
from moximap.imap.dialect import Extension, standard

ROOT: Final = Path(__file__).resolve().parent.parent
README: Final = ROOT / "README.md"
NONE: Final = "–"
SERVERS: Final = ("mox", "Dovecot 2.3", "Dovecot 2.4", "Cyrus 3.13", "Stalwart", "James 3.10", "pymap",
                  "twisted.mail")
_WORDS: Final = {"y": "yes", "p": "partly", "o": "hidden", "n": NONE, "?": "?"}

#: Capability: its RFCs, and what each of SERVERS has, by the letters of _WORDS.
FACTS: Final = {
    "APPENDLIMIT": ("7889", "ynpynyyn"), "AUTH=CRAM-MD5": ("2195", "ypppnnyy"),
    "AUTH=EXTERNAL": ("4422", "ypypnnpn"), "AUTH=LOGIN": ("9051", "????????"),
    "AUTH=OAUTHBEARER": ("7628", "nyypyy?n"), "AUTH=PLAIN": ("4616", "yyyyyyyp"),
    "AUTH=SCRAM-SHA-1": ("5802", "yyypnnnn"), "AUTH=SCRAM-SHA-1-PLUS": ("5802", "yn?pnnnn"),
    "AUTH=SCRAM-SHA-256": ("7677", "yyypnnnn"), "AUTH=SCRAM-SHA-256-PLUS": ("7677", "yn?pnnnn"),
    "AUTH=XOAUTH2": ("7628", "nyypyy?n"), "BINARY": ("3516", "yyyyynyn"), "CHILDREN": ("3348", "nyyyyyyn"),
    "COMPRESS=DEFLATE": ("4978", "opyynynn"), "CONDSTORE": ("7162", "yyyyypnn"),
    "CREATE-SPECIAL-USE": ("6154", "ynnyynnn"), "ENABLE": ("5161", "yyyyyynn"), "ESEARCH": ("4731", "yyyyyynn"),
    "ESORT": ("5267", "nyyyynnn"),
    "I18NLEVEL=1": ("5051, 5255", "nyynnynn"), "ID": ("2971", "yyyyyyyn"), "IDLE": ("2177", "yyyyyyyn"), "IMAP4rev1": ("3501", "yyyyyyyy"),
    "IMAP4rev2": ("9051", "ynpyynnn"), "INPROGRESS": ("9585", "ynyynnnn"), "LIST-EXTENDED": ("5258", "yyyyyynn"),
    "LIST-METADATA": ("9590", "ynnynnnn"), "LIST-STATUS": ("5819", "yyyyyynn"), "LITERAL+": ("7888", "yyyyyyyn"),
    "LITERAL-": ("7888", "nnppnnnn"), "LOGINDISABLED": ("9051", "yyyyyyyy"), "METADATA": ("5464", "ypyynynn"),
    "MOVE": ("6851", "yyyyyyyn"), "MULTIAPPEND": ("3502", "yyyyynyn"), "MULTISEARCH": ("7377", "ynnynnnn"),
    "NAMESPACE": ("2342", "yyyyyyny"), "NOTIFY": ("5465", "ypypnnnn"), "OBJECTID": ("8474", "nnnypyyn"),
    "PARTIAL": ("9394", "nnnynynn"), "PREVIEW": ("8970", "yyyyynnn"), "QRESYNC": ("7162", "yyyyyynn"),
    "QUOTA": ("9208", "yppyyynn"), "QUOTA=RES-MAILBOX": ("9208", "nn?ynnnn"),
    "QUOTA=RES-MESSAGE": ("9208", "nn?ynynn"), "QUOTA=RES-STORAGE": ("9208", "yn?yyynn"),
    "REPLACE": ("8508", "ynyynynn"), "SASL-IR": ("4959", "yyyyyynn"), "SAVEDATE": ("8514", "yyyynynn"),
    "SEARCHRES": ("5182", "yyyyyynn"),
    "SORT": ("5256", "nyyyynnn"), "SORT=DISPLAY": ("5957", "nyyyynnn"),
    "SPECIAL-USE": ("6154", "pyyyyynn"), "STARTTLS": ("9051", "yyyyyyyy"),
    "STATUS=SIZE": ("8438", "yyyyyynn"), "THREAD=ORDEREDSUBJECT": ("5256", "nyyynnnn"),
    "THREAD=REFERENCES": ("5256", "nyyyynnn"), "UIDBATCHES": ("10022", "nnnyynnn"),
    "UIDONLY": ("9586", "ynnyynnn"), "UIDPLUS": ("4315", "yyyyyyyn"),
    "UNSELECT": ("3691", "yyyyyynn"), "UTF8=ACCEPT": ("6855, 9755", "ynppynnn"), "WITHIN": ("5032", "yyyyyynn"),
}
#: What is not there yet: in the table only.
PLANNED: Final[dict[str, tuple[str, str]]] = {}

#: Where a module's tests are, if not in files that are called like it.
TESTS: Final = {
    "body": "test_commands_messages", "capability": "test_commands_basic",
    "copy": "test_commands_messages", "enable": "test_commands_basic", "esearch": "test_commands_search_returns",
    "expunge": "test_commands_messages", "fetch": "test_commands_messages", "list_metadata": "test_commands_metadata",
    "login": "test_commands_basic", "lsub": "test_commands_list_lsub", "noop": "test_commands_basic",
    "oauth": "test_tokens*", "search_within": "test_commands_search_keys",
    "searchres": "test_commands_search_returns", "select": "test_commands_basic", "sort_display": "test_commands_sort",
    "store": "test_commands_messages"}


def short(extension: Extension) -> str:
    """The module's name within ``commands/``."""
    return extension.module.removeprefix(commands.__name__ + ".")


def files(module: str) -> tuple[str, list[str]]:
    """The tests of a module: a pattern, and the files that it matches."""
    names = sorted(path.stem for path in (ROOT / "tests").glob("test_*.py"))
    patterns = [TESTS[module]] if module in TESTS else [f"test_commands_{module}*", f"test_{module}*"]
    for pattern in patterns:
        found = [name for name in names if fnmatch(name, pattern)]
        if found:
            return (found[0] if len(found) == 1 else pattern), found
    return patterns[0], []


def _line(name: str, rfcs: str, module: str, tests: str, others: str) -> str:
    return "| " + " | ".join((name, rfcs, module, tests, *map(_WORDS.__getitem__, others))) + " |"


def rows() -> Iterator[str]:
    """One for each capability, then one for each module that announces none, then what is planned."""
    told, silent = [], []
    for extension in standard().extensions:
        module, tests = f"`{short(extension)}`", f"`{files(short(extension))[0]}`"
        for capability in extension.capabilities:
            name = capability.name.decode()
            rfcs, others = FACTS[name]
            told.append((name, _line(f"`{name}`", rfcs, module, tests, others)))
        if not extension.capabilities:
            rfcs = ", ".join(map(str, sorted(extension.rfcs)))
            silent.append((extension.name, _line(extension.name, rfcs, module, tests, "y" * len(SERVERS))))
    yield from (line for _, line in sorted(told))
    yield from (line for _, line in sorted(silent))
    for name, (rfcs, others) in PLANNED.items():
        yield _line(f"`{name}`", rfcs, NONE, "planned", others)


def render() -> str:
    """The section below the heading, without blank lines around it."""
    head = ("capability", "RFC", "module", "tests", *SERVERS)
    return "\n".join((
        "What is announced, where it is in `moximap/imap/commands`, which files of `tests` show it, and who else has it.",
        "`partly`: by a plugin, an option, or in part; `hidden`: not announced. `python -m tests.conformance` writes this.",
        "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head), *rows()))


def split(text: str) -> tuple[str, str, str]:
    """README.md before, in and after the section."""
    before, heading, rest = text.partition("\n## Conformance\n\n")
    section, following, after = rest.partition("\n\n## ")
    return before + heading, section, following + after


def main() -> int:
    before, _, after = split(README.read_text(encoding="utf-8"))
    README.write_text(before + render() + after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
