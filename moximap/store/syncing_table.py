"""What was brought over from another server: the operations that keep record of it.

A mailbox that holds nothing yet takes the UIDVALIDITY of the one at the source, and its messages their
UIDs: who knows them from there knows them here.  For that no number may ever mean two messages.  So what
else comes into such a mailbox gets UIDs that the source is far from.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from time import time
from typing import Final

import attrs

from moximap.store import appending, mailboxes, names, quota
from moximap.store.contents import Prepared
from moximap.store.database import every, one
from moximap.store.errors import MailboxRemoved
from moximap.store.flags import Flags
from moximap.store.transaction import Tally, Transaction, among
from moximap.values import Mailbox

#: UIDs above the source's UIDNEXT that are left for what arrives there meanwhile.
GAP: Final = 100_000
#: UIDVALIDITYs and UIDs above this are not taken over: there must be some left.
HIGHEST: Final = 0xF0000000

_ROW: Final = "id, uidvalidity, modseq, subscribed, mailbox, kept, reserved, compare"


@attrs.frozen
class There:
    """A mailbox at the source; ``uses``: special uses, in any case, known here or not."""

    name: str
    uidvalidity: int
    uidnext: int
    subscribed: bool = False
    uses: tuple[str, ...] = ()


@attrs.frozen
class Row:
    """A row of synced_mailbox."""

    id: int
    uidvalidity: int
    modseq: int
    subscribed: bool
    mailbox: int
    kept: bool
    reserved: int
    compare: bool


@attrs.frozen
class Begun:
    """A mailbox that messages can be brought to.

    ``known``: those that were, UID there -> (UID here, code of its flags there).  ``news``: what happened
    to UIDs since the last time, in words, or nothing.
    """

    row: Row
    mailbox: Mailbox
    known: dict[int, tuple[int, int]]
    news: str = ""


@attrs.frozen
class Item:
    """A message on its way; ``here``: the UID that it has here already, and then it is not added."""

    uid: int
    prepared: Prepared
    here: int | None = None


def begin(transaction: Transaction, source: str, there: There, target: str) -> Begun:
    """Find or make the mailbox that one at the source is brought to; Cannot, OverQuota."""
    found = one(transaction.execute, f"SELECT {_ROW} FROM synced_mailbox WHERE source = ? AND name = ?",
                (source, there.name))
    row = None if found is None else Row(*found)
    box = None if row is None else _still_there(transaction, row.mailbox)
    news = ""
    if row is None or box is None:
        row = _link(transaction, source, there, target, row)
    elif row.uidvalidity != there.uidvalidity:
        row = _forget(transaction, row, there)
        news = "the other server numbered its messages anew; they are compared with those here"
    else:
        row, news = _reserve(transaction, row, box, there)
    if row.subscribed != there.subscribed:
        mailboxes.subscribe(transaction, transaction.need_id(row.mailbox).name, there.subscribed)
    _write(transaction, attrs.evolve(row, subscribed=there.subscribed))
    known = {uid: (here, code) for uid, here, code in transaction.execute(
        "SELECT uid, here, flags FROM synced_message WHERE mailbox = ?", (row.id,))}
    return Begun(row, transaction.need_id(row.mailbox), known, news)


def _still_there(transaction: Transaction, mailbox: int) -> Mailbox | None:
    try:
        return transaction.need_id(mailbox)
    except MailboxRemoved:
        return None


def _link(transaction: Transaction, source: str, there: There, target: str, old: Row | None) -> Row:
    """Begin with a mailbox.  ``old``: it was brought before, to a mailbox that was removed since."""
    box = transaction.find(names.canonical(target))
    compare = box is not None and box.messages > 0       # imported by other means, perhaps
    uses = _free_uses(transaction, there.uses)
    if box is None:
        box = mailboxes.create(transaction, target, uses, subscribed=False).mailboxes[-1]
    elif uses:
        mailboxes.give_uses(transaction, box, uses)
    kept = box.uidnext == 1 and _take_uidvalidity(transaction, box, there)
    if old is not None:
        transaction.execute("DELETE FROM synced_message WHERE mailbox = ?", (old.id,))
        transaction.execute("DELETE FROM synced_mailbox WHERE id = ?", (old.id,))
    id, = one(transaction.execute,
              "INSERT INTO synced_mailbox (source, name, uidvalidity, modseq, subscribed, mailbox, kept,"
              " reserved, compare) VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?) RETURNING id",
              (source, there.name, there.uidvalidity, box.id, kept, there.uidnext + GAP, compare))
    return Row(id, there.uidvalidity, 0, False, box.id, kept, there.uidnext + GAP, compare)


def _free_uses(transaction: Transaction, uses: Sequence[str]) -> tuple[str, ...]:
    """Those that no mailbox here has, or only one in which there never was a message."""
    held = {use for used, in every(transaction.execute, "SELECT uses FROM mailbox WHERE uses <> ''"
                                   " AND NOT removed AND uidnext > 1") for use in used.split()}
    known = {use.lower(): use for use in names.USES}
    wanted = dict.fromkeys(known[use.lower()] for use in uses if use.lower() in known)
    return tuple(use for use in wanted if use not in held)


def _take_uidvalidity(transaction: Transaction, box: Mailbox, there: There) -> bool:
    """Whether the mailbox, which is empty and always was, has the UIDVALIDITY of the one there now."""
    if not 0 < there.uidvalidity <= HIGHEST or there.uidnext > HIGHEST:
        return False
    taken = one(transaction.execute,
                "SELECT id, uidnext > 1 OR removed OR EXISTS (SELECT 1 FROM synced_mailbox"
                " WHERE mailbox = b.id AND kept) FROM mailbox b WHERE uidvalidity = ? AND id <> ?",
                (there.uidvalidity, box.id))
    if taken is not None and taken[1]:
        return False
    transaction.counters.uidvalidity = max(transaction.counters.uidvalidity, there.uidvalidity)
    if taken is not None:                    # by one in which there never was a message: it may have another
        _number_anew(transaction, taken[0], transaction.next_uidvalidity())
    _number_anew(transaction, box.id, there.uidvalidity)
    return True


def _number_anew(transaction: Transaction, mailbox: int, uidvalidity: int) -> None:
    transaction.execute("UPDATE mailbox_row SET uidvalidity = ?, modseq = ? WHERE id = ?",
                        (uidvalidity, transaction.modseq, mailbox))


def _forget(transaction: Transaction, row: Row, there: There) -> Row:
    """The UIDs of there mean other messages now.  Here they go on meaning what they did."""
    transaction.execute("DELETE FROM synced_message WHERE mailbox = ?", (row.id,))
    return attrs.evolve(row, uidvalidity=there.uidvalidity, modseq=0, kept=False, compare=True)


def _reserve(transaction: Transaction, row: Row, box: Mailbox, there: There) -> tuple[Row, str]:
    """Keep ahead of the source's UIDs, unless others of ours follow already; then see that they differ."""
    if row.kept and box.uidvalidity != row.uidvalidity:
        return attrs.evolve(row, kept=False), ""          # numbered anew when it was restored
    if not row.kept or there.uidnext + GAP <= row.reserved:
        return row, ""
    if box.uidnext <= row.reserved:
        return attrs.evolve(row, reserved=there.uidnext + GAP), ""
    if there.uidnext <= row.reserved:
        return row, ""
    _number_anew(transaction, box.id, transaction.next_uidvalidity())
    return attrs.evolve(row, kept=False), "both servers gave out the same UIDs: it has a new UIDVALIDITY"


