"""Accounts and mail on disk; the only place with SQL."""
