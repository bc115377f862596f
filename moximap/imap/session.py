"""One connection's state: who is there, what is enabled, which mailbox is selected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from moximap.identity.brakes import Visit
from moximap.imap.attempting import Pending
from moximap.imap.dialect import AUTHENTICATED, NOT_AUTHENTICATED, SELECTED, Enabling
from moximap.imap.errors import No
from moximap.imap.numbering import INumbering, SequenceNumbers
from moximap.imap.guarding import Expiry
from moximap.imap.view import View
from moximap.imap.policy import IPolicy, Usual
from moximap.imap.waiting import Waiting
from moximap.net.peer import Peer
from moximap.store.image import Image
from moximap.store.interfaces import AccountRecord, IAccount
from moximap.store.keys import KeyRecord
from moximap.store.opened import OpenAccount
from moximap.values import Mailbox, NumSet, Written

if TYPE_CHECKING:
    from moximap.imap.fetching import Plan
    from moximap.imap.site import Site

_T = TypeVar("_T")
_W = TypeVar("_W", bound=Written)


class Gone(Exception):
    """The connection is gone; what was being done for it ends here."""


class IAbove(Protocol):
    """What a layer speaks to."""

    def take(self, data: bytes) -> None:
        """Octets as the client meant them."""

    def dismiss(self, text: str) -> None:
        """End the connection."""


class ILayer(Protocol):
    """Stands before a transport, and turns what goes out and comes in into something else.

    It is used as the transport is; ``received`` takes what that delivers, ``lost`` that it is gone.
    """

    def received(self, data: bytes) -> None: ...

    def write(self, data: bytes) -> None: ...

    def lost(self) -> None: ...


MakeLayer = Callable[[Any, IAbove], ILayer]


class IOutlet(Protocol):
    """Where a session's bytes go, and where the lines inside a command come from."""

    tls: bool
    peer: Peer
    peer_key: str | None
    layered: bool                 # a layer was added

    def write(self, data: bytes) -> None:
        """Queue bytes for the client."""

    def ready(self) -> Awaitable[None]:
        """Wait until the client has read enough that more may be written; raises Gone."""

    def read_line(self) -> Deferred[bytes]:
        """The next line, inside a command (IDLE, AUTHENTICATE); fails with Gone."""

    def trace(self, account: str) -> None:
        """From here on everything that is said is written to the log."""

    def start_tls(self) -> None:
        """After the tagged line of the running command: TLS."""

    def add_layer(self, make: MakeLayer) -> None:
        """After the tagged line of the running command: put a layer between protocol and transport."""

    def interject(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Do something now if no command runs or is coming in; the next one waits for its end.

        False where that is not so, and nothing is done.
        """

    def close(self) -> None:
        """After the tagged line of the running command: close the connection."""

    def dismiss(self, text: str, code: bytes | None = None) -> None:
        """Close it now, with one BYE."""


class IWatch(Protocol):
    """Something that a client wants to hear of, other than messages of the selected mailbox."""

    def news(self, session: Session) -> Awaitable[bytes]:
        """The untagged responses that tell what happened since the last call."""


class Session:
    """``enabled`` has ENABLE names in upper case.  ``saved`` is the search result that "$" names.

    ``utf8``: mailbox names and strings are UTF-8 in both directions.
    ``key``: what it was entered by, if that was a key.  ``guarded``: it ends when its key or account does.
    ``hidden``: capabilities, in upper case, that are switched off for this listener and account.
    ``plans``: FETCHes that were compiled.
    ``watches`` are asked wherever changes may be told, and wake an IDLE.  ``policy``: what is told when.
    """

    def __init__(self, site: Site, out: IOutlet, hidden: frozenset[bytes] = frozenset()) -> None:
        self.site = site
        self.out = out
        self.write = out.write
        self.state = NOT_AUTHENTICATED
        self.dialect = site.dialect
        self.enabled: set[bytes] = set()
        self.utf8 = False
        self.record: AccountRecord | None = None
        self.key: KeyRecord | None = None
        self.guarded = True
        self.hidden = hidden
        self._expiry: Expiry | None = None
        self.room: OpenAccount | None = None
        self.view: View | None = None
        self.saved = NumSet()
        self.tag = b"*"
        self.gone = False                          # nobody hears any more of what is written
        self.midway = False                        # a part of a response is out: no line may follow it
        self.failed_logins = 0
        self.attempts = Pending(self)
        self.visit: Visit | None = None
        self.client_id: dict[str, str | None] = {}
        self.numbering: INumbering = SequenceNumbers()
        self.view_hooks: list[Callable[[View], None]] = []
        self.watches: list[IWatch] = []
        self.policy: IPolicy = Usual(self)
        self.waiting = Waiting(self)
        self.account_tells = 0
        self.plans: dict[object, Plan] = {}

    # what is enabled

    @property
    def rev2(self) -> bool:
        return b"IMAP4REV2" in self.enabled

    def enable(self, name: bytes) -> None:
        """Enable a name of the table ``enable`` and what it implies; once is enough."""
        if name in self.enabled:
            return
        self.enabled.add(name)
        self.utf8 = self.utf8 or name in (b"IMAP4REV2", b"UTF8=ACCEPT")
        row: Enabling = self.dialect.tables["enable"][name]
        for implied in row.implies:
            self.enable(implied)
        if row.dress is not None:
            self.view_hooks.append(row.dress)
            if self.view is not None:
                row.dress(self.view)
        if row.begin is not None:
            row.begin(self)

    # the store

    @property
    def account(self) -> IAccount:
        """The store of the account; only after login."""
        assert self.room is not None
        return self.room.store

    @property
    def selected(self) -> View:
        """The view; only in the selected state."""
        assert self.view is not None
        return self.view

    def call(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """Run a blocking function in the pool."""
        return self.site.pool.call(function, *args, **kwargs)

    def quick(self, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Deferred[_T]:
        """Run a small read that the page cache will most likely answer, perhaps at once."""
        return self.site.pool.quick(function, *args, **kwargs)

    def change(self, method: Callable[..., _W], *args: Any, **kwargs: Any) -> Deferred[_W]:
        """Run a store method that writes; everybody here hears of it."""
        self.insist_on_writing()
        assert self.room is not None
        return self.room.write(method, *args, **kwargs).addCallback(self._wrote)

    def change_few(self, method: Callable[..., _W], *args: Any, **kwargs: Any) -> _W | Deferred[_W]:
        """The same for a method that changes few rows and needs no sync: no Deferred where it was at once."""
        self.insist_on_writing()
        assert self.room is not None
        written = self.room.write_few(method, *args, **kwargs)
        if not isinstance(written, Written):
            return written.addCallback(self._wrote)
        self.policy.wrote(written)
        return written

    def change_in_halves(self, begin: Callable[..., Callable[[], _W]], method: Callable[..., _W],
                         *args: Any) -> Deferred[_W]:
        """The same for a method that must be durable; ``begin`` does all but the commit, perhaps at once."""
        self.insist_on_writing()
        assert self.room is not None
        return self.room.write_in_halves(begin, method, *args).addCallback(self._wrote)

    def _wrote(self, written: _W) -> _W:
        self.policy.wrote(written)
        return written

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed at all, by the kind of key that this was entered by."""
        return self.key is not None and self.key.read_only

    def insist_on_writing(self) -> None:
        if self.key is not None and self.key.read_only:
            raise No("this key may only read", b"NOPERM")

    def introduced(self, client_id: dict[str, str | None]) -> None:
        """The client has said by ID what program it is."""
        self.client_id = client_id
        self.attempts.flush()

    # states

    async def login(self, record: AccountRecord, key: KeyRecord | None = None) -> None:
        """The client is the owner of an account, and has proved it by ``key`` if there is one."""
        room = await self.site.accounts.get(record.name)
        if room.users > self.site.limits.connections_per_account:
            self.site.accounts.release(room)
            raise No("too many connections of this account", b"LIMIT")
        self.room, self.record, self.key = room, record, key
        if self.visit is not None:
            self.visit.leave()
        self.state = AUTHENTICATED
        self.hidden |= frozenset(name.encode() for name in record.capabilities_off)
        if key is not None and key.until is not None:
            self._expiry = Expiry(self, key.until)
        if record.name in self.site.traced:
            self.out.trace(record.name)
            self.write = self.out.write

    def select(self, view: View) -> None:
        assert self.room is not None
        self.view = view
        view.numbering = self.numbering
        self.room.readers.add(view)
        self.state = SELECTED
        self.saved = NumSet()
        self.dress(view)

    def behind(self, image: Image) -> bool:
        """Whether an image may lack what any process has written up to now: `room.refresh` brings it."""
        self.site.listen_to_bells()
        return self.room is not None and not self.room.fresh(image)

    def unselect(self) -> None:
        """No mailbox is selected any more."""
        if self.view is not None:
            assert self.room is not None
            self.room.unlisten(self)
            self.room.readers.discard(self.view)
            self.room.release(self.view.image)
            self.view = None
            self.state = AUTHENTICATED
            self.saved = NumSet()

    def dress(self, view: View) -> None:
        """Give the view the forms that extensions have put in place of the usual ones."""
        for hook in self.view_hooks:
            hook(view)

    def end(self) -> None:
        """The connection is over: give back what it held."""
        self.waiting.stop()
        self.attempts.flush()
        if self.visit is not None:
            self.visit.leave()
        if self._expiry is not None:
            self._expiry.cancel()
        self.policy.end()
        self.unselect()
        if self.room is not None:
            self.site.accounts.release(self.room)
            self.room = None

    def is_selected(self, mailbox: Mailbox) -> bool:
        return self.view is not None and self.view.mailbox.id == mailbox.id
