"""I18NLEVEL=1: SEARCH, SORT and THREAD compare texts by i;unicode-casemap (RFC 5255, RFC 5051).

What is compared so, and how, is in `moximap.mail.collation`.
"""

from __future__ import annotations

from moximap.imap.dialect import Capability, Extension

EXTENSION = Extension(
    name="I18NLEVEL=1", rfcs=(5255, 5051),
    capabilities=(Capability(b"I18NLEVEL=1"),),
)
