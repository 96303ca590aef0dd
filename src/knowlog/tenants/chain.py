"""The chain of an audit log, checked by anybody who has the records: no database is needed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

NO_HASH = "0" * 64
"""What the first record of a chain says of the one before it."""
_MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Anchor:
    """A record of which the hash is known from elsewhere, such as the head that was printed last month."""

    sequence: int
    hash: str


@dataclass(slots=True)
class Verdict:
    """What became of checking a chain: from where to where it was seen, and all that is wrong with it."""

    records: int = 0
    first: int = 0
    head: Anchor = Anchor(0, NO_HASH)
    problems: list[str] = field(default_factory=list)

    def blame(self, sentence: str) -> None:
        """Note a fault; of very many, the first are enough."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(sentence)


def record_hash(record: Mapping[str, Any]) -> str:
    """The SHA-256 of a record without its own hash, as canonical JSON: members sorted, no blanks, UTF-8."""
    bare = {name: value for name, value in record.items() if name != "hash"}
    return hashlib.sha256(orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)).hexdigest()


def verify(records: Iterable[Mapping[str, Any]], anchors: Iterable[Anchor] = ()) -> Verdict:
    """Check a chain, oldest record first. It may begin anywhere; what it begins behind is then believed.

    An anchor beyond the end tells that records at the end are missing.
    """
    verdict = Verdict()
    known = {anchor.sequence: anchor.hash for anchor in anchors if anchor.sequence}
    tenant: object = None
    for record in records:
        sequence = record.get("sequence")
        if not isinstance(sequence, int) or not isinstance(record.get("hash"), str):
            verdict.blame(f"What stands behind record {verdict.head.sequence} is no record of an audit log.")
            continue
        tenant = record.get("tenant_id") if tenant is None else tenant
        _check(verdict, record, sequence, tenant, known.pop(sequence, None))
        verdict.head = Anchor(sequence, record["hash"])
        verdict.records += 1
    for sequence in sorted(known):
        if verdict.records == 0 or sequence > verdict.head.sequence:
            verdict.blame(
                f"Records are missing at the end: it is at {verdict.head.sequence}, and record {sequence} is known."
            )
    return verdict


def _check(
    verdict: Verdict, record: Mapping[str, Any], sequence: int, tenant: object, anchor: str | None
) -> None:
    if record_hash(record) != record["hash"]:
        verdict.blame(f"Record {sequence} was changed: its hash does not fit what it says.")
    if record.get("tenant_id") != tenant:
        verdict.blame(f"Record {sequence} is of another tenant.")
    if anchor is not None and anchor != record["hash"]:
        verdict.blame(f"Record {sequence} is not the one that is known: its hash differs from the anchor's.")
    if verdict.records == 0:
        verdict.first = sequence
        if sequence == 1 and record.get("previous") != NO_HASH:
            verdict.blame("Record 1 does not say that it is the first.")
    elif sequence != verdict.head.sequence + 1:
        verdict.blame(
            f"Behind record {verdict.head.sequence} comes {sequence}: records are missing or moved."
        )
    elif record.get("previous") != verdict.head.hash:
        verdict.blame(f"Record {sequence} does not follow record {verdict.head.sequence} as that is now.")
