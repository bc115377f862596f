"""The check of directory.db and of what lies beside it: accounts have mail, and mail has accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import apsw

from moximap.store.account import DATABASE
from moximap.store.checking import torn
from moximap.store.database import every

#: Directories of which no account is made are put aside under such a name.
LOST: Final = ".lost-"

#: Tables whose rows belong to accounts, and what they are.
OWNED: Final = (("verifier", "passwords"), ("address", "addresses"), ("key", "keys"),
                ("capability_off", "switches"))


def check(connection: apsw.Connection, accounts: Path, home: Callable[[str], Path]) -> Iterator[str]:
    """Problems, in words.  To be asked where nobody can add or remove an account meanwhile."""
    yield from torn(connection)
    homes = set()
    for name, folded in every(connection.execute, "SELECT name, folded FROM account WHERE NOT removing"):
        homes.add(home(name).name)
        if folded != name.casefold():
            yield f"account {name} is not found by its name"
        if not (home(name) / DATABASE).exists():
            yield f"account {name} has no mail: its {DATABASE} is missing"
    yield from _without_account(connection)
    yield from _astray(accounts, homes)


def _without_account(connection: apsw.Connection) -> Iterator[str]:
    for table, what in OWNED:
        statement = f"SELECT count(*) FROM {table} WHERE account NOT IN (SELECT id FROM account)"
        if count := connection.execute(statement).get:
            yield f"{count} {what} belong to no account"


def _astray(accounts: Path, homes: set[str]) -> Iterator[str]:
    for path in sorted(accounts.iterdir()):
        if path.name.startswith(LOST):
            yield f"{path} was put aside when an account was made in its place: look, then remove it"
        elif path.name not in homes and not path.name.startswith(".new-"):
            yield f"{path} belongs to no account"


def repair(connection: apsw.Connection) -> Iterator[str]:
    """Mend what needs no guessing, inside a write transaction; what was done, in words."""
    if list(torn(connection)):
        connection.execute("REINDEX")
        yield "built the indexes anew"
    for id, name, folded in every(connection.execute, "SELECT id, name, folded FROM account"):
        if folded != name.casefold():
            connection.execute("UPDATE account SET folded = ? WHERE id = ?", (name.casefold(), id))
            yield f"account {name} is found by its name again"
    for table, what in OWNED:
        connection.execute(f"DELETE FROM {table} WHERE account NOT IN (SELECT id FROM account)")
        if count := connection.changes():
            yield f"removed {count} {what} of no account"
