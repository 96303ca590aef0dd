"""`knowlog bench chunk-speed`: how fast texts are cut, by the measure of tokenising them and doing nothing else."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from knowlog.chunking import COMPARING, STRATEGIES, ChunkingProfile, chunk
from knowlog.cli.bench.options import Data, JsonFile
from knowlog.cli.bench.peer_chunkers import PEERS, Peer
from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.cli.output import progress, say
from knowlog.documents import Structure
from knowlog.embedding import bert_tokenizer, token_offsets
from knowlog.evaluation import load_beir
from knowlog.kernel.errors import Misconfigured

_BYTES = 5_000_000
_DOCUMENT_CHARS = 50_000
_SIZE = 300
_ROUNDS = 3
_ROUND_S = 5.0
"""A peer that would take longer for a round is given only the documents that it can cut in that time."""
_OWN = tuple(name for name in STRATEGIES if name not in COMPARING and name not in ("llm", "parent_child"))
"""Those that ask no model. parent_child takes what sentence takes, twice."""

Cutter = Callable[[str], Sequence[str]]


def chunk_speed(data: Data, json: JsonFile = None) -> None:
    """Cut 5 MB of abstracts at 300 tokens: in megabytes a second, and by the measure of tokenising alone.

    Other chunkers cut the same in the same run where they are installed: `pip install --group bench`.
    """
    check_writable(json)
    publish(measure(data), json)


def measure(data: Path) -> Report:
    """Return the figures. One thread, rounds in turns, the median of each."""
    documents = _documents(data)
    cutters: dict[str, Cutter] = {"floor": _floor, "tokenizers": _tokenizers}
    cutters |= {name: _own(name) for name in _OWN}
    makers: dict[str, Callable[[], Cutter]] = {name: partial(_same, cut) for name, cut in cutters.items()}
    makers |= {name: partial(_fresh, make) for name, make in PEERS.items() if _is_there(name, make)}
    seconds = _timed(makers, documents)
    figures: dict[str, float | None] = {f"{name}_mb_s": speed for name, speed in seconds.items()}
    recursive = seconds["recursive"]
    figures["floor_ratio"] = recursive / seconds["floor"]
    figures["tokenizers_ratio"] = recursive / seconds["tokenizers"]
    figures |= {f"{name}_ratio": recursive / seconds[name] if name in seconds else None for name in PEERS}
    figures |= {f"over_limit_{name}": _over_limit(cutters[name], documents) for name in _OWN}
    figures["over_limit"] = sum(figures[f"over_limit_{name}"] or 0 for name in _OWN)
    return Report(
        figures,
        {
            "data": data.name,
            "bytes": _size(documents),
            "size_tokens": _SIZE,
            "overlap": 0.0,
            "rounds": _ROUNDS,
        },
    )


def _documents(data: Path) -> list[str]:
    """5 MB of abstracts, with a blank line between them, in documents of about 50,000 characters."""
    found: list[str] = []
    parts: list[str] = []
    size = length = 0
    for each in load_beir(data).corpus:
        text = f"{each.title}\n\n{each.text}".strip()
        parts.append(text)
        length += len(text)
        if length >= _DOCUMENT_CHARS:
            found.append("\n\n".join(parts))
            size += len(found[-1].encode())
            parts, length = [], 0
        if size >= _BYTES:
            return found
    if parts:
        found.append("\n\n".join(parts))
    if not found:
        raise Misconfigured(f"{data} holds no text. Check --data.")
    return found


def _is_there(name: str, make: Callable[[int], Peer]) -> bool:
    try:
        make(_SIZE)
    except ImportError:
        say(f"{name} is not installed and not measured: `pip install --group bench` installs it.")
        return False
    return True


def _same(cut: Cutter) -> Cutter:
    return cut


def _fresh(make: Callable[[int], Peer]) -> Cutter:
    """A new one for each round: some remember what they have counted before, which is the same text here."""
    return make(_SIZE).cut


def _floor(text: str) -> Sequence[str]:
    token_offsets(text)
    return ()


def _tokenizers(text: str) -> Sequence[str]:
    """The tokenizer that all others here count with, each paragraph once."""
    tokenizer = bert_tokenizer()
    for paragraph in text.split("\n\n"):
        tokenizer.encode(paragraph, add_special_tokens=False)
    return ()


def _own(name: str) -> Cutter:
    profile = ChunkingProfile.model_validate({"strategy": name, "size_tokens": _SIZE, "overlap": 0.0})

    def cut(text: str) -> Sequence[str]:
        return [text[each.start : each.end] for each in chunk(text, profile, token_offsets, Structure())]

    return cut


def _timed(makers: dict[str, Callable[[], Cutter]], documents: Sequence[str]) -> dict[str, float]:
    """Megabytes a second of each, the median of rounds in which each has its turn."""
    speeds: dict[str, list[float]] = {name: [] for name in makers}
    with progress() as bar:
        task = bar.add_task("Cutting", total=_ROUNDS * len(makers), note="")
        shares = {name: list(_in_time(make(), documents)) for name, make in makers.items()}
        for _ in range(_ROUNDS):
            for name, make in makers.items():
                cut = make()
                started = perf_counter()
                for text in shares[name]:
                    cut(text)
                speeds[name].append(_size(shares[name]) / 1e6 / (perf_counter() - started))
                bar.advance(task)
    return {name: median(each) for name, each in speeds.items()}


def _in_time(cut: Cutter, documents: Sequence[str]) -> Iterator[str]:
    """The documents that are cut in a round's time, as tried now; which also warms what can be warmed."""
    started = perf_counter()
    for text in documents:
        cut(text)
        yield text
        if perf_counter() - started > _ROUND_S:
            return


def _over_limit(cut: Cutter, documents: Sequence[str]) -> int:
    """How many chunks have more tokens than they may, each counted alone by the reference tokenizer."""
    tokenizer = bert_tokenizer()
    return sum(
        len(tokenizer.encode(piece, add_special_tokens=False)) > _SIZE
        for text in documents
        for piece in cut(text)
    )


def _size(documents: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in documents)
