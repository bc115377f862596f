"""A small IMAP client on Twisted: connect, log in or be known by a key, read, add and wait for mail."""

from moximap.client.client import Added, Client, Fetched, Idle, Resync, Selected, fetched, vanished
from moximap.client.connecting import connect, tls_endpoint
from moximap.client.protocol import CommandFailed, ConnectionEnded, Literal, Result
from moximap.client.reading import Answer, Atom, BadResponse, Untagged, Value

__all__ = ["Added", "Answer", "Atom", "BadResponse", "Client", "CommandFailed", "ConnectionEnded", "Fetched",
           "Idle", "Literal", "Resync", "Result", "Selected", "Untagged", "Value", "connect", "fetched",
           "tls_endpoint", "vanished"]
