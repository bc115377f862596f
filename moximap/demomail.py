"""The mail of the demo: invented, short, and one of everything that mail clients must show."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any, Final

from moximap.store.interfaces import NewMessage
from moximap.values import InternalDate

DEMO: Final = Address("Dana Demo", "demo", "example.org")
INES: Final = Address("Inès Fournier", "ines", "example.net")
KOFI: Final = Address("Kofi Mensah", "kofi", "example.com")
SHOP: Final = Address("Paper & Ink", "orders", "paper-and-ink.example")

HOUR: Final = 3600
DAY: Final = 24 * HOUR


def _mail(now: int, age: int, sender: Address, subject: str, text: str, *, to: Address = DEMO,
          id: str | None = None, reply_to: str | None = None, **options: Any) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Date"] = formatdate(now - age, usegmt=True)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{id or zlib.crc32(subject.encode())}@{sender.domain}>"
    if reply_to:
        message["In-Reply-To"] = message["References"] = f"<{reply_to}>"
    message.set_content(text, **options)
    return message


def _picture() -> bytes:
    """A PNG of 64 by 64 pixels: an evening sky."""
    rows = b"".join(b"\0" + bytes((60 + 2 * y, 40 + y, 160 - y)) * 64 for y in range(64))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def _newsletter(now: int) -> EmailMessage:
    message = _mail(now, 3 * DAY, SHOP, "New notebooks, 20 % off this week",
                    "Our new notebooks are here.\nhttps://paper-and-ink.example/notebooks\n")
    message["List-Id"] = "Paper & Ink news <news.paper-and-ink.example>"
    message["List-Unsubscribe"] = "<https://paper-and-ink.example/unsubscribe>"
    message.add_alternative("<html><body><h1>New notebooks</h1><p>20&nbsp;% off "
                            '<a href="https://paper-and-ink.example/notebooks">this week</a>.</p>'
                            "</body></html>\n", subtype="html")
    return message


def _invoice(now: int) -> EmailMessage:
    message = _mail(now, 30 * HOUR, SHOP, "Your invoice 2041",
                    "Thank you for your order.  The invoice is attached as a table.\n")
    message.add_attachment(b"item,quantity,price\r\nnotebook,2,7.50\r\nink blue,1,4.20\r\n",
                           maintype="text", subtype="csv", filename="invoice-2041.csv")
    return message


def _photo(now: int) -> EmailMessage:
    message = _mail(now, 5 * HOUR, INES, "Soirée à la plage \N{SUNRISE OVER MOUNTAINS}",
                    "Voilà la photo d’hier soir.\n\nGrosses bises,\nInès\n")
    message.add_attachment(_picture(), maintype="image", subtype="png", filename="soirée.png")
    return message


def _forwarded(now: int) -> EmailMessage:
    inner = _mail(now, 41 * DAY, Address("Harbour Ferries", "desk", "ferries.example"),
                  "Timetable for the summer", "Boats leave every hour from 8 to 20.\n", to=KOFI)
    message = _mail(now, 40 * DAY, KOFI, "Fwd: Timetable for the summer", "For your files.\n")
    message.add_attachment(inner)
    return message


def _appointment(now: int) -> EmailMessage:
    message = _mail(now, 9 * HOUR, Address("Dr. Okoye", "desk", "dentist.example"),
                    "Your appointment", "See you on the 14th at 9:30.\n")
    event = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\n"
             "UID:14@dentist.example\r\nDTSTAMP:20300101T000000Z\r\nDTSTART:20300114T093000Z\r\n"
             "SUMMARY:Dentist\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    message.add_alternative(event, subtype="calendar", params={"method": "REQUEST"})
    return message


def _welcome(now: int) -> EmailMessage:
    return _mail(now, 60, Address("moximap", "postmaster", "example.org"), "Welcome",
                 "This is a demo of moximap, an IMAP server.\n\n"
                 "All people and shops in this mailbox are invented.  Delete, move and flag as you\n"
                 "like: remove the data directory and start the demo again to have it all back.\n")


def _thread(now: int) -> Iterator[tuple[str, EmailMessage, tuple[str, ...]]]:
    subject = "Board games on Friday?"
    yield "INBOX", _mail(now, 28 * HOUR, KOFI, subject, "Who is in?  I bring the long one.\n",
                         id="games-1"), ("\\Seen", "\\Answered")
    yield "Sent", _mail(now, 27 * HOUR, DEMO, f"Re: {subject}",
                        "> Who is in?  I bring the long one.\n\nI am.  Eight o'clock?\n", to=KOFI,
                        id="games-2", reply_to="games-1@example.com"), ("\\Seen",)
    yield "INBOX", _mail(now, 26 * HOUR, INES, f"Re: {subject}", "Moi aussi, à huit heures !\n",
                         id="games-3", reply_to="games-1@example.com"), ()


def _all(now: int) -> Iterator[tuple[str, EmailMessage, tuple[str, ...]]]:
    """Mailbox, message, flags: oldest first within a mailbox, as mail arrives."""
    yield "Archive", _forwarded(now), ("\\Seen",)
    yield "Archive/Reisen & Ausflüge", _mail(
        now, 90 * DAY, Address("Jürgen Groß", "juergen", "example.com"), "Grüße aus Lübeck",
        "Schöne Grüße aus Lübeck, wo es regnet.\n", charset="iso-8859-1",
        cte="quoted-printable"), ("\\Seen", "\\Flagged")
    yield "INBOX", _newsletter(now), ("\\Seen",)
    yield "INBOX", _invoice(now), ("\\Seen", "\\Flagged")
    yield from _thread(now)
    yield "INBOX", _mail(now, 20 * HOUR, Address("田中 花子", "hanako", "example.jp"), "週末のハイキング",
                         "土曜日の朝、駅前で会いましょう。\n", cte="base64"), ()
    yield "INBOX", _appointment(now), ("\\Flagged", "$Important")
    yield "INBOX", _photo(now), ()
    yield "INBOX", _welcome(now), ()
    yield "Sent", _mail(now, 2 * DAY, DEMO, "Rent", "Paid today.\n", to=INES), ("\\Seen",)
    yield "Drafts", _mail(now, HOUR, DEMO, "Packing list", "Tent, stove,\n", to=KOFI), ("\\Draft", "\\Seen")
    yield "Junk", _mail(now, 7 * HOUR, Address("Prize Office", "winner", "prizes.example"),
                        "YOU HAVE WON!!!", "Only pay the small fee.\n"), ("$Junk",)
    yield "Trash", _mail(now, 10 * DAY, SHOP, "Your parcel arrives today", "Between 9 and 17.\n"), ("\\Seen",)


def messages(now: int) -> Iterator[tuple[str, NewMessage]]:
    """Pairs of a mailbox's name and a message for it.  ``now``: Unix seconds that ages count from."""
    for mailbox, message, flags in _all(now):
        date = message["Date"].datetime
        yield mailbox, NewMessage(message.as_bytes(), flags, InternalDate(int(date.timestamp())))
