"""The base subject, by which mail is sorted and threaded (RFC 5256 2.1)."""

import re

# A subject is compared by this much of its beginning and end; nobody writes a longer one by hand.
LONGEST = 2000

_spaces = re.compile(r"[ \t\r\n]{2,}+|[\t\r\n]").sub
_blobs = re.compile(r"(?:\[[^\[\]]*+\][ ]*+)*").match  # possessive, Python 3.11.2 would go on behind "[Fw"
_refwd = re.compile(r"(?:re|fwd?)[ ]*+(?:\[[^\[\]]*+\][ ]*+)?:[ ]*+", re.IGNORECASE).match


def base_subject(subject: str) -> str:
    """The base of a decoded subject, but for its case equal for a message and its replies."""
    return _base(subject)[0]


def is_reply(subject: str) -> bool:
    """Whether it is that of a reply or forward: what is removed is more than blobs and white space."""
    return _base(subject)[1]


def _base(subject: str) -> tuple[str, bool]:
    text = _spaces(" ", subject[:LONGEST]).strip(" ")
    start, end = 0, len(text)
    reply = False
    while True:
        before, end = end, _without_trailer(text, start, end)
        start, refwd = _without_leader(text, start, end)
        reply = reply or refwd or bool(text[end:before].strip(" "))
        inner = text[start : start + 5].lower() == "[fwd:" and text[end - 1 : end] == "]"
        if not inner or end - start < 6:
            return text[start:end], reply
        reply = True
        start, end = start + 5, end - 1
        start = _skip(text, start, end)


def _skip(text: str, start: int, end: int) -> int:
    while start < end and text[start] == " ":
        start += 1
    return start


def _without_trailer(text: str, start: int, end: int) -> int:
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif end - start >= 5 and text[end - 5 : end].lower() == "(fwd)":
            end -= 5
        else:
            break
    return end


def _without_leader(text: str, start: int, end: int) -> tuple[int, bool]:
    """Steps 3 to 5 at once: where no ``re:`` follows a run of blobs, none follows a part of it."""
    start = _skip(text, start, end)
    found = False
    while True:
        blobs = _blobs(text, start, end) if text.startswith("[", start) else None
        after = blobs.end() if blobs else start
        refwd = _refwd(text, after, end)
        if refwd is None:
            # The last blob stays if nothing would be left.
            return after if after < end else max(text.rfind("[", start, end), start), found
        start, found = refwd.end(), True
