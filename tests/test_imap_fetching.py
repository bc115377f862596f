"""Rendering FETCH responses (moximap.imap.rendering): how much is read and made at once."""

from moximap.imap import fetching, rendering
from moximap.imap.commands.body import BodySection, Section
from moximap.imap.commands.fetch import ENVELOPE, FLAGS, SIZE, UID
from moximap.imap.view import View
from moximap.store.image import Image
from moximap.values import NumSet
from tests.storecases import ALL, LARGE, MAIL, OnDisk, StoreCase, one

HEADER = BodySection(b"BODY[HEADER]", Section(text=b"HEADER"))
WHOLE = BodySection(b"BODY[]", Section())


class PieceTests(OnDisk, StoreCase):
    def view(self) -> View:
        opened = self.account.open("INBOX")
        return View(opened.mailbox, Image(opened.changes), False, lambda code: b"")

    def test_a_piece_ends_with_the_message_that_fills_it(self) -> None:
        self.patch(rendering, "PIECE", 1000)
        head = b"Subject: %b\r\n\r\n" % (b"x" * 600)
        self.append(*[head] * 5)
        plan = fetching.Plan([UID, HEADER], fetching.Context(lambda code: b""), b"FETCH")
        uids, lasts, text, view = ALL, [], b"", self.view()
        while uids:
            piece = rendering.render(self.account, view, uids, plan, False)
            text += b"".join(part for part in piece.parts if isinstance(part, bytes))
            lasts.append(piece.last)
            uids = NumSet() if piece.last is None else uids.after(piece.last)
        self.assertEqual(lasts, [2, 4, None])
        self.assertEqual(text, b"".join(b"* %d FETCH (UID %d BODY[HEADER] {%d}\r\n%b)\r\n"
                                        % (uid, uid, len(head), head) for uid in range(1, 6)))

    def test_of_many_items_of_the_header_one_is_made_at_a_time(self) -> None:
        self.patch(fetching, "PIECE", 30)
        self.append(b"A: 1\r\nB: 2\r\n\r\n")
        items = [BodySection(b"BODY[%d]" % number, Section(text=b"HEADER.FIELDS", fields=(name,)))
                 for number, name in enumerate((b"a", b"b", b"c") * 1000)]
        plan = fetching.Plan(items, fetching.Context(lambda code: b""), b"FETCH")
        self.assertEqual(plan.columns, ("uid", "head"))
        piece = rendering.render(self.account, self.view(), ALL, plan, False)
        self.assertEqual(piece.parts, [b"* 1 FETCH (", b"BODY[0] {8}\r\nA: 1\r\n\r\n",
                                       b" ", b"BODY[1] {8}\r\nB: 2\r\n\r\n"])
        self.assertEqual((piece.last, piece.item), (1, 2))

    def pieces(self, plan: fetching.Plan, watch_seen: bool) -> tuple[list[int], bytes, list[int]]:
        """Of all messages: how many are in each piece, what is sent, and what had no \\Seen."""
        uids, counts, text, unseen, view = ALL, [], b"", [], self.view()
        while uids:
            piece = rendering.render(self.account, view, uids, plan, watch_seen)
            counts.append(piece.count)
            text += self.sent(piece)
            unseen += piece.unseen
            uids = NumSet() if piece.last is None else uids.after(piece.last)
        return counts, text, unseen

    def sent(self, piece: rendering.Rendered) -> bytes:
        return b"".join(part if isinstance(part, bytes)
                        else fetching.without_nul(part.content.read(part.start, part.end)) for part in piece.parts)

    def test_whole_messages_are_made_at_once_as_one_by_one(self) -> None:
        """What is in a file makes a piece, rendered or streamed; what is before and behind it does not wait."""
        nul = b"Subject: \0\r\n\r\n\0"
        self.append(MAIL, nul, b"", LARGE, LARGE + LARGE, LARGE, nul)
        self.append(MAIL, flags=("\\Seen",))
        for items in ([UID, WHOLE], [WHOLE], [FLAGS, WHOLE, SIZE], [UID, FLAGS, SIZE, ENVELOPE, WHOLE, FLAGS]):
            plan = fetching.Plan(items, fetching.Context(lambda code: b"%d" % code, seen=1), b"FETCH")
            for watch_seen in (False, True):
                counts, text, unseen = self.pieces(plan, watch_seen)
                self.assertEqual(counts, [3, 1, 1, 1, 2])
                self.assertEqual(text, b"".join(
                    self.sent(rendering.render(self.account, self.view(), one(uid), plan, watch_seen))
                    for uid in range(1, 9)))
                self.assertEqual(unseen, [*range(1, 8)] if watch_seen else [])
        self.assertEqual(text.count(b"BODY[] {15}\r\nSubject: \x80\r\n\r\n\x80 FLAGS"), 2)

    def test_whole_messages_fill_a_piece(self) -> None:
        self.patch(rendering, "PIECE", 2 * len(MAIL) + 1)
        self.append(*[MAIL] * 5)
        plan = fetching.Plan([UID, WHOLE], fetching.Context(lambda code: b""), b"FETCH")
        self.assertEqual(self.pieces(plan, False)[0], [2, 2, 1])
