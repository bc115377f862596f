"""How an account logs in, as rows that go from a snapshot's directory.db into another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import apsw
import attrs

from moximap.store.addresses_table import account_row, is_taken
from moximap.store.database import one

Row = Mapping[str, object]

#: Tables whose rows belong to an account; of the latter each row can be only one account's.
OWN: Final = ("verifier", "capability_off")
UNIQUE: Final = ("address", "key")


@attrs.frozen
class Login:
    """An account in a directory; ``rows`` by the name of the table."""

    name: str
    created: float
    disabled: str | None
    rows: Mapping[str, Sequence[Row]]

    @classmethod
    def read(cls, connection: apsw.Connection, name: str) -> Login:
        """NoSuchAccount."""
        id, name, created, disabled = account_row(connection, name)
        return cls(name, created, disabled,
                   {table: list(_rows(connection, table, id)) for table in (*OWN, *UNIQUE)})

    def under(self, name: str) -> Login:
        """The same with another name; addresses and keys stay with the old one."""
        if name.casefold() == self.name.casefold():
            return self
        return attrs.evolve(self, name=name, rows={table: self.rows[table] for table in OWN})

    def write(self, connection: apsw.Connection, id: int) -> Iterator[str]:
        """Give all of it to an account; what others have by now is told, and theirs."""
        for table, rows in self.rows.items():
            for row in rows:
                if _is_taken(connection, table, row):
                    yield f"{table} {row.get('address') or row.get('name')} is another account's now"
                else:
                    columns = {**row, "account": id}
                    connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
                                       f" ({', '.join('?' * len(columns))})", tuple(columns.values()))


def _rows(connection: apsw.Connection, table: str, account: int) -> Iterator[Row]:
    cursor = connection.execute(f"SELECT * FROM {table} WHERE account = ?", (account,))
    for row in cursor:
        yield dict(zip((column[0] for column in cursor.get_description()), row, strict=True))


def _is_taken(connection: apsw.Connection, table: str, row: Row) -> bool:
    if table == "address":
        return is_taken(connection, str(row["address"]))
    return table == "key" and one(connection.execute, "SELECT 1 FROM key WHERE fingerprint = ?",
                                  (row["fingerprint"],)) is not None
