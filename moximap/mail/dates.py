"""The Date field: the day that is written in it, and the moment it means (RFC 5322 3.3, 4.3)."""

import datetime
import re

from moximap.mail.headers import unfold, value
from moximap.values import frozen

_MONTHS = {
    month: number
    for number, month in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_MONTH = rb"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*+"
_POINT = rb"(?:[ \t]*+:[ \t]*+|\.)"         # RFC 5322 4.3: white space around a colon
_TIME = rb"(\d{1,2})%b(\d{2})(?:%b(\d{2}))?" % (_POINT, _POINT)
_usual = re.compile(rb"(?<!\d)(\d{1,2})[\s.-]*+%b[\s.,-]*+(\d{2,4})(?!\d)" % _MONTH, re.I).search
_asctime = re.compile(
    rb"%b\s++(\d{1,2})(?!\d)(?:,|\s++%b.{0,20}?)?\s++(\d{4})" % (_MONTH, _TIME), re.I
).search
_iso = re.compile(rb"(?<!\d)(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)").search
_time = re.compile(_TIME + rb"(?:\s*+(?:([+-])(\d{2}):?(\d{2})|([a-z]++)))?", re.I).search
_comment = re.compile(rb"\([^()]*+\)").sub

_ZONES = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6}
_ZONES |= {b"pst": -8, b"pdt": -7}

# No date is longer, and it bounds what the patterns may cost.
_LONGEST = 200


@frozen
class Sent:
    """The day as written, without time and zone (SENTSINCE), and the moment in seconds (SORT)."""

    day: datetime.date
    moment: int


def sent_date(header: bytes) -> datetime.date | None:
    """The day as written in the Date field of a header."""
    content = value(header, b"date")
    sent = parse(content) if content else None
    return sent.day if sent else None


def parse(content: bytes) -> Sent | None:
    """What the content of a Date field says, or None if it has no valid day."""
    content = content[:_LONGEST]
    if b"(" in content:
        content = _comment(b" ", content)
    content = unfold(content)
    found = _day(content)
    if found is None:
        return None
    day, end = found
    seconds = (day.toordinal() - _EPOCH) * 86400
    return Sent(day, seconds + _seconds(content, end))


_EPOCH = datetime.date(1970, 1, 1).toordinal()


def _day(content: bytes) -> tuple[datetime.date, int] | None:
    """The day, and where its time of day is looked for."""
    if match := _usual(content):
        numbers = _year(match[3]), _MONTHS[match[2].lower()], int(match[1])
        end = match.end()
    elif match := _asctime(content):
        numbers = int(match[6]), _MONTHS[match[1].lower()], int(match[2])
        end = match.end(2)
    elif match := _iso(content):
        numbers = int(match[1]), int(match[2]), int(match[3])
        end = match.end()
    else:
        return None
    try:
        return datetime.date(*numbers), end
    except ValueError:
        return None


def _year(digits: bytes) -> int:
    """RFC 5322 4.3: two digits below 50 mean 2000 and later, other two or three 1900 and later."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return year + 2000
    return year + 1900 if len(digits) < 4 else year


def _seconds(content: bytes, start: int) -> int:
    """Seconds after midnight UTC; midnight for an invalid time, UTC for an invalid zone."""
    match = _time(content, start)
    if match is None:
        return 0
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return 0
    seconds = hour * 3600 + minute * 60 + second
    if match[4]:
        offset = int(match[5]) * 3600 + int(match[6]) * 60
        return seconds - offset if match[4] == b"+" else seconds + offset
    return seconds - _ZONES.get((match[7] or b"").lower(), 0) * 3600
