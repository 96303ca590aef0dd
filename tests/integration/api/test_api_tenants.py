"""/v1/tenants: for the operator alone."""

import pytest
from api_scene import Client, client_of, problem
from fastapi import FastAPI


async def test_the_operator_creates_a_tenant_with_its_first_key(api: FastAPI, operator: Client) -> None:
    """The secret of the first key opens the new tenant as owner, and is shown this once."""
    made = await operator.post("/v1/tenants", json={"name": "Fernhill"})
    assert made.status_code == 201
    async with client_of(api, made.json()["secret"]) as owner:
        keys = (await owner.get("/v1/keys")).json()["items"]
    assert [key["role"] for key in keys] == ["owner"]
    shown = await operator.get(made.headers["location"])
    assert "secret" not in shown.text


async def test_tenants_are_listed_page_by_page(operator: Client) -> None:
    """The cursor goes through all of them, each once."""
    made = {
        (await operator.post("/v1/tenants", json={"name": f"t{n}"})).json()["tenant"]["tenant_id"]
        for n in range(3)
    }
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await operator.get("/v1/tenants", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        seen += [tenant["tenant_id"] for tenant in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


async def test_a_deleted_tenant_is_gone_with_its_keys(api: FastAPI, operator: Client) -> None:
    """Its key opens nothing any more, and a second delete finds nothing."""
    made = (await operator.post("/v1/tenants", json={"name": "short-lived"})).json()
    place = f"/v1/tenants/{made['tenant']['tenant_id']}"
    assert (await operator.delete(place)).status_code == 204
    problem(await operator.delete(place), 404, "not-found")
    async with client_of(api, made["secret"]) as owner:
        problem(await owner.get("/v1/collections"), 401, "unauthenticated")


async def test_a_tenant_key_is_not_the_operator(alice: Client) -> None:
    """An owner of a tenant manages no tenants."""
    problem(await alice.get("/v1/tenants"), 401, "unauthenticated")
    problem(await alice.post("/v1/tenants", json={"name": "mine"}), 401, "unauthenticated")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\0b", "a\nb"])
async def test_a_name_that_cannot_be_is_refused(operator: Client, name: str) -> None:
    """Empty, long and unprintable names are told so."""
    problem(await operator.post("/v1/tenants", json={"name": name}), 422, "invalid")
