"""/v1/sign-on: what owners set, and what nobody reads back."""

from typing import Any

import pytest
from api_scene import Client, MakeClient, problem
from provider_scene import add_sign_on

from knowlog.database import Scope

ISSUER = "https://login.example.com"
SECRET = "sk-canary-91c7-sign-on"


async def test_the_secret_is_kept_and_never_shown(alice: Client) -> None:
    """Not by the sign-on, not in the audit log; the rest is as it was set."""
    made = await add_sign_on(
        alice, "company", ISSUER, client_secret=SECRET, domains=["Example.COM", "example.org"]
    )
    assert made["sign_on"]["domains"] == ["example.com", "example.org"]
    assert made["redirect_uri"].endswith("/company/callback")
    await alice.patch("/v1/sign-on/company", json={"client_secret": f"{SECRET}-new", "session_hours": 8})
    pages = [await alice.get(path) for path in ("/v1/sign-on", "/v1/sign-on/company", "/v1/audit")]
    assert (pages[1].json()["sign_on"]["has_secret"], pages[1].json()["sign_on"]["session_hours"]) == (
        True,
        8,
    )
    assert not any(SECRET in page.text for page in pages)
    problem(await alice.post("/v1/sign-on", json={"name": "company", "issuer": ISSUER, "client_id": "x",
                                                  "domains": ["example.com"]}), 409, "conflict")  # fmt: skip


@pytest.mark.parametrize(
    "terms",
    [{"issuer": "http://login.example.com"}, {"issuer": "https://login.example.com/?x"}, {"issuer": "ftp://example.com"},
     {"issuer": "https://a:b@login.example.com"}, {"name": "Company"}, {"name": "a/b"}, {"domains": []},
     {"domains": ["com"]}, {"domains": ["exa mple.com"]}, {"client_id": ""}, {"scopes": ["a b"]},
     {"default_role": "owner"}, {"roles": {"x": "owner"}},
     {"default_role": "none"}, {"groups": {"x": "a/b"}}, {"groups_claim": ""}, {"session_hours": 0}, {"unknown": 1},
     {"client_secret": ""}, {"roles": {"\u0000": "reader"}}],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_is_refused_and_changes_nothing(alice: Client, terms: dict[str, Any]) -> None:
    """In one sentence."""
    good = {"name": "company", "issuer": ISSUER, "client_id": "knowlog", "domains": ["example.com"]}
    refused = await alice.post("/v1/sign-on", json={**good, **terms})
    assert refused.status_code == 422
    assert (await alice.get("/v1/sign-on")).json()["items"] == []


async def test_owners_alone_manage_it_and_strangers_see_nothing(
    alice: Client, charlie: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Admins may look; a key that is limited to some collections may not."""
    await add_sign_on(alice, "company", ISSUER)
    admin, reader = await make_client(tenant, "admin"), await make_client(tenant, "reader")
    handbook = (await alice.get("/v1/collections/handbook")).json()["collection_id"]
    limited = await make_client(tenant, "owner", [handbook])
    assert (await admin.get("/v1/sign-on/company")).status_code == 200
    for caller in (admin, reader):
        problem(await caller.patch("/v1/sign-on/company", json={"default_role": "admin"}), 403, "forbidden")
        problem(await caller.delete("/v1/sign-on/company"), 403, "forbidden")
    for path in ("/v1/sign-on", "/v1/sign-on/company"):
        problem(await reader.get(path), 403, "forbidden")
        problem(await limited.get(path), 403, "forbidden")
    problem(await limited.delete("/v1/sign-on/company"), 403, "forbidden")
    absent = problem(await charlie.get("/v1/sign-on/company"), 404, "not-found")
    assert absent["detail"] == problem(await charlie.get("/v1/sign-on/nothing"), 404, "not-found")["detail"]
    problem(await charlie.delete("/v1/sign-on/company"), 404, "not-found")


async def test_a_group_is_filled_by_one_sign_on(alice: Client) -> None:
    """One that is there is handed over, one that is not is made; what is not named any more is left as it is."""
    await alice.post("/v1/groups", json={"name": "service"})
    made = await add_sign_on(
        alice, "company", ISSUER, groups={"s-1": "service", "s-2": "service", "sales": "sales"}
    )
    assert made["sign_on"]["groups"] == {"s-1": "service", "s-2": "service", "sales": "sales"}
    terms = {"client_id": "x", "domains": ["example.com"], "groups": {"x": "service"}}
    taken = await alice.post("/v1/sign-on", json={"name": "other", "issuer": ISSUER, **terms})
    assert "filled by another" in str(problem(taken, 409, "conflict")["detail"])
    problem(await alice.get("/v1/sign-on/other"), 404, "not-found")
    changed = await alice.patch("/v1/sign-on/company", json={"groups": {"sales": "sales"}})
    assert changed.json()["sign_on"]["groups"] == {"sales": "sales"}
    assert (await alice.get("/v1/groups/service")).status_code == 200
