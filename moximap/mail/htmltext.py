"""HTML to text, for search and preview."""

import html
import re

from selectolax.lexbor import LexborHTMLParser

# The parser takes time in the square of the depth and much memory per element; beyond these the
# tags are just cut out. Browsers stop nesting at 512.
_DEEPEST = 1000
_LONGEST = 4 << 20

# Elements whose content is no text of the document.
_UNSEEN = ("script", "style", "template")
_unseen = re.compile(f"<(?:{'|'.join(_UNSEEN)})", re.IGNORECASE).search

_tags = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*+)").finditer
_any_tag = re.compile(r"<[^<>]*+>").sub

# The parser takes some hundred KB for each document.  They would be given back to the system each time;
# but once so much was freed in one piece, the C library (glibc) keeps as much.
bytearray(1 << 20)

# Elements without content, and those that the next one of their kind ends.
_FLAT = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"])
_FLAT |= frozenset(["source", "track", "wbr"])
_FLAT |= frozenset(["p", "li", "dd", "dt", "td", "th", "tr", "option"])


def html_text(document: str) -> str:
    """The text of a document, without scripts, styles and tags."""
    if len(document) > _LONGEST or _too_deep(document):
        return html.unescape(_any_tag(" ", document))
    document = document.replace("\0", "")
    tree = LexborHTMLParser(document)
    if _unseen(document):
        for tag in _UNSEEN:
            for node in tree.tags(tag):
                node.decompose()
    return str(tree.body.text(separator=" ")) if tree.body is not None else ""


def _too_deep(document: str) -> bool:
    """Whether more elements may be open at once than the parser can take.

    An end tag counts only against a start tag of its name, so the depth is never underestimated.
    """
    if document.count("<") < _DEEPEST:
        return False
    depth = 0
    opened: dict[str, int] = {}
    for match in _tags(document):
        name = match[2].lower()
        if name in _FLAT:
            continue
        if not match[1]:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            if depth > _DEEPEST:
                return True
        elif opened.get(name):
            opened[name] -= 1
            depth -= 1
    return False
