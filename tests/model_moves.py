"""The moves of the model: commands that a client may say now, and what the account's model makes of them."""

from __future__ import annotations

from collections.abc import Callable

from tests.model_command import Command, Entry, Notified
from tests.model_picking import Picker
from tests.model_wire import Response, found_by, numbers, ranges
from tests.model_world import NAMES

#: Above this a mailbox is not filled any more.
FULL = 24


class Moves(Picker):
    """Builds a command of one client."""

    # opening and leaving

    def select(self) -> Command:
        name, read_only = self.name(), self.rng.random() < 0.15
        verb = "EXAMINE" if read_only else "SELECT"
        cache = self.listener.caches.get(name)
        command = Command(f"{verb} {name}", "select", name=name, read_only=read_only)
        command.effect = lambda: "OK" if name in self.account.boxes else "NO"
        command.verify = lambda responses: self.opened(command, responses)
        if "QRESYNC" in self.listener.enabled and cache is not None and cache.modseq and self.rng.random() < 0.85:
            self.resync(command)
        elif self.rng.random() < 0.3:
            command.text += " (CONDSTORE)"
            command.modseqs = True
        return command

    def resync(self, command: Command) -> None:
        """The parameter of RFC 7162 3.2.5, with known UIDs and with match data where the client has them."""
        cache = self.listener.caches[command.name]
        parts, wanted = [f"{cache.uidvalidity} {cache.modseq}"], None
        uids = sorted(cache.flags)
        if uids and self.rng.random() < 0.25:
            low, high = sorted(self.rng.choices(uids, k=2))
            wanted = set(range(low, high + 1))
            parts.append(f"{low}:{high}")
        if uids and cache.whole and self.listener.numbers and self.rng.random() < 0.4:
            sample = sorted(self.rng.sample(range(len(uids)), self.rng.randint(1, len(uids))))
            parts.append(f"({ranges([i + 1 for i in sample])} {ranges([uids[i] for i in sample])})")
        command.text += f" (QRESYNC ({' '.join(parts)}))"
        command.resync = cache, wanted

    def opened(self, command: Command, responses: list[Response]) -> None:
        box, opening = self.listener.box, self.listener.opening
        if responses[-1].word == "OK":
            assert box is not None
            assert (opening.exists, opening.highest) == (len(box.messages), box.highest), "SELECT is not up to date"
            wanted = command.resync[1] if command.resync is not None else None
            if wanted is not None:
                told = {uid for _, uid in opening.fetched} | set(opening.vanished)
                assert told <= wanted, f"not asked for: {told - wanted}"

    def leave(self) -> Command:
        """CLOSE or UNSELECT."""
        box, close = self.box, self.rng.random() < 0.5
        command = Command("CLOSE" if close else "UNSELECT", "leave")
        if close and not self.listener.read_only and not box.removed:
            command.effect = lambda: self.account.expunge(box)
        return command

    # reading

    def learn(self) -> Command:
        """What a client does first: it fetches what it does not know."""
        cache = self.listener.cache
        if cache is not None and not cache.whole and cache.modseq and self.rng.random() < 0.7:
            if self.listener.resumed:
                return Command("UID SEARCH ALL", "search", resumes="listed")
            return Command(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {cache.modseq})", "fetch", modseqs=True,
                           resumes="changed")
        if self.rng.random() < 0.7:
            return Command("UID FETCH 1:* (FLAGS MODSEQ)", "fetch", modseqs=True)
        return Command("FETCH 1:* FLAGS" if self.numbers else "UID FETCH 1:* FLAGS", "fetch")

    def fetch(self) -> Command | None:
        picked = self.pick()
        if picked is None:
            return None
        what = self.rng.choice(("FLAGS", "(FLAGS MODSEQ)", "BODY[]", "(FLAGS BODY[])", "BODY.PEEK[HEADER]",
                                "(MODSEQ BODY[])", "UID"))
        command = Command(f"{picked.prefix}FETCH {picked.text} {what}", "fetch", modseqs="MODSEQ" in what)
        seen = "BODY[" in what and not self.listener.read_only
        box = self.box

        def effect() -> str:
            if seen:
                self.account.store(box, picked.uids(), "+", frozenset(("\\Seen",)))
            return "OK"

        command.effect = effect
        command.verify = lambda responses: self.fetched(picked.entries, responses, "FLAGS" in what or seen)
        return command

    def fetched(self, entries: list[Entry], responses: list[Response], flags: bool) -> None:
        """Each was answered; what lives is told as it is."""
        told = {r.fetched.uid for r in responses if r.fetched is not None}
        assert {entry.true for entry in entries} <= told, f"not answered: {entries}"
        for entry in entries:
            message = self.box.messages.get(entry.true or 0)
            if flags and message is not None:
                assert entry.flags == message.flags, f"{entry} was told, true is {message}"

    def changes(self) -> Command | None:
        """FETCH with CHANGEDSINCE, and with VANISHED where it may be."""
        picked, since = self.pick(), self.modseq()
        if picked is None:
            return None
        vanished = bool(picked.prefix) and "QRESYNC" in self.listener.enabled and self.rng.random() < 0.6
        text = f"{picked.prefix}FETCH {picked.text} (FLAGS) (CHANGEDSINCE {since}{' VANISHED' * vanished})"
        command = Command(text, "fetch", modseqs=True)
        box, listed = self.box, {entry.true for entry in self.listener.entries}

        def verify(responses: list[Response]) -> None:
            changed = [e for e in picked.entries if e.true in box.messages and box.messages[e.true].modseq > since]
            self.fetched(changed, responses, True)
            gone = {uid for r in responses if r.word == "VANISHED"
                    for uid in numbers(r.argument.removeprefix("(EARLIER) "))}
            if vanished and not box.removed:
                low, _, high = picked.text.partition(":")
                last = 1 << 31 if high == "*" else int(high or low)
                expected = {uid for uid, modseq in box.gone.items()
                            if modseq > since and uid not in listed and int(low) <= uid <= last}
                assert gone == expected, f"VANISHED {gone}, should be {expected}"
        command.verify = verify
        return command

    def search(self) -> Command:
        box, since, flag = self.box, self.modseq(), self.rng.choice(("\\Seen", "\\Flagged", "\\Deleted", "one"))
        tests: dict[str, Callable[[int], bool]] = {
            "ALL": lambda uid: True,
            self.key(flag): lambda uid: flag in box.messages[uid].flags,
            f"NOT {self.key(flag)}": lambda uid: flag not in box.messages[uid].flags,
            f"MODSEQ {since}": lambda uid: box.messages[uid].modseq >= since,
            "SUBJECT 7": lambda uid: "7" in box.tokens[uid]}
        key = self.rng.choice(list(tests))
        prefix = self.rng.choice(("", "UID ")) if self.numbers else "UID "
        command = Command(f"{prefix}SEARCH {key}", "search", modseqs="MODSEQ" in key)

        def verify(responses: list[Response]) -> None:
            entries = self.listener.entries
            found = found_by(responses)
            uids = {*found} if prefix else {entries[n - 1].true for n in found}
            listed = {entry.true for entry in entries}
            live = {uid for uid in listed if uid in box.messages}
            assert uids <= listed, f"found {uids}, the client has {listed}"
            assert uids & live == {uid for uid in live if uid and tests[key](uid)}, f"found {uids} of {live}"
        command.verify = verify
        return command

    def key(self, flag: str) -> str:
        return flag.removeprefix("\\").upper() if flag.startswith("\\") else f"KEYWORD {flag}"

    # changing messages

    def store(self) -> Command | None:
        picked = self.pick()
        if picked is None:
            return None
        how, flags = self.rng.choice("++-="), self.flags()
        silent = self.rng.random() < 0.4 and self.sure
        limit = self.modseq() if self.rng.random() < 0.25 else None
        condition = "" if limit is None else f"(UNCHANGEDSINCE {limit}) "
        sign = "" if how == "=" else how
        text = (f"{picked.prefix}STORE {picked.text} {condition}{sign}FLAGS{'.SILENT' * silent}"
                f" ({' '.join(sorted(flags))})")
        command = Command(text, "store", modseqs=limit is not None)
        if silent:
            command.silent = picked.entries, how, flags
        failed: set[int] = set()
        box, read_only = self.box, self.listener.read_only

        def effect() -> str:
            if read_only or (box.removed and picked.entries):
                return "NO"
            failed.update(self.account.store(box, picked.uids(), how, flags, limit))
            return "OK"

        def verify(responses: list[Response]) -> None:
            told = {uid for uid in self.listener.failed if uid in box.messages}
            assert told == failed, f"MODIFIED {told}, should be {failed}"
            if not silent and responses[-1].word == "OK":
                self.fetched([e for e in picked.entries if e.true in box.messages], responses, True)
        command.effect, command.verify = effect, verify
        return command

    def append(self) -> Command:
        """One message, or all or none of two (RFC 3502)."""
        name, messages = self.name(), [(self.flags(), self.token()) for _ in range(self.rng.choice((1, 1, 2)))]
        contents = [f"Subject: {token}\r\n\r\nHello.\r\n" for _, token in messages]
        heads = [f" ({' '.join(sorted(flags))}) {{{len(content)}+}}"
                 for (flags, _), content in zip(messages, contents, strict=True)]
        rest = "".join(f"{head}\r\n{content}" for head, content in zip(heads[1:], contents[1:], strict=True))
        command = Command(f"APPEND {name}{heads[0]}", literal=f"{contents[0]}{rest}".encode())
        command.effect = lambda: [self.account.append(name, token, flags) for flags, token in messages][0]

        def verify(responses: list[Response]) -> None:
            if responses[-1].word == "OK":
                validity, uids = responses[-1].argument.split()
                box = self.account.boxes[name]
                new = [*range(box.uidnext - len(messages), box.uidnext)]
                assert (int(validity), numbers(uids)) == (box.uidvalidity, new), str(responses[-1])
        command.verify = verify
        return command

    def copy(self) -> Command | None:
        picked, name, move = self.pick(), self.name(), self.rng.random() < 0.5
        if picked is None or len(self.box.messages) > FULL or name == "INBOX" and self.rng.random() < 0.5:
            return None
        made: dict[int, int] = {}
        box, read_only = self.box, self.listener.read_only

        def effect() -> str:
            if name not in self.account.boxes or box.removed or (move and read_only):
                return "NO"
            made.update(self.account.copy(box, picked.uids(), name, move))
            return "OK" if made or picked.prefix else "NO"

        def verify(responses: list[Response]) -> None:
            told = next((r.argument.split() for r in responses if r.code == "COPYUID"), None)
            pairs = {} if told is None else dict(zip(numbers(told[1]), numbers(told[2]), strict=True))
            assert pairs == made, f"COPYUID says {pairs}, should be {made}"
        return Command(f"{picked.prefix}{'MOVE' if move else 'COPY'} {picked.text} {name}",
                       effect=effect, verify=verify)

    def expunge(self) -> Command | None:
        picked = self.pick() if self.rng.random() < 0.4 else None
        box, read_only = self.box, self.listener.read_only
        if picked is not None and not picked.prefix:
            return None
        command = Command("EXPUNGE" if picked is None else f"UID EXPUNGE {picked.text}")
        command.effect = lambda: "NO" if read_only else self.account.expunge(
            box, None if picked is None else picked.uids())
        return command

    # mailboxes and the session

    def mailboxes(self) -> Command:
        one, two = self.rng.sample(NAMES, 2)
        if "Other" not in self.account.boxes and self.rng.random() < 0.6:
            return Command("CREATE Other", effect=lambda: self.account.create("Other"))
        return self.rng.choice((
            Command(f"CREATE {one}", effect=lambda: self.account.create(one)),
            Command(f"DELETE {one}", effect=lambda: self.account.delete(one)),
            Command(f"RENAME {one} {two}", effect=lambda: self.account.rename(one, two))))

    def noop(self) -> Command:
        return Command(self.rng.choice(("NOOP", "NOOP", "CHECK")) if self.listener.box is not None else "NOOP")

    def idle(self) -> Command | None:
        """Who has NOTIFY is silent in place of it."""
        if self.world.ways.notify:
            return self.notify() if self.listener.notified is None else None
        return Command("IDLE", "idle")

    def notify(self) -> Command:
        """NOTIFY SET, with the selected mailbox in it."""
        delayed, flags, others = (self.rng.random() < chance for chance in (0.35, 0.8, 0.4))
        items = self.rng.choice(("", "", " (FLAGS)", " (UID FLAGS MODSEQ)", " (BODY.PEEK[HEADER] FLAGS)"))
        group = (f"(SELECTED{'-DELAYED' * delayed} (MessageNew{items} MessageExpunge{' FlagChange' * flags}))"
                 f"{' (PERSONAL (MessageNew MessageExpunge MailboxName))' * others}")
        return Command(f"NOTIFY SET {group}", modseqs="MODSEQ" in items, notified=Notified(delayed, flags, others))

    def enable(self) -> Command:
        if self.world.ways.notify and self.rng.random() < 0.3:
            return self.notify()
        return Command("ENABLE " + self.rng.choice(("CONDSTORE", "QRESYNC", "QRESYNC", "IMAP4rev2")))
