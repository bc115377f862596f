"""The kinds of `--listen KIND=ENDPOINT`, and what speaks there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IProtocolFactory

from moximap.imap.protocol import IMAPFactory
from moximap.imap.proving import asking
from moximap.imap.site import Site
from moximap.net.onionconnection import by_origin
from moximap.net.prompt import PromptTLSFactory

#: Makes it for a site.  The names are of capabilities that are switched off for a listener, in upper case.
Speaker = Callable[[Site, frozenset[bytes]], IProtocolFactory]


def _imap(site: Site, hidden: frozenset[bytes]) -> IProtocolFactory:
    return IMAPFactory(site, hidden=hidden)


def _imaps(site: Site, hidden: frozenset[bytes]) -> IProtocolFactory:
    imap = IMAPFactory(site, implicit_tls=True, hidden=hidden)
    return by_origin(lambda tls: PromptTLSFactory(asking(tls, hidden), False, imap, site.reactor),
                     site.tls, site.onion_tls)


def _https(site: Site, hidden: frozenset[bytes]) -> IProtocolFactory:
    from moximap.net.alpn import https          # the web server is only loaded where there is one
    imap, patience = IMAPFactory(site, implicit_tls=True, hidden=hidden), site.limits.handshake_timeout
    return by_origin(lambda tls: https(asking(tls, hidden), site.reactor, patience, imap),
                     site.tls, site.onion_tls)


KINDS: Final[dict[str, Speaker]] = {"imap": _imap, "imaps": _imaps, "https": _https}
