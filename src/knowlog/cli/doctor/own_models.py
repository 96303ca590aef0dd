"""Language models of tenants' own: whether their addresses may be asked today. None is: that would cost its tenant."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.cli.doctor.places import told_by
from knowlog.edge import checked_address, reach_of_models, require_safe_form
from knowlog.kernel.errors import Invalid
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "models of tenants"
_MOST = 200
"""Addresses that are looked up."""


async def check_own_models(settings: Settings) -> AsyncIterator[Finding]:
    """Look each address up as before a call, by the settings of today."""
    tenants: Counter[str] = Counter()
    async for _, rows in told_by(settings, "own_model_places"):
        tenants.update({row["url"]: row["tenants"] for row in rows})
    reach = reach_of_models(settings.llm.private_hosts)
    refused: dict[str, str] = {}
    for url in list(tenants)[:_MOST]:
        try:
            await checked_address(require_safe_form(url, reach), reach)
        except Invalid as error:
            refused[url] = error.detail
    for finding in judge(tenants, refused):
        yield finding


def judge(tenants: Mapping[str, int], refused: Mapping[str, str]) -> list[Finding]:
    """Say what is refused of the addresses, each with the number of its tenants. What a path may hold is not shown."""
    if refused:
        return [
            warn(
                _PART,
                f"{counted(tenants[url], 'tenant')} cannot be answered by one at {urlsplit(url).hostname}: {why}",
                "Add the host to KNOWLOG_LLM_PRIVATE_HOSTS, or let its tenants give another (`knowlog language-model"
                " set`); meanwhile your models or quotations answer them.",
            )
            for url, why in refused.items()
        ]
    count = sum(tenants.values())
    return [
        ok(
            _PART,
            f"{counted(count, 'tenant')} with one, at addresses that may be asked"
            if count
            else "there are none",
        )
    ]
