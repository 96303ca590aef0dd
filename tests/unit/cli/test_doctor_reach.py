"""doctor names every setting by which tenants may have hosts inside the network called."""

import pytest

from knowlog.cli.doctor.safety import _reach
from knowlog.settings import describe, load_settings

SETTINGS = (
    "KNOWLOG_API_FETCH_PRIVATE_HOSTS",
    "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS",
    "KNOWLOG_API_SIGN_ON_PRIVATE_HOSTS",
    "KNOWLOG_LLM_PRIVATE_HOSTS",
)


@pytest.mark.parametrize("name", SETTINGS)
def test_an_inner_host_that_tenants_may_have_called_is_told(name: str) -> None:
    """With the setting that lists it, and no other."""
    (finding,) = _reach(load_settings({name: "intranet.example.com"}))
    assert finding.outcome == "warn"
    assert "intranet.example.com" in finding.found
    assert [each for each in SETTINGS if each in finding.mend] == [name]


def test_no_setting_of_that_kind_is_forgotten() -> None:
    """Whatever is called ..._private_hosts is among them."""
    named = {each.name for each in describe(load_settings({}))}
    assert {each for each in named if each.endswith("PRIVATE_HOSTS")} == set(SETTINGS)
