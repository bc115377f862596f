"""One module per command family or RFC; each ends in an EXTENSION."""
