"""SORT=DISPLAY: the sort keys DISPLAYFROM and DISPLAYTO (RFC 5957)."""

from __future__ import annotations

from moximap.imap.dialect import Capability, Extension

EXTENSION = Extension(
    name="SORT=DISPLAY", rfcs=(5957,),
    capabilities=(Capability(b"SORT=DISPLAY"),),
    sort={b"DISPLAYFROM": "displayfrom", b"DISPLAYTO": "displayto"},
)
