"""Rendering FETCH responses (moximap.imap.fetching): how much is read and made at once."""

from moximap.imap import fetching
from moximap.imap.commands.body import BodySection, Section
from moximap.imap.commands.fetch import UID
from moximap.imap.view import View
from moximap.store.image import Image
from moximap.values import NumSet
from tests.storecases import ALL, OnDisk, StoreCase

HEADER = BodySection(b"BODY[HEADER]", Section(text=b"HEADER"))


class PieceTests(OnDisk, StoreCase):
    def view(self) -> View:
        opened = self.account.open("INBOX")
        return View(opened.mailbox, Image(opened.changes), False, lambda code: b"")

    def test_a_piece_ends_with_the_message_that_fills_it(self) -> None:
        self.patch(fetching, "PIECE", 1000)
        head = b"Subject: %b\r\n\r\n" % (b"x" * 600)
        self.append(*[head] * 5)
        plan = fetching.Plan([UID, HEADER], fetching.Context(lambda code: b""), b"FETCH")
        uids, lasts, text, view = ALL, [], b"", self.view()
        while uids:
            piece = fetching.render(self.account, view, uids, plan, False)
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
        piece = fetching.render(self.account, self.view(), ALL, plan, False)
        self.assertEqual(piece.parts, [b"* 1 FETCH (", b"BODY[0] {8}\r\nA: 1\r\n\r\n",
                                       b" ", b"BODY[1] {8}\r\nB: 2\r\n\r\n"])
        self.assertEqual((piece.last, piece.item), (1, 2))
