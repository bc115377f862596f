"""The IMAP protocol (RFC 9051, RFC 3501)."""
