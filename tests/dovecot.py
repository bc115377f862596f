"""A Dovecot of one's own, to compare with and to synchronise with.

There is no master process and no port: a session is Dovecot's `imap` on a pipe, logged in from the start, as an
IMAP client's tunnel command wants it.  It ends with its client, so that nothing is left to be stopped.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
from pathlib import Path

import attrs
from imapclient import IMAPClient

#: What `needs()` is asked for; Debian's package is dovecot-imapd.
PROGRAM = "/usr/lib/dovecot/imap"
USER = "ada"
CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/state
mail_location = sdbox:{home}/mail
mail_home = {home}
mail_uid = {owner}
mail_gid = {group}
first_valid_uid = 0
protocols = imap
ssl = no
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
"""
SCRIPT = """#!/bin/sh
exec {doveadm} exec imap 2>>'{log}'
"""


class Tunnel(IMAPClient):
    """An IMAPClient on a pipe; the library's own asks the pipe for a timeout, which no pipe has."""

    def __init__(self, command: Path) -> None:
        super().__init__(str(command), stream=True, ssl=False)

    def _set_read_timeout(self) -> None:
        pass


@attrs.frozen
class Dovecot:
    """``command``: a program that speaks IMAP on its standard input and output.  ``log``: what all of them said.

    ``doveadm``: the words before a command of doveadm's, for the mail of the one user.
    """

    command: Path
    log: Path
    doveadm: tuple[str, ...]

    @classmethod
    def make(cls, directory: Path, separator: str = "/", prefix: str = "") -> Dovecot:
        """One with no mail yet; the directory is made, and made passable for who owns the mail."""
        home, log = directory / "home", directory / "log"
        home.mkdir(parents=True)
        owner, group = mail_owner()
        doveadm = ["env", "-i", f"USER={USER}", f"HOME={home}", "PATH=/usr/bin:/bin",
                   "doveadm", "-c", f"{home}/dovecot.conf"]
        if os.geteuid() == 0:
            doveadm[:0] = ["setpriv", f"--reuid={owner}", f"--regid={group}", "--clear-groups"]
            for path in (directory, home):
                path.chmod(0o711)
            os.chown(home, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
        (home / "dovecot.conf").write_text(CONFIGURATION.format(home=home, owner=owner, group=group,
                                                                separator=separator, prefix=prefix))
        command = directory / "dovecot-imap"
        command.write_text(SCRIPT.format(doveadm=shlex.join(doveadm), log=log))
        command.chmod(0o755)
        return cls(command, log, tuple(doveadm))

    def complaints(self) -> list[str]:
        """The lines of the log that speak of something wrong."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [line for line in lines if ": Info: " not in line]


def mail_owner() -> tuple[str, str]:
    """User and group that the mail belongs to: Dovecot refuses to work for root."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    return account.pw_name, grp.getgrgid(account.pw_gid).gr_name
