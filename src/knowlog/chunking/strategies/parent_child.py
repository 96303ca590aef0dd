"""Parent and child: small chunks and the larger ones around them, both of which are searched.

A small chunk says one thing, so that its vector is near to the question that it answers; the larger one tells what is
spoken of. Retrieval counts the two together, and shows what was found with as much around it as the reader wants.
"""

from dataclasses import replace

from knowlog.chunking.model import Span
from knowlog.chunking.packing import pack
from knowlog.chunking.tokens import Range
from knowlog.chunking.work import Work


def split(work: Work) -> list[Span]:
    """Return parents of at most `size_tokens`, each before its children of at most `child_tokens`, in whole sentences.

    A parent that one child would fill has none. A text of signs that no tokeniser sees is a parent all the same.
    """
    parents = pack(work, work.places.units, work.size) or [(0, 0)]
    return [span for parent in parents for span in _family(work, parent)]


def _family(work: Work, tokens: Range) -> list[Span]:
    parent = work.tokens.span(*tokens)
    if parent is None:
        return []
    children = work.spans(pack(work, work.places.units, work.profile.child_tokens, tokens))
    if len(children) < 2:
        return [parent]
    return [parent, *(replace(child, parent=(parent.start, parent.end)) for child in children)]
