"""Mail for the benchmarks: the same for the same seed, 2 to 20 KB, with words planted to search for.

No ordinary word has an "x", so the planted ones, which do, stand only where the rules here put them.
"""

from __future__ import annotations

import base64
import quopri
import random
import time
from email.utils import formatdate

SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvw" for vowel in "aeiou"]
#: Words of a subject, of a text, and of either.
SUBJECT_WORD, BODY_WORD, TEXT_WORD = "xqbudget", "xqkumquat", "xqtapioca"
START, STEP = 1_600_000_000, 1200                  # Unix seconds of the first message, and between two
PEOPLE = 500


class Mail:
    """Messages by number, and what is known of them without reading them."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        chance = random.Random(seed)
        words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(8000)]
        self._lines = [" ".join(chance.choices(words, k=chance.randint(6, 14)))[:74].capitalize()
                       for _ in range(3000)]
        self._accented = [f"{line[:30]} café naïve {line[30:60]}" for line in self._lines]
        self._quoted = [quopri.encodestring(line.encode()).decode().replace("\n", "\r\n")
                        for line in self._accented]
        self._html = [f'<p style="margin:0">{line[:30]} <b>{line[30:]}</b></p>' for line in self._lines]
        self._people = [f"{word.title()} <p{index:03}.{word}@{word}.example>"
                        for index, word in enumerate(words[:PEOPLE])]

    # what a search must find

    @staticmethod
    def seen(number: int) -> bool:
        return number % 10 != 0

    @staticmethod
    def in_subject(number: int) -> bool:
        return number % 97 == 5

    @staticmethod
    def in_body(number: int) -> bool:
        return number % 2503 == 13

    @staticmethod
    def in_text(number: int) -> bool:
        return number % 6007 == 7 or number % 4001 == 11

    @staticmethod
    def sender(number: int) -> int:
        return number * 7919 % PEOPLE

    @staticmethod
    def when(number: int) -> int:
        return START + number * STEP

    def date(self, number: int) -> str:
        """INTERNALDATE as APPEND takes it."""
        return time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(self.when(number)))

    @staticmethod
    def flags(number: int) -> str:
        names = [name for name, has in (("\\Seen", number % 10 != 0), ("\\Flagged", number % 33 == 1),
                                        ("\\Answered", number % 20 == 3)) if has]
        return f"({' '.join(names)})"

    # the messages

    def message(self, number: int, size: int | None = None) -> bytes:
        """A multipart/alternative message of about ``size`` octets; four in a row are a thread."""
        chance = random.Random(self._seed * 1_000_003 + number)
        size = size or int(2000 * 10 ** chance.random())
        boundary = f"=_{chance.getrandbits(64):016x}"
        head = self._head(number, chance, boundary)
        room = max(300, size - len(head) - 300)
        indexes = chance.choices(range(len(self._lines)), k=max(2, room * 4 // 650))
        encoding, plain = self._plain(number, indexes)
        html = "\r\n".join([self._html[i] for i in
                            chance.choices(range(len(self._html)), k=max(2, room * 6 // 900))])
        return "\r\n".join([
            head, f"--{boundary}", "Content-Type: text/plain; charset=utf-8",
            f"Content-Transfer-Encoding: {encoding}", "", plain, f"--{boundary}",
            "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: 7bit", "",
            f"<html><body>\r\n{html}\r\n</body></html>", f"--{boundary}--", ""]).encode()

    def _head(self, number: int, chance: random.Random, boundary: str) -> str:
        root, date = number - number % 4, formatdate(self.when(number))
        subject = self._lines[root * 31 % len(self._lines)][:50]
        planted = [SUBJECT_WORD] * self.in_subject(number) + [TEXT_WORD] * (number % 6007 == 7)
        people = self._people
        fields = [f"Return-Path: <{number}@example.org>"]
        fields += [f"Received: from relay{hop}.example (relay{hop}.example [192.0.2.{hop}])\r\n"
                   f"\tby mx.example.org with ESMTPS id {chance.getrandbits(32):08X}\r\n"
                   f"\tfor <user@example.org>; {date}"
                   for hop in range(3)]
        signature = "\r\n\t ".join(f"{chance.getrandbits(256):064x}" for _ in range(3))
        fields += [f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\r\n\tb={signature}",
                   f"From: {people[self.sender(number)]}",
                   f"To: user@example.org, {people[(number * 13 + 7) % PEOPLE]}"]
        if number % 3 == 0:
            fields.append("Cc: " + ",\r\n\t".join(people[(number * k + 3) % PEOPLE] for k in (3, 5, 7)))
        fields += [f"Subject: {' '.join(['Re:'] * (number != root) + [subject, *planted])}", f"Date: {date}",
                   f"Message-ID: {message_id(number)}"]
        if number != root:
            fields += [f"In-Reply-To: {message_id(number - 1)}",
                       "References: " + "\r\n\t".join(message_id(k) for k in range(root, number))]
        fields += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{boundary}"', "", ""]
        return "\r\n".join(fields)

    def _plain(self, number: int, indexes: list[int]) -> tuple[str, str]:
        """The encoding of the text part, and the encoded text."""
        planted = [f"The {BODY_WORD} is here."] * self.in_body(number)
        planted += [f"The {TEXT_WORD} is here."] * (number % 4001 == 11)
        kind = (number * 5 + number // 7) % 7
        source = self._accented if kind == 4 else self._quoted if kind in (2, 6) else self._lines
        middle = len(indexes) // 2
        lines = [source[i] for i in indexes]
        text = "\r\n".join([*lines[:middle], *planted, *lines[middle:]])
        if kind == 4:
            return "base64", base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
        return "quoted-printable" if kind in (2, 6) else "7bit", text

    @staticmethod
    def large(number: int, size: int) -> bytes:
        """One attachment, ``size`` octets in all."""
        block = base64.encodebytes(random.Random(number).randbytes(57 * 64)).replace(b"\n", b"\r\n")
        head = (f"From: a@example.org\r\nTo: b@example.org\r\nSubject: large {number}\r\n"
                f"Message-ID: {message_id(number)}\r\nMIME-Version: 1.0\r\n"
                'Content-Type: application/octet-stream; name="file"\r\n'
                "Content-Transfer-Encoding: base64\r\n\r\n").encode()
        return (head + block * (max(0, size - len(head)) // len(block) + 1))[:size - 2] + b"\r\n"


def message_id(number: int) -> str:
    return f"<{number}.{number * 2654435761 & 0xffffffff:08x}@mail{number % 7}.example>"
