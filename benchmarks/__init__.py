"""Benchmarks of moximap, and comparisons with Dovecot."""