def _write(transaction: Transaction, row: Row) -> None:
    transaction.execute(
        "UPDATE synced_mailbox SET uidvalidity = ?, modseq = ?, subscribed = ?, kept = ?, reserved = ?,"
        " compare = ? WHERE id = ?", (row.uidvalidity, row.modseq, row.subscribed, row.kept, row.reserved,
                                      row.compare, row.id))


def add(transaction: Transaction, id: int, items: Sequence[Item]) -> list[Item]:
    """Add messages, ascending by UID, and record them; those that were new."""
    row = _read(transaction, id)
    box = transaction.need_id(row.mailbox)
    known = {uid for uid, in transaction.execute(
        "SELECT uid FROM synced_message WHERE mailbox = ? AND uid BETWEEN ? AND ?",
        (id, items[0].uid, items[-1].uid))}
    items = [item for item in items if item.uid not in known]       # somebody else brings the same
    new = [item for item in items if item.here is None]
    codes = {flags: transaction.flags.code(flags) for flags in dict.fromkeys(m.prepared.flags for m in items)}
    here = dict(zip([item.uid for item in new], _insert(transaction, row, box, new, codes), strict=True))
    transaction.executemany(
        "INSERT INTO synced_message (mailbox, uid, here, flags) VALUES (?, ?, ?, ?)",
        [(id, item.uid, here.get(item.uid, item.here), codes[item.prepared.flags]) for item in items])
    return new


