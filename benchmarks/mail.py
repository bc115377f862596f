"""Mail for the benchmarks: the same for the same seed, between 2 and 20 KB, with words to search for."""

from __future__ import annotations

import base64
import quopri
import random
from email.utils import formatdate

SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvw" for vowel in "aeiou"]
#: A word that one message in 100 has in its subject, and one that one in 1000 has in its text.
SUBJECT_WORD, TEXT_WORD = "xqbudget", "xqkumquat"
START, STEP = 1_600_000_000, 1200


class Mail:
    """Messages by number."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        chance = random.Random(seed)
        words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(5000)]
        self._lines = [" ".join(chance.choices(words, k=chance.randint(5, 12)))[:72] for _ in range(2000)]
        self._people = [f"{w.title()} <{w}{i}@example.org>" for i, w in enumerate(words[:300])]

    @staticmethod
    def in_subject(number: int) -> bool:
        return number % 100 == 5

    @staticmethod
    def in_text(number: int) -> bool:
        return number % 1000 == 13

    @staticmethod
    def seen(number: int) -> bool:
        return number % 10 != 0

    def flags(self, number: int) -> str:
        return "(\\Seen)" if self.seen(number) else "()"

    def message(self, number: int, size: int | None = None) -> bytes:
        """A multipart/alternative message of about ``size`` octets."""
        chance = random.Random(self._seed * 1_000_003 + number)
        size = size or int(2000 * 10 ** chance.random())
        subject = chance.choice(self._lines)[:50] + (f" {SUBJECT_WORD}" if self.in_subject(number) else "")
        lines = chance.choices(self._lines, k=max(4, size // 180))
        if self.in_text(number):
            lines.insert(len(lines) // 2, f"the {TEXT_WORD} is here")
        text = "\r\n".join(lines)
        plain, encoding = self._encoded(text, number)
        boundary = f"=_{chance.getrandbits(64):016x}"
        html = "".join(f"<p>{line}</p>\r\n" for line in lines)
        return "\r\n".join([
            f"Return-Path: <{number}@example.org>",
            f"Received: from a.example.org by b.example.org with ESMTPS id {number}; {formatdate(START)}",
            f"From: {self._people[number * 7 % 300]}", f"To: {self._people[number * 13 % 300]}",
            f"Subject: {subject}", f"Date: {formatdate(START + number * STEP)}",
            f"Message-ID: <{number}@example.org>", "MIME-Version: 1.0",
            f'Content-Type: multipart/alternative; boundary="{boundary}"', "", f"--{boundary}",
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}", "", plain,
            f"--{boundary}", "Content-Type: text/html; charset=utf-8", "", html,
            f"--{boundary}--", ""]).encode()

    @staticmethod
    def _encoded(text: str, number: int) -> tuple[str, str]:
        if number % 3 == 1:
            return base64.encodebytes(text.encode()).decode().replace("\n", "\r\n"), "base64"
        if number % 3 == 2:
            return quopri.encodestring(text.encode()).decode().replace("\r\n", "\n").replace("\n", "\r\n"), \
                "quoted-printable"
        return text, "7bit"

    def large(self, number: int, size: int) -> bytes:
        """One attachment of about ``size`` octets."""
        block = base64.encodebytes(random.Random(number).randbytes(57 * 64)).replace(b"\n", b"\r\n")
        head = (f"From: a@example.org\r\nSubject: large {number}\r\nMIME-Version: 1.0\r\n"
                "Content-Type: application/octet-stream\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n").encode()
        return head + block * (max(0, size - len(head)) // len(block))
