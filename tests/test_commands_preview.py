"""PREVIEW (RFC 8970)."""

from __future__ import annotations

from moximap.imap.dialect import standard
from tests.dialogue import HELLO, DialogueCase

GREETING = "Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße aus Köln".encode()


class PreviewTests(DialogueCase):
    def select(self) -> None:
        self.client().send(b"s SELECT INBOX\r\n")
        self.assertIn(b"\r\ns OK", self.client().received())

    def test_a_preview(self) -> None:
        """A2 of RFC 8970: with other items, in the order in which they were asked for."""
        self.fill()
        self.select()
        self.dialogue(f"""
            C: A2 FETCH 1 (RFC822.SIZE PREVIEW)
            S: * 1 FETCH (UID 1 RFC822.SIZE {len(HELLO)} PREVIEW "Hello, Bob.")
            S: A2 OK FETCH completed
        """)

    def test_lazy_ones_are_there_too(self) -> None:
        """B1 of RFC 8970; CONTRACT 92: LAZY is treated as normal."""
        self.fill()
        self.fill(content=b"Subject: nothing\r\n\r\n")
        self.select()
        self.dialogue("""
            C: B1 FETCH 1:2 (UID PREVIEW (LAZY))
            S: * 1 FETCH (UID 1 PREVIEW "Hello, Bob.")
            S: * 2 FETCH (UID 2 PREVIEW "")
            S: B1 OK FETCH completed
            C: B2 UID FETCH 2 preview (lazy)
            S: * 2 FETCH (UID 2 PREVIEW "")
            S: B2 OK UID FETCH completed
            C: B3 FETCH 2 (PREVIEW (LAZY LAZY) FLAGS)
            S: * 2 FETCH (UID 2 PREVIEW "" FLAGS ())
            S: B3 OK FETCH completed
        """)

    def test_previews_of_what_a_search_saved(self) -> None:
        """C2 to C4 of RFC 8970."""
        self.fill(3)
        self.select()
        self.dialogue("""
            C: C2 UID SEARCH RETURN (SAVE) UID 2 FROM "ada"
            C: C3 FETCH $ (UID PREVIEW (LAZY))
            S: C2 OK UID SEARCH completed
            S: * 2 FETCH (UID 2 PREVIEW "Hello, Bob.")
            S: C3 OK FETCH completed
            C: C4 UID FETCH 2 (PREVIEW)
            S: * 2 FETCH (UID 2 PREVIEW "Hello, Bob.")
            S: C4 OK UID FETCH completed
        """)

    def test_8_bit_text_is_a_literal_until_utf_8_is_enabled(self) -> None:
        self.fill(content=GREETING)
        self.select()
        self.dialogue("""
            C: a FETCH 1 PREVIEW
            S: * 1 FETCH (UID 1 PREVIEW {17}
            S: Grüße aus Köln)
            S: a OK FETCH completed
            C: b ENABLE UTF8=ACCEPT
            S: * ENABLED UTF8=ACCEPT
            S: b OK ENABLE completed
            C: c FETCH 1 PREVIEW
            S: * 1 FETCH (UID 1 PREVIEW "Grüße aus Köln")
            S: c OK FETCH completed
        """)

    def test_at_most_200_characters(self) -> None:
        """CONTRACT 92; RFC 8970 3.1 allows 256."""
        self.fill(content=b"Subject: long\r\n\r\n" + b"a word " * 1000)
        self.select()
        text = ("a word " * 1000)[:200]
        self.dialogue(f"""
            C: a FETCH 1 PREVIEW
            S: * 1 FETCH (UID 1 PREVIEW "{text}")
            S: a OK FETCH completed
        """)

    def test_quotes_are_escaped(self) -> None:
        self.fill(content=b'Subject: x\r\n\r\nshe said "\\o/"')
        self.select()
        self.dialogue(r"""
            C: a FETCH 1 PREVIEW
            S: * 1 FETCH (UID 1 PREVIEW "she said \"\\o/\"")
            S: a OK FETCH completed
        """)

    def test_it_is_made_of_text_and_not_of_attachments(self) -> None:
        """CONTRACT 92: not from attachments, and HTML as text."""
        self.fill(content=b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                          b"Content-Disposition: attachment\r\n\r\nnot this\r\n--b\r\n"
                          b"Content-Type: text/html\r\n\r\n<style>p {}</style><p>but <b>this</b>\r\n--b--\r\n")
        self.select()
        self.dialogue("""
            C: a FETCH 1 PREVIEW
            S: * 1 FETCH (UID 1 PREVIEW "but this")
            S: a OK FETCH completed
        """)

    def test_seen_is_not_set(self) -> None:
        self.fill()
        self.select()
        self.dialogue("""
            C: a FETCH 1 (PREVIEW FLAGS)
            S: * 1 FETCH (UID 1 PREVIEW "Hello, Bob." FLAGS ())
            S: a OK FETCH completed
            C: b FETCH 1 FLAGS
            S: * 1 FETCH (UID 1 FLAGS ())
            S: b OK FETCH completed
        """)

    def test_fetch_modifiers_are_told_from_preview_modifiers(self) -> None:
        self.fill()
        self.select()
        self.dialogue("""
            C: a FETCH 1 PREVIEW (CHANGEDSINCE 999)
            S: * OK [HIGHESTMODSEQ {h}] CONDSTORE is enabled
            S: a OK FETCH completed
            C: b FETCH 1 PREVIEW (LAZY) (CHANGEDSINCE 1)
            S: * 1 FETCH (UID 1 PREVIEW "Hello, Bob." MODSEQ ({h}))
            S: b OK FETCH completed
        """)

    def test_bad_syntax(self) -> None:
        self.fill()
        self.select()
        for text in ("PREVIEW ()", "PREVIEW (EAGER)", "(PREVIEW (EAGER))", "(PREVIEW ())", "(PREVIEW (LAZY)",
                     "(PREVIEW (LAZY EAGER))", "(PREVIEW (LAZYBONES))", "(PREVIEW(LAZY))", "PREVIEW=FUZZY",
                     "(PREVIEW (LAZY ))", "PREVIEW LAZY"):
            self.dialogue(f"C: a FETCH 1 {text}\nS: a BAD {{*}}")

    def test_announced(self) -> None:
        self.assertIn(b"PREVIEW", standard().capabilities(self.client().protocol.session).split())


class PreviewByteByByteTests(PreviewTests):
    byte_by_byte = True
