"""The moximap command."""
