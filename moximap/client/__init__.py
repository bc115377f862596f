"""A small IMAP client on Twisted: connect, log in or be known by a key, read, add and wait for mail."""

from moximap.client.client import Added, Client, Fetched, Idle, Resync, Selected, fetched, vanished
from moximap.client.connecting import TlsMissing, Unreachable, connect, start_tls, tls_endpoint, wrapped
from moximap.client.protocol import CommandFailed, ConnectionEnded, Literal, Result
from moximap.client.reading import Answer, Atom, BadResponse, Untagged, Value
from moximap.client.sasl import LoginImpossible, authenticate, log_in
from moximap.net.trust import BadTrust, Trust

__all__ = ["Added", "Answer", "Atom", "BadResponse", "BadTrust", "Client", "CommandFailed", "ConnectionEnded",
           "Fetched", "Idle", "Literal", "LoginImpossible", "Resync", "Result", "Selected", "TlsMissing",
           "Trust", "Unreachable", "Untagged", "Value", "authenticate", "connect", "fetched", "log_in",
           "start_tls", "tls_endpoint", "vanished", "wrapped"]