def _read(transaction: Transaction, id: int) -> Row:
    found = one(transaction.execute, f"SELECT {_ROW} FROM synced_mailbox WHERE id = ?", (id,))
    if found is None:
        raise MailboxRemoved("somebody else brings the same mailbox")
    return Row(*found)


def _insert(transaction: Transaction, row: Row, box: Mailbox, items: Sequence[Item],
            codes: Mapping[Flags, int]) -> Sequence[int]:
    """Rows of new messages, with the UIDs that they have there if that can be; gives their UIDs."""
    if not items:
        return ()
    messages = [item.prepared for item in items]
    quota.check(transaction.execute, storage=sum(m.size for m in messages), messages=len(messages))
    uids: Sequence[int] = [item.uid for item in items]
    grown = uids[-1] + 1 - box.uidnext
    if not row.kept or uids[0] < box.uidnext or uids[-1] >= row.reserved:
        uids = transaction.new_uids(box, len(items))
        grown = len(uids)
    contents = appending.add_contents(transaction, messages)
    modseq, now = transaction.modseq, int(time())
    transaction.executemany(appending.MESSAGE, [
        (box.id, uid, modseq, modseq, codes[m.flags], m.date.seconds, m.date.zone, now, m.size, content)
        for uid, m, content in zip(uids, messages, contents, strict=True)])
    transaction.log(box.id, uids)
    transaction.touch(box.id, Tally().count((codes[m.flags], m.size) for m in messages), new=grown)
    return uids


@attrs.frozen
class Flagged:
    """Flags that a message has there now, and what became of them since they were looked at."""

    uid: int
    here: int
    now: Flags
    added: Flags
    removed: Flags


def flag(transaction: Transaction, id: int, changed: Sequence[Flagged]) -> int:
    """Do to messages here what was done to their flags there; how many are other than they were."""
    row = _read(transaction, id)
    transaction.executemany(
        "UPDATE synced_message SET flags = ? WHERE mailbox = ? AND uid = ?",
        [(transaction.flags.code(each.now), id, each.uid) for each in changed])
    wishes = {each.here: each for each in changed}
    clause, bindings = among(wishes)
    rows = every(transaction.execute, "SELECT uid, flags, size FROM message WHERE mailbox = ?"
                 f" AND NOT expunged AND {clause} ORDER BY uid", (row.mailbox, *bindings))
    new = {uid: code for uid, old, _ in rows if (code := _merged(transaction, old, wishes[uid])) != old}
    if not new:
        return 0
    rows = [row for row in rows if row[0] in new]
    transaction.executemany("UPDATE message SET flags = ?, modseq = ? WHERE mailbox = ? AND uid = ?",
                            [(code, transaction.modseq, row.mailbox, uid) for uid, code in new.items()])
    transaction.log(row.mailbox, array("I", new))
    tally = Tally().count(((old, size) for _, old, size in rows), -1)
    transaction.touch(row.mailbox, tally.count((new[uid], size) for uid, _, size in rows))
    return len(new)


def _merged(transaction: Transaction, code: int, wish: Flagged) -> int:
    code = transaction.flags.changed([code], "+", wish.added).get(code, code)
    return transaction.flags.changed([code], "-", wish.removed).get(code, code)


def finish(transaction: Transaction, id: int, uidnext: int, modseq: int) -> int:
    """All that there was, up to ``uidnext`` and with flags of ``modseq`` there, is here; our modseq."""
    row = _read(transaction, id)
    box = transaction.need_id(row.mailbox)
    if row.kept and box.uidnext < uidnext:
        transaction.touch(box.id, Tally(), new=uidnext - box.uidnext)
    _write(transaction, attrs.evolve(row, modseq=modseq, compare=False))
    return transaction.counters.modseq
