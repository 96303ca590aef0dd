"""What limits say, and how a command changes them."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
import typer

from knowlog.cli.usage import changed
from knowlog.database import Scope
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.wording import counted
from knowlog.settings import load_settings
from knowlog.tenants import KINDS, THE_TENANT, Allowance, LimitsSettings, key_of
from knowlog.tenants.limits import reached, window_end

ALICE = uuid4()


def test_every_kind_has_a_default_in_the_settings() -> None:
    """So that an operator can set it for all."""
    assert set(KINDS) <= set(LimitsSettings.model_fields)


@pytest.mark.parametrize("value", ["-1", "9007199254740993", "1e3", "many", "1.5", "NaN"])
def test_a_default_is_a_whole_number_from_nought(value: str) -> None:
    with pytest.raises(Misconfigured, match="KNOWLOG_LIMITS_DOCUMENTS"):
        load_settings({"KNOWLOG_LIMITS_DOCUMENTS": value})


def test_no_number_is_no_limit() -> None:
    assert load_settings({"KNOWLOG_LIMITS_REQUESTS_PER_MINUTE": ""}).limits.requests_per_minute is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wait_s", [None, 0.2, 61.0, 86_000.0])
def test_a_refusal_says_which_limit_and_when(kind: str, wait_s: float | None) -> None:
    """One sentence and when to come back, in whole seconds of at least one."""
    error = reached(kind, 12_000, THE_TENANT, wait_s)
    assert counted(12_000, KINDS[kind].words) in error.detail
    assert error.detail.endswith(".")
    assert error.extra["retry_after_s"] >= 1
    assert error.extra["limit"] == kind


@pytest.mark.parametrize(
    ("microsecond", "left_s"), [(700_000, 9.3), (700_000, 9.2999), (0, 10.0), (900_000, 9.1001)]
)
def test_a_window_ends_at_a_whole_second(microsecond: int, left_s: float) -> None:
    """Ten seconds before midnight it ends at midnight, whatever the fraction of the present second is."""
    moment = datetime(2027, 1, 31, 23, 59, 50, microsecond, tzinfo=UTC)
    assert window_end(moment, left_s) == datetime(2027, 2, 1, tzinfo=UTC)


def test_one_is_not_many() -> None:
    """Of a limit of one."""
    assert "limit of 1 document of your tenant" in reached("documents", 1, THE_TENANT, None).detail
    assert "limit of 1 request a minute of" in reached("requests_per_minute", 1, THE_TENANT, 1.0).detail


def test_the_holders_of_a_limit_are_the_tenant_and_the_key() -> None:
    """In one order always, so that two who take from both never wait for each other."""
    allowed = Allowance({"documents": 5, "requests_per_minute": 9}, {"requests_per_minute": 3}, ALICE)
    assert allowed.of("requests_per_minute") == [(THE_TENANT, 9), (ALICE, 3)]
    assert allowed.of("documents") == [(THE_TENANT, 5)]
    assert allowed.of("stored_bytes") == []


def test_the_key_that_acts_is_read_from_its_scope() -> None:
    """A worker, a source and the operator act for no key."""
    assert key_of(Scope(ALICE, f"key:{ALICE}")) == ALICE
    for principal in ("worker:1", f"source:{ALICE}", "operator", "key:alice", "key:"):
        assert key_of(Scope(ALICE, principal)) is None


PRESENT = [
    {"limit": "documents", "most": 5, "is_default": False},
    {"limit": "stored_bytes", "most": 7, "is_default": True},
]


def test_a_command_changes_what_it_names_and_leaves_the_rest() -> None:
    """A default stays a default."""
    assert changed(PRESENT, []) == {"documents": 5}
    assert changed(PRESENT, ["stored_bytes=9"]) == {"documents": 5, "stored_bytes": 9}
    assert changed(PRESENT, ["documents=none"]) == {"documents": None}
    assert changed(PRESENT, ["documents=default"]) == {}


@pytest.mark.parametrize(
    "change", ["", "documents", "documents=", "documents=-1", "documents=1.5", "x=1", "documents=²"]
)
def test_a_change_that_is_none_is_refused(change: str) -> None:
    with pytest.raises(typer.BadParameter):
        changed(PRESENT, [change])
