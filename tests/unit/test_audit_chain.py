"""The chain of an audit log tells what was done to it."""

from typing import Any

import pytest

from knowlog.tenants import NO_HASH, Anchor, verify
from knowlog.tenants.chain import record_hash


def chain(length: int) -> list[dict[str, Any]]:
    """So many records of one tenant, rightly chained."""
    records: list[dict[str, Any]] = []
    for number in range(1, length + 1):
        previous = records[-1]["hash"] if records else NO_HASH
        record = {"sequence": number, "previous": previous, "tenant_id": "t", "action": "key.created"}
        records.append({**record, "hash": record_hash(record)})
    return records


def test_a_whole_chain_is_whole() -> None:
    """Its end is the anchor of the next time."""
    records = chain(5)
    verdict = verify(records)
    assert (verdict.records, verdict.problems) == (5, [])
    assert verdict.head == Anchor(5, records[-1]["hash"])


def test_a_changed_record_is_named() -> None:
    """The one, and not those behind it."""
    records = chain(5)
    records[2]["action"] = "key.revoked"
    assert verify(records).problems == ["Record 3 was changed: its hash does not fit what it says."]


def test_a_changed_record_with_a_new_hash_breaks_the_chain_behind_it() -> None:
    """Whoever changes one must change all that follow."""
    records = chain(5)
    records[2]["action"] = "key.revoked"
    records[2]["hash"] = record_hash(records[2])
    assert verify(records).problems == ["Record 4 does not follow record 3 as that is now."]


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_record_that_was_taken_out_is_missed(gone: int) -> None:
    """In the middle the numbers tell."""
    records = chain(5)
    del records[gone]
    assert verify(records).problems == [
        f"Behind record {gone} comes {gone + 2}: records are missing or moved."
    ]


def test_records_that_were_cut_off_are_missed_where_the_end_is_known() -> None:
    """Without an anchor nobody can know; with one it is said."""
    records = chain(5)
    head = Anchor(5, records[-1]["hash"])
    assert verify(records[:3]).problems == []
    assert "missing at the end" in verify(records[:3], [head]).problems[0]


def test_a_chain_that_was_written_anew_does_not_fit_the_anchor() -> None:
    """All hashes fit each other, but not what was printed before."""
    records = chain(5)
    anchor = Anchor(3, "f" * 64)
    assert verify(records, [anchor]).problems == [
        "Record 3 is not the one that is known: its hash differs from the anchor's."
    ]


def test_an_emptied_log_is_missed() -> None:
    """No record at all, where some are known."""
    assert len(verify([], [Anchor(5, "0" * 64)]).problems) == 1


def test_records_of_two_tenants_are_no_chain() -> None:
    """A foreign record is named."""
    records = chain(3)
    records[1]["tenant_id"] = "other"
    assert "Record 2 is of another tenant." in verify(records).problems


def test_a_part_of_a_chain_is_checked_from_where_it_begins() -> None:
    """An export since a moment is still checked."""
    verdict = verify(chain(6)[3:])
    assert (verdict.first, verdict.records, verdict.problems) == (4, 3, [])


@pytest.mark.parametrize("line", [{}, {"sequence": "1", "hash": "x"}, {"sequence": 1}, {"hash": 5}])
def test_what_is_no_record_is_told(line: dict[str, Any]) -> None:
    """A file of something else is not believed."""
    assert verify([line]).problems == ["What stands behind record 0 is no record of an audit log."]
