"""How well retrieved spans fit the excerpts that answer a question: recall, precision, IoU, precision-omega.

Source: Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval", Chroma technical report, July 2024, and its
published evaluation, which is followed to the letter so that figures can be compared with the report's:

- what is retrieved twice counts once towards what was found, and twice towards what was read;
- a chunk that merely touches an excerpt belongs to those of precision-omega.

A span is half-open, [start, end), in code points (any unit will do, if it is the same for all). Where there are
several documents, add to the spans of each an offset of its own, with room between any two documents.
"""

from collections.abc import Iterable, Sequence

Range = tuple[int, int]


def span_recall(retrieved: Sequence[Range], excerpts: Sequence[Range]) -> float:
    """Which share of the excerpts was retrieved, 0 to 1. Raises ValueError when there is no excerpt."""
    return _found(retrieved, excerpts) / _wanted(excerpts)


def span_precision(retrieved: Sequence[Range], excerpts: Sequence[Range]) -> float:
    """Which share of what was retrieved belongs to an excerpt, 0 to 1; 0 when nothing was retrieved."""
    read = _length(retrieved)
    return _found(retrieved, excerpts) / read if read else 0.0


def span_iou(retrieved: Sequence[Range], excerpts: Sequence[Range]) -> float:
    """Intersection over union of what was retrieved and the excerpts, 0 to 1.

    What was missed counts against it, and so does what was read in vain. Raises ValueError when there is no excerpt.
    """
    found = _found(retrieved, excerpts)
    return found / (_length(retrieved) + _wanted(excerpts) - found)


def precision_omega(chunks: Iterable[Range], excerpts: Sequence[Range]) -> float:
    """The precision that a perfect search could reach: IoU of the excerpts and all chunks that touch one.

    `chunks` are all chunks of the text; those that touch no excerpt are left out. Raises ValueError when there is no
    excerpt.
    """
    touching = [each for each in chunks if any(_touch(each, excerpt) for excerpt in excerpts)]
    found = _found(touching, excerpts)
    return found / (_length(_union(touching)) + _wanted(excerpts) - found)


def _found(retrieved: Sequence[Range], excerpts: Sequence[Range]) -> int:
    """The length of the excerpts' parts that were retrieved, each once."""
    common = [
        (max(start, first), min(end, last))
        for start, end in retrieved
        for first, last in excerpts
        if start < last and first < end
    ]
    return _length(_union(common))


def _wanted(excerpts: Sequence[Range]) -> int:
    length = _length(_union(excerpts))
    if not length:
        raise ValueError(
            "There is no measure of what was found where nothing is to be found: give an excerpt."
        )
    return length


def _touch(left: Range, right: Range) -> bool:
    return left[0] <= right[1] and right[0] <= left[1]


def _length(ranges: Iterable[Range]) -> int:
    return sum(end - start for start, end in ranges)


def _union(ranges: Iterable[Range]) -> list[Range]:
    """The same points, in order and each once."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
