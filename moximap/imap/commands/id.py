"""ID (RFC 2971): who is the client, who is the server."""

from __future__ import annotations

import attrs

from moximap.imap import encoding
from moximap.imap.dialect import ANY_STATE, Capability, Extension, Spec, logged_in
from moximap.imap.errors import Bad
from moximap.imap.grammar import Cursor
from moximap.imap.session import Session

#: RFC 2971 3.3: pairs, octets of a field's name, octets of its value.
MAX_PAIRS = 30
MAX_FIELD = 30
MAX_VALUE = 1024


@attrs.frozen
class Id:
    """``fields`` by lower-case name; empty where the client says nothing of itself."""

    fields: dict[str, str | None] = attrs.field(factory=dict)

    def run(self, session: Session) -> None:
        """Our version is told only to those who have logged in."""
        if self.fields:
            session.introduced(self.fields)
        version = b""
        if logged_in(session):
            version = b' "version" %b' % encoding.quoted(session.site.version.encode())
        session.write(b'* ID ("name" "moximap"%b)\r\n' % version)


def parse(p: Cursor) -> Id:
    """id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)

    Spaces next to the parentheses are skipped: aioimaplib sends them.
    """
    p.sp()
    if not p.at(b"("):
        p.take(b"NIL")
        return Id()
    pairs: list[tuple[str, str | None]] = []
    p.at_sp()
    while not p.at(b")"):
        pairs.append(_pair(p))
        if not p.at_sp() and p.peek() != b")":
            raise p.bad("space")
    if len(pairs) > MAX_PAIRS:
        raise Bad(f"ID has over {MAX_PAIRS} fields")
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Bad("an ID field came twice")
    return Id(fields)


def _pair(p: Cursor) -> tuple[str, str | None]:
    """string SP nstring.  What is not UTF-8 is only shown to people: it is no error."""
    field = p.string()
    p.sp()
    value = p.nstring()
    if len(field) > MAX_FIELD or value is not None and len(value) > MAX_VALUE:
        raise Bad("an ID field is too long")
    return (field.decode("utf-8", "replace").lower(),
            None if value is None else value.decode("utf-8", "replace"))


EXTENSION = Extension(
    name="ID", rfcs=(2971,),
    capabilities=(Capability(b"ID"),),
    commands={b"ID": Spec(parse, ANY_STATE, capability=b"ID")},
)
