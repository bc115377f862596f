"""When and what a client is told of changes that are no answers (RFC 9051 5.2, 7.5.1).

The law of this file: dispatch, protocol and IDLE call the session's policy where it may speak, and an
extension puts another one in its place.  Only the view makes EXISTS, EXPUNGE and the FETCH of changes.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from moximap.imap.view import StoreAnswer, View, all_flags, flags_line
from moximap.values import Changes, Written

if TYPE_CHECKING:
    from moximap.imap.session import Session


class IPolicy(Protocol):
    """One session's; nothing of the session runs beside its methods but ``wrote`` and ``end``."""

    @property
    def everywhere(self) -> bool:
        """Changes outside of the selected mailbox are told too."""

    def tell(self, may_expunge: bool, answered: StoreAnswer | None = None) -> Awaitable[None]:
        """Before a tagged line, or while the client idles: tell what may be told now.

        ``answered``: what a STORE of this session did.
        """

    def wrote(self, written: Written) -> None:
        """A write of this session's own is committed."""

    def rest(self) -> None:
        """A command may have ended: until the next one the policy can speak by ``out.interject``."""

    def end(self) -> None:
        """Another policy takes over, or the session is over."""


class Usual:
    """Everything about the selected mailbox is told, with commands and while the client idles."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def everywhere(self) -> bool:
        return bool(self.session.watches)

    def tell(self, may_expunge: bool, answered: StoreAnswer | None = None) -> Awaitable[None]:
        tell = self._tell_everything if self.session.watches else self.tell_selected
        return tell(may_expunge, answered)

    async def _tell_everything(self, may_expunge: bool, answered: StoreAnswer | None) -> None:
        await self.tell_news()
        await self.tell_selected(may_expunge, answered)

    async def tell_news(self) -> None:
        """What the watches have."""
        session = self.session
        session.site.listen_to_bells()
        for watch in session.watches:
            news = await watch.news(session)
            if news:
                session.write(news)

    async def tell_selected(self, may_expunge: bool, answered: StoreAnswer | None) -> None:
        """Bring the view up to date, and with it the client."""
        session = self.session
        view, room = session.view, session.room
        if view is None or room is None:
            return
        if session.behind(view.image):
            await room.refresh(view.image)
        if answered is None and view.settled():
            return
        changes = view.image.since(view.told)
        if changes is None:
            changes = await self._older(view)
        if session.view is view:
            await self.show(view, changes, may_expunge, answered)

    async def show(self, view: View, changes: list[Changes], may_expunge: bool,
                   answered: StoreAnswer | None) -> None:
        """Tell the changes, which are all that the image has and the view has not."""
        self._tell_keywords(view)
        for number, told in enumerate(filter(None, view.tell(changes, may_expunge, answered))):
            if number:
                await self.session.out.ready()
            self.session.write(told)

    async def _older(self, view: View) -> list[Changes]:
        """The log from where this view is up to where the image is, which does not have all of it."""
        session = self.session
        older: Changes = await session.call(session.account.changes, view.mailbox.id, view.told)
        view.image.apply(older)
        return [older, *(view.image.since(older.modseq) or ())]

    def _tell_keywords(self, view: View) -> None:
        """New keywords are announced before the first message that has one (RFC 9051 7.3.5)."""
        names = self.session.account.flags.keywords()
        if len(names) != view.keywords:
            view.keywords = len(names)
            self.session.write(flags_line(all_flags(names)))

    def wrote(self, written: Written) -> None:
        """The view tells it, as it tells what others do."""

    def rest(self) -> None:
        """Nothing is told between commands."""

    def end(self) -> None:
        """Nothing is held."""
