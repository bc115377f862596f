"""Addresses of accounts, and domains: records, and the interface to them."""

from __future__ import annotations

import attrs
from zope.interface import Interface


@attrs.frozen
class Domain:
    """A domain of some address here; ``disabled``: it takes no mail for now."""

    name: str
    disabled: bool = False


class IAddresses(Interface):
    """Further addresses of accounts.  "@example.org" stands for all addresses of a domain that are nobody's:
    mail for them is taken, but nobody logs in by such a name."""

    def add(account: str, address: str) -> None:
        """Give an account an address; NoSuchAccount, AccountExists (it is somebody's), Cannot."""

    def of(account: str) -> tuple[str, ...]:
        """Further addresses of an account; NoSuchAccount."""

    def remove(address: str) -> None:
        """Take an address away; NoSuchAccount where it is nobody's."""

    def recipient(address: str) -> str:
        """The name of the account that mail for an address goes to.

        NoSuchAccount; Unavailable where the domain is disabled: a temporary failure.
        """

    def domains() -> tuple[Domain, ...]:
        """All domains of accounts' names and addresses, and those that are disabled."""

    def disable_domain(name: str, disabled: bool) -> None:
        """Take no mail for a domain, or again; logins go on.  Cannot where it is no domain."""


__all__ = ["Domain", "IAddresses"]
