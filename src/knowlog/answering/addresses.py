"""Addresses in what a language model writes: it may lead to the documents that it cites, and nowhere else.

That a passage names an address is no excuse, for an attacker may have written it: its quotation shows it well enough.
"""

import re
import unicodedata
from collections.abc import Sequence

from knowlog.retrieval import Passage

_ENDINGS = (
    "com|net|org|info|biz|xyz|io|co|ai|app|dev|tv|cc|ru|cn|tk|ml|ga|cf|gq|top|site|online|shop|club|link|click|live|store|tech|"
    "space|website|fun|icu|vip|work|pro|mobi|edu|gov|mil|int|eu|uk|de|fr|nl|es|pl|ca|au|jp|kr|br|ch|se|fi|dk|cz|zip|mov|"
    "test|example|invalid|local|onion"
)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://\S+"  # of any scheme
    r"|\b(?:javascript|data|vbscript|mailto|tel|file):\S+"
    r"|\bwww\.\S+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|\b(?:[\w-]+\.)+(?:{_ENDINGS})\b(?:[/:?#]\S*)?"
    r"|\b(?:[\w-]+\.)+[a-z]{2,24}/\S+"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}[:/]\S+"
    r"|/v1/\S+",
    re.I,
)
_TARGET = re.compile(r"\]\s*\(\s*<?([^)>\s]*)")
_MARKUP = re.compile(r"!\[|<[a-z/!?][^>]*>|\]\s*\[|^\s*\[[^\]]+\]:", re.I | re.M)
"""Images, tags, and links whose target stands elsewhere."""
_CHAIN = re.compile(r"(?:[\w-]{1,63}\.){20}")
"""More labels than an address has. It is read again from each of them: a statement of nothing else took half a second."""
_TRAIL = ".,;:!?)]}>\"'”"
_JOINERS = "\u200c\u200d\u00ad"


def leads_away(text: str, cited: Sequence[Passage], question: str) -> bool:
    """Whether a sentence holds an image, a tag, something hidden, or an address that is none of the documents cited and
    stands not in the question.
    """
    plain = unicodedata.normalize("NFKC", text)
    if _CHAIN.search(plain) or _MARKUP.search(plain) or any(_hidden(each) for each in plain):
        return True
    targets = [each.rstrip(_TRAIL) for each in (*_ADDRESS.findall(plain), *_TARGET.findall(plain))]
    return any(not (target in question or _is_of(target, cited)) for target in targets)


def _is_of(target: str, cited: Sequence[Passage]) -> bool:
    """Whether an address is that of a document cited: here, or where it was fetched from."""
    places = (f"/v1/documents/{passage.document_id}" for passage in cited)
    here = any(target == place or target.startswith((f"{place}/", f"{place}?")) for place in places)
    return here or any(target == passage.external_id for passage in cited)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs") and character not in _JOINERS
