"""Mail of many kinds made of few words, so that random queries meet it, and the scan that judges."""

from __future__ import annotations

import base64
import quopri
from random import Random
from typing import Any
from unicodedata import normalize
from unittest.mock import patch

from moximap.mail.searched import Searched
from moximap.store import checks, database, indexing, searching
from moximap.store.indexing import View
from moximap.searchtree import And, HasFlag, HeaderHas, Not, Or, SearchTree, SizeIs, TextHas
from moximap.values import NumSet
from tests.storecases import ALL, OnDisk, StoreCase

WORDS = ["budget", "Straße", "STRASSE", "grüße", "İstanbul", "istanbul", "café", "café", "日本語のメール", "Σίσυφος", "ﬁn", "a\x00b", "😀😀", "x�y", '"quoted"', "50%", "the", "and", "ab", "l'été", "Привет", "\ufffe\uffff", "re:", "kumquat", "tapioca", "a*b", "(c)", "NEAR", "OR",
         "\u1ec7", "\u00ea\u0323", "kap\u0131", "\u017fo", "\uff21\uff22c", "\ud55c\uad6d\uc5b4", "\u01c6ep", "\u01c5", "dz\u030c", "\uff76\uff9e\u30ac"]
FIELDS = ("Subject", "From", "To", "Cc", "X-Odd", "List-Id")
CHARSETS = ("utf-8", "utf-8", "iso-8859-1", "utf-16", "iso-2022-jp")


def phrase(random: Random, most: int = 6) -> str:
    return random.choice((" ", " ", "\r\n ", "")).join(random.choices(WORDS, k=random.randint(1, most)))


def header_value(random: Random) -> bytes:
    text = phrase(random)
    how = random.randrange(4)
    if how == 0:
        return b"\r\n ".join(b"=?utf-8?b?" + base64.b64encode(word.encode()) + b"?=" for word in text.split())
    if how == 1:
        return b"=?iso-8859-1?q?" + quopri.encodestring(text.encode("latin-1", "replace"), header=True).replace(
            b"=\n", b"").replace(b"\n", b"") + b"?= rest"
    if how == 2:
        return text.encode("latin-1", "replace")
    return text.encode()


def header(random: Random) -> bytes:
    names = random.sample(FIELDS, random.randint(1, len(FIELDS)))
    return b"".join(b"%b:%b%b\r\n" % (random.choice((name, name.upper())).encode(), random.choice((b" ", b"", b"\t")),
                                      header_value(random)) for name in names)


def part(random: Random, depth: int = 0) -> bytes:
    """A part with the rest of its header: text, HTML, several, or a message."""
    kind = random.randrange(6 if depth < 2 else 4)
    if kind == 4:
        parts = [b"--=b%d\r\n%b\r\n" % (depth, part(random, depth + 1)) for _ in range(random.randint(1, 3))]
        return b"Content-Type: multipart/mixed; boundary=\"=b%d\"\r\n\r\n%b--=b%d--\r\n" % (depth, b"".join(parts), depth)
    if kind == 5:
        return b"Content-Type: message/rfc822\r\n\r\n" + header(random) + part(random, depth + 1)
    text, charset = phrase(random, 30), random.choice(CHARSETS)
    if kind == 3:
        text = f"<html><style>hidden</style><p>{text}<{random.choice(('b', '/x', 'table'))}>{phrase(random)}</b>&eacute;t&eacute;</html>"
    data = text.encode(charset, "replace")
    encoding, data = random.choice((
        (b"base64", base64.encodebytes(data)), (b"quoted-printable", quopri.encodestring(data)), (b"8bit", data)))
    return b"Content-Type: text/%b; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n" % (
        b"html" if kind == 3 else b"plain", charset.encode(), encoding, data)


def message(random: Random) -> bytes:
    return header(random) + part(random)


def needle(random: Random) -> str:
    text = phrase(random, 2)
    start = random.randrange(len(text))
    found = text[start:start + random.choice((1, 2, 3, 3, 4, 6, 30))]
    return random.choice((found, found.upper(), found.casefold(), found.title(),
                          normalize("NFC", found), normalize("NFD", found), normalize("NFKD", found)))


def leaf(random: Random) -> SearchTree:
    kind = random.randrange(5)
    if kind == 0:
        return HeaderHas(random.choice((*FIELDS, "subject", "no-such", "Content-Type")), random.choice(("", needle(random))))
    if kind == 1:
        return random.choice((HasFlag("\\Seen"), SizeIs(">", 600)))
    return TextHas(needle(random), random.random() < 0.5)


def tree(random: Random, depth: int = 0) -> SearchTree:
    kind = random.randrange(6)
    if depth == 3 or kind < 3:
        return leaf(random)
    if kind == 3:
        return Not(tree(random, depth + 1))
    if kind == 4:
        return Or(tree(random, depth + 1), tree(random, depth + 1))
    return And(tuple(tree(random, depth + 1) for _ in range(random.randint(1, 3))))


def scan(account: Any, mailbox: int, tree: SearchTree, uids: NumSet) -> NumSet:
    """What a search finds that has no index, and makes every text before it looks into it."""
    with (account._readers.snapshot() as snapshot,
          patch.object(Searched, "has", lambda text, needle: needle in text.folded)):
        return NumSet.ascending(searching.find(snapshot.connection, View(), account._files, account.flags,
                                               mailbox, tree, uids))


class IndexCase(StoreCase, OnDisk):
    def index_all(self) -> None:
        while self.account.index(3):
            pass

    def found(self, tree: SearchTree, uids: NumSet = ALL) -> list[int]:
        return list(self.account.search(self.inbox(), tree, uids))

    def unread(self) -> None:
        """From now on no message may be read: only the index can answer."""
        def fail(message: object) -> None:
            raise AssertionError("a message was read")

        for name in ("head", "texts", "header_text"):
            self.patch(checks.Message, name, property(fail))

    def expunge(self, *uids: int) -> None:
        self.account.store(self.inbox(), NumSet.of(uids), "+", ["\\Deleted"])
        self.account.expunge(self.inbox())

    def erase(self) -> int:
        modseq = self.account.mailboxes().modseq
        self.account.set_floor(modseq)
        return int(self.account.erase(modseq))

    def query(self, statement: str) -> list[Any]:
        connection = database.connect(self.home / indexing.DATABASE, write=True)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def upto(self) -> int:
        return int(self.query("SELECT upto FROM state")[0][0])
