"""/v1/tenants: for the operator alone."""

import logging

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
    assert (await operator.delete(place)).status_code == 200
    problem(await operator.delete(place), 404, "not-found")
    async with client_of(api, made["secret"]) as owner:
        problem(await owner.get("/v1/collections"), 401, "unauthenticated")


async def test_the_operator_issues_a_key_to_a_tenant_that_lost_its_own(
    api: FastAPI, operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It opens the tenant as owner, says who made it, and leaves a line in the log without its secret."""
    made = (await operator.post("/v1/tenants", json={"name": "lost its key"})).json()
    tenant_id = made["tenant"]["tenant_id"]
    with caplog.at_level(logging.WARNING, "knowlog.audit"):
        issued = await operator.post(f"/v1/tenants/{tenant_id}/keys", json={})
    assert issued.status_code == 201
    async with client_of(api, issued.json()["secret"]) as owner:
        keys = (await owner.get("/v1/keys")).json()["items"]
    assert [(key["role"], key["created_by"]) for key in keys] == [("owner", "operator")] * 2
    (line,) = caplog.records
    assert (line.fields["event"], str(line.fields["tenant_id"])) == ("key.issued", tenant_id)  # type: ignore[attr-defined]
    assert issued.json()["secret"] not in str(line.__dict__)


async def test_a_key_is_issued_to_tenants_that_are_there(operator: Client) -> None:
    """An unknown tenant, and a role that is none, are told."""
    nobody = "/v1/tenants/00000000-0000-7000-8000-000000000000/keys"
    problem(await operator.post(nobody, json={}), 404, "not-found")
    made = (await operator.post("/v1/tenants", json={"name": "roles"})).json()
    place = f"/v1/tenants/{made['tenant']['tenant_id']}/keys"
    refused = problem(await operator.post(place, json={"role": "king"}), 422, "invalid")
    assert str(refused["detail"]).startswith("role must be one of reader")


async def test_a_tenant_key_issues_none(api: FastAPI, operator: Client) -> None:
    """Not even an owner's, to its own tenant."""
    made = (await operator.post("/v1/tenants", json={"name": "curious"})).json()
    async with client_of(api, made["secret"]) as owner:
        place = f"/v1/tenants/{made['tenant']['tenant_id']}/keys"
        problem(await owner.post(place, json={}), 401, "unauthenticated")
        assert len((await owner.get("/v1/keys")).json()["items"]) == 1


async def test_a_tenant_key_is_not_the_operator(alice: Client) -> None:
    """An owner of a tenant manages no tenants."""
    problem(await alice.get("/v1/tenants"), 401, "unauthenticated")
    problem(await alice.post("/v1/tenants", json={"name": "mine"}), 401, "unauthenticated")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\0b", "a\nb"])
async def test_a_name_that_cannot_be_is_refused(operator: Client, name: str) -> None:
    """Empty, long and unprintable names are told so."""
    problem(await operator.post("/v1/tenants", json={"name": name}), 422, "invalid")
