"""`--demo`: a server on this machine only, with an account and mail in it, and how to reach it."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from shlex import quote
from time import time
from typing import Any, Final, TextIO

import attrs
from twisted.internet.interfaces import IAddress

from moximap.config import BadConfig, Config
from moximap.demomail import messages
from moximap.identity import clientkeys
from moximap.identity.passwords import make_verifiers
from moximap.net.listeners import show_address
from moximap.store.errors import NoSuchAccount
from moximap.store.interfaces import IDirectory
from moximap.store.keys import NoSuchKey

ACCOUNT: Final = "demo"
DATA: Final = "moximap-demo"
PORTS: Final = {"imap": 1143, "imaps": 1993}


def free_port(first: int) -> int:
    """The first port from ``first`` on that nobody has on the loopback interface; BadConfig."""
    for port in range(first, first + 100):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BadConfig(f"no free port from {first} to {first + 99}")


@attrs.define
class Demo:
    """What the demo does before and after the server starts.  ``out`` gets the instructions."""

    settings: Config
    # Not sys.stdout: twistd has made that a part of its log.
    out: TextIO = attrs.field(factory=lambda: sys.__stdout__ or sys.stdout)
    password: str = ""

    @classmethod
    def config(cls) -> Config:
        """Its settings, where neither file nor command line says other ones.

        The directory is kept between runs, so that a client that was set up once goes on working.
        """
        listen = tuple(f"{kind}=tcp:{free_port(first)}:interface=127.0.0.1" for kind, first in PORTS.items())
        return Config(data=Path(DATA).absolute(), listen=listen)

    @property
    def data(self) -> Path:
        assert self.settings.data is not None
        return self.settings.data

    def fill(self, directory: IDirectory) -> None:
        """Make the account with its mail, or with a known password again; blocks."""
        kept = self.data / "password"
        try:
            directory.account(ACCOUNT)
            known = kept.exists()
        except NoSuchAccount:
            directory.add(ACCOUNT)
            _add_mail(directory)
            known = False
        if not known:
            # A demo's password may lie in a file: it opens invented mail, on this machine.
            password = "-".join(secrets.token_hex(2) for _ in range(3))
            _write_secret(kept, password.encode() + b"\n")
            directory.set_verifiers(ACCOUNT, make_verifiers(password))
        self.password = kept.read_text().strip()
        self._fill_key(directory)

    @property
    def key(self) -> Path:
        """The private key of a device, and its certificate."""
        return self.data / "key.pem"

    def _fill_key(self, directory: IDirectory) -> None:
        """Make a key, or with a lost directory let the old one log in again."""
        if not self.key.exists():
            made = clientkeys.make("ecdsa-p256", "demo device")
            _write_secret(self.key, made.key_pem + made.certificate_pem)
        record = clientkeys.record(clientkeys.load(self.key.read_bytes()), ACCOUNT, None, time())
        try:
            directory.keys.find(record.fingerprint)
        except NoSuchKey:
            directory.keys.add(record)

    def announce(self, addresses: Sequence[IAddress]) -> None:
        """Print how to connect, in lines that can be pasted."""
        listens = [listen.partition("=") for listen in self.settings.listen]
        pairs = zip(listens, addresses, strict=True)
        bound = {kind: show_address(address) for (kind, _, where), address in pairs
                 if not where.startswith("onion:")}
        certificate = self.settings.tls_certificate or self.data / "tls" / "certificate.pem"
        self.out.write(instructions(self.data, self.password, certificate, bound, self.key))
        self.out.flush()


def _write_secret(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _add_mail(directory: IDirectory) -> None:
    account: Any = directory.open(ACCOUNT)
    with closing(account):
        by_mailbox = defaultdict(list)
        for mailbox, message in messages(int(time())):
            by_mailbox[mailbox].append(message)
        there = {mailbox.name for mailbox in account.mailboxes().mailboxes}
        for mailbox, several in by_mailbox.items():
            if mailbox not in there:
                account.create(mailbox)
            account.append(mailbox, several)


def instructions(data: Path, password: str, certificate: Path, bound: dict[str, str], key: Path) -> str:
    """How to connect to ``bound``, a mapping from kind of listener to HOST:PORT."""
    lines = [f"moximap's demo is ready.  Its mail is in {data}; remove that to start afresh.", ""]
    lines += [f"  {kind:5}  {address}" for kind, address in bound.items()]
    lines += ["", f"Account {ACCOUNT}, password {password}.  Some ways to look at its mail:", ""]
    tls = quote(str(certificate))
    if "imaps" in bound:
        url = f"imaps://{bound['imaps']}"
        lines += [
            f"  curl --cacert {tls} --user {ACCOUNT}:{password} '{url}/INBOX;UID=1'", "",
            "  mutt -n -F /dev/null -e 'set folder=.'"
            f" -e {quote(f'set certificate_file={certificate}')}"
            f" -f imaps://{ACCOUNT}:{password}@{bound['imaps']}/INBOX", "",
            "By hand, or all at once:", "",
            f"  openssl s_client -quiet -verify_quiet -crlf -CAfile {tls} -connect {bound['imaps']}", "",
            f"  printf 'a LOGIN {ACCOUNT} {password}\\r\\nb SELECT INBOX\\r\\nc LOGOUT\\r\\n' |"
            f" openssl s_client -quiet -verify_quiet -CAfile {tls} -connect {bound['imaps']}", "",
            *_by_key(url, f"-CAfile {tls} -connect {bound['imaps']}", tls, quote(str(key)))]
    return "\n".join([*lines, "Ctrl-C ends it.", ""])


def _by_key(url: str, where: str, tls: str, key: str) -> list[str]:
    return ["By the key of a device, without a password:", "",
            f"  curl --cacert {tls} --cert {key} '{url}/INBOX;UID=1'", "",
            f"  printf 'a SELECT INBOX\\r\\nb LOGOUT\\r\\n' | openssl s_client -quiet -verify_quiet"
            f" -cert {key} -key {key} {where}", ""]
