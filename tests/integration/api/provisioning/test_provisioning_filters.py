"""A filter of SQL finds what the library's own evaluation finds."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from provisioning_scene import Provider
from scim2_models import InvalidFilterException, ScimFilter, SearchRequest

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.provisioning.schemas import PROVIDER, User
from knowlog.provisioning.storage import Storage
from knowlog.tenants import operator_principal

_TEXTS = ["userName", "displayName", "name.familyName", "name.givenName", "externalId", "emails", "emails.value",
          "emails.type", "groups.display", "roles", "meta.resourceType", "id", "groups"]  # fmt: skip
_VALUES = ["", "a", "A", "bob", "Hale", "work", "service", "User", "reader", "ann@example.com", "%", "E-1"]
_COMPARED = st.builds(
    lambda name, operator, value: f"{name} {operator} {value}",
    st.sampled_from(_TEXTS),
    st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]),
    st.sampled_from([*(f'"{value}"' for value in _VALUES)]),
)
_OTHERS = st.sampled_from(
    ["active eq true", "active ne true", "active eq null", "displayName eq null", "displayName ne null", "emails pr",
     "name pr", "displayName pr", "groups pr", 'emails[type eq "work" and value co "A"]', "emails.primary eq true",
     'emails[primary eq true or type eq "home"]', "emails[not (type pr)]", 'groups[display sw "S"]',
     "emails.value eq null", 'meta.created gt "2020-01-01T00:00:00Z"',
     'meta.lastModified lt "2020-01-01T00:00:00Z"', "externalId pr"]
)  # fmt: skip
FILTERS = st.recursive(
    _COMPARED | _OTHERS,
    lambda inner: (
        st.builds(lambda a, b, word: f"({a} {word} {b})", inner, inner, st.sampled_from(["and", "or"]))
        | st.builds(lambda a: f"not ({a})", inner)
    ),
    max_leaves=4,
)
PEOPLE: list[dict[str, Any]] = [
    {"userName": "Ann", "emails": [{"value": "ann@example.com", "type": "work", "primary": True}],
     "displayName": "Ann A"},
    {"userName": "bob", "emails": [{"value": "bob@example.com"}, {"value": "b@home.example.com", "type": "home"}],
     "name": {"familyName": "Hale", "givenName": "Bob"}, "externalId": "E-1"},
    {"userName": "carol@example.com", "active": False, "externalId": "e-1", "name": {"familyName": "hale"}},
]  # fmt: skip


async def test_sql_and_evaluation_agree(app: App, provider: Provider, tenant: Scope) -> None:
    """Over every operator, attributes of one value and of several, and, or, not, and values that are absent."""
    made = [(await provider.http.post("/scim/v2/Users", json=each)).json()["id"] for each in PEOPLE]
    await provider.group("Service", made[0], made[1])
    await provider.group("Board", made[1])
    users_type = PROVIDER.resource_types[0]
    found: list[str] = []

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(FILTERS)
    def collect(expression: str) -> None:
        found.append(expression)

    collect()
    async with app.database.transaction(tenant) as connection:
        storage = Storage(connection, operator_principal(tenant.tenant_id))
        with PROVIDER:
            everybody = [await storage.get(users_type, each) for each in made]
            for expression in sorted(set(found)):
                asked = _request(expression)
                wanted = [each.id for each in everybody if ScimFilter[User](expression).match(each)]
                page = await storage.search([users_type], asked)
                assert sorted(each.id or "" for each in page.resources) == sorted(wanted), expression
                assert page.total == len(wanted)


def _request(expression: str) -> Any:
    return SearchRequest[User](filter=expression, start_index=1, count=100)


@pytest.mark.parametrize("expression", ['meta.version eq "x"', 'name eq "x"', 'groups.$ref eq "x"'])
async def test_what_cannot_be_compared_is_told(
    app: App, provider: Provider, tenant: Scope, expression: str
) -> None:
    """Rather than to find nobody."""
    async with app.database.transaction(tenant) as connection:
        storage = Storage(connection, operator_principal(tenant.tenant_id))
        with PROVIDER, pytest.raises(InvalidFilterException):
            await storage.search([PROVIDER.resource_types[0]], _request(expression))
