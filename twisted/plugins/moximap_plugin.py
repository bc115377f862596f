"""What makes `twistd` know `moximap`."""

from twisted.application.service import ServiceMaker

moximap = ServiceMaker("moximap", "moximap.tap", "An IMAP server: one account is one database.", "moximap")
