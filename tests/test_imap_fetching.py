"""Rendering FETCH responses (moximap.imap.fetching): how much is read and made at once."""

from moximap.imap import fetching
from moximap.imap.commands.body import BodySection, Section
from moximap.imap.commands.fetch import UID
from moximap.values import NumSet
from tests.storecases import ALL, OnDisk, StoreCase

HEADER = BodySection(b"BODY[HEADER]", Section(text=b"HEADER"))


class PieceTests(OnDisk, StoreCase):
    def test_a_piece_ends_with_the_message_that_fills_it(self) -> None:
        self.patch(fetching, "PIECE", 1000)
        head = b"Subject: %b\r\n\r\n" % (b"x" * 600)
        self.append(*[head] * 5)
        plan = fetching.Plan([UID, HEADER], fetching.Context(lambda code: b""), b"FETCH")
        uids, lasts, text = ALL, [], b""
        while uids:
            piece = fetching.render(self.account, self.inbox(), uids, plan, lambda uids: uids, False)
            text += b"".join(part for part in piece.parts if isinstance(part, bytes))
            lasts.append(piece.last)
            uids = NumSet() if piece.last is None else uids.after(piece.last)
        self.assertEqual(lasts, [2, 4, None])
        self.assertEqual(text, b"".join(b"* %d FETCH (UID %d BODY[HEADER] {%d}\r\n%b)\r\n"
                                        % (uid, uid, len(head), head) for uid in range(1, 6)))
