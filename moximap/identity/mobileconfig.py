"""A configuration profile for iOS and macOS: the account, its server, and the key that logs in."""

from __future__ import annotations

import plistlib
import uuid
from typing import Any

import attrs


@attrs.frozen
class MailServer:
    """Where clients connect; ``smtp``: the host that they send by."""

    host: str
    port: int = 993
    smtp: str | None = None


def _payload(kind: str, identifier: str, name: str, **content: Any) -> dict[str, Any]:
    return {"PayloadType": kind, "PayloadVersion": 1, "PayloadIdentifier": identifier,
            "PayloadUUID": str(uuid.uuid4()).upper(), "PayloadDisplayName": name, **content}


def mobileconfig(address: str, name: str, server: MailServer, p12: bytes, passphrase: str) -> bytes:
    """The profile (XML property list); it holds the private key, so it is to be kept like one.

    ``p12``: in the legacy form, which all versions take.
    """
    identifier = f"moximap.{server.host}.{uuid.uuid4()}"
    mail = _payload(
        "com.apple.mail.managed", f"{identifier}.mail", f"Mail {address}",
        EmailAccountType="EmailTypeIMAP", EmailAccountName=address, EmailAccountDescription=address,
        EmailAddress=address, IncomingMailServerAuthentication="EmailAuthNone",
        IncomingMailServerHostName=server.host, IncomingMailServerPortNumber=server.port,
        IncomingMailServerUseSSL=True, IncomingMailServerUsername=address,
        OutgoingMailServerAuthentication="EmailAuthNone",
        OutgoingMailServerHostName=server.smtp or server.host, OutgoingMailServerUseSSL=True,
        OutgoingMailServerUsername=address)
    key = _payload("com.apple.security.pkcs12", f"{identifier}.key", f"Key {name}",
                   PayloadCertificateFileName="key.p12", PayloadContent=p12, Password=passphrase)
    profile = _payload("Configuration", identifier, f"{address} ({name})",
                       PayloadDescription=f"Mail of {address}, entered with a key of this device.",
                       PayloadRemovalDisallowed=False, PayloadContent=[key, mail])
    return plistlib.dumps(profile)
