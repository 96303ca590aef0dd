"""Which tenant a request is meant for: hints of address and headers, against the tenant of the key."""

import httpx
from api_scene import Client, problem
from fastapi import FastAPI
from hint_scene import BASE, Named

from knowlog.database import Scope

OPERATOR_KEY = "the-operator-of-these-tests"


async def test_every_place_may_name_the_tenant(anna: Named, tenant: Scope) -> None:
    """Subdomain, domain, path and header, by slug or by id; and all of them at once."""
    for answer in (
        await anna.get(),
        await anna.get(host=BASE),
        await anna.get(host=f"{anna.slug}.{BASE}"),
        await anna.get(host=f"{anna.slug.upper()}.{BASE.upper()}.:8484"),
        await anna.get(host=f"{anna.slug}.alice.example"),
        await anna.get(f"/t/{anna.slug}/v1/collections"),
        await anna.get(f"/t/{tenant.tenant_id}/v1/collections"),
        await anna.get(X_Knowlog_Tenant=anna.slug),
        await anna.get(
            f"/t/{anna.slug}/v1/collections", f"{anna.slug}.{BASE}", X_Knowlog_Tenant=str(tenant.tenant_id)
        ),
    ):
        assert answer.status_code == 200, answer.text


async def test_a_wrong_hint_and_an_unknown_one_are_told_the_same(
    anna: Named, carl: Named, tenant: Scope, other_tenant: Scope
) -> None:
    """Status and every word: nothing tells whether another tenant is there."""
    answers = [
        await anna.get(host=f"{carl.slug}.{BASE}"),
        await anna.get(host=f"nobody.{BASE}"),
        await anna.get(host=f"two.labels.{BASE}"),
        await anna.get(host=f"{carl.slug}.charlie.example"),
        await anna.get(host="nobody.example"),
        await anna.get(f"/t/{carl.slug}/v1/collections"),
        await anna.get("/t/nobody/v1/collections"),
        await anna.get("/t/%C3%A4/v1/collections"),
        await anna.get(f"/t/{other_tenant.tenant_id}/v1/collections"),
        await anna.get("/t/00000000-0000-0000-0000-000000000000/v1/collections"),
        await anna.get(X_Knowlog_Tenant=carl.slug),
        await anna.get(X_Knowlog_Tenant="nobody"),
        await anna.get(X_Knowlog_Tenant=""),
        await anna.get(f"/t/{carl.slug}/v1/collections", f"{anna.slug}.{BASE}"),
        await anna.get(f"/t/{anna.slug}/v1/collections", X_Knowlog_Tenant=carl.slug),
    ]
    told = {str({**problem(each, 403, "wrong-tenant"), "request_id": ""}) for each in answers}
    assert len(told) == 1


async def test_without_a_key_every_host_answers_alike(hinting: FastAPI, anna: Named) -> None:
    """401 whether the tenant is there or not."""
    stranger = Named(hinting, Client(headers={"Authorization": "Bearer kl_wrong"}), "")
    told = [await stranger.get(host=f"{slug}.{BASE}") for slug in (anna.slug, "nobody")]
    assert [each.status_code for each in told] == [401, 401]
    assert told[0].json()["detail"] == told[1].json()["detail"]


async def test_a_hint_that_the_settings_do_not_take_is_none(api: FastAPI, alice: Client) -> None:
    """By default the key alone names the tenant."""
    plain = Named(api, alice, "")
    assert (await plain.get(host="anything.example", X_Knowlog_Tenant="nobody")).status_code == 200
    problem(await plain.get("/t/nobody/v1/collections"), 404, "not-found")


async def test_a_tenants_address_serves_no_operator(hinting: FastAPI, anna: Named) -> None:
    """What is over all tenants is at an address of none."""
    operator = Named(hinting, Client(headers={"Authorization": f"Bearer {OPERATOR_KEY}"}), "")
    assert (await operator.get("/v1/tenants", BASE)).status_code == 200
    problem(await operator.get("/v1/tenants", f"{anna.slug}.{BASE}"), 403, "wrong-tenant")


async def test_a_forwarded_host_counts_only_from_a_trusted_proxy(anna: Named, carl: Named) -> None:
    """Anybody can send the header; the proxy's is believed."""
    named = f"{carl.slug}.{BASE}"
    assert (await anna.get(peer="203.0.113.9", X_Forwarded_Host=named)).status_code == 200
    problem(await anna.get(peer="10.0.0.1", X_Forwarded_Host=named), 403, "wrong-tenant")
    problem(await anna.get(peer="10.0.0.1", X_Forwarded_Host=f"{anna.slug}.{BASE}, x"), 400, "bad-request")


async def test_health_answers_at_every_host(anna: Named) -> None:
    """Probes know no tenant."""
    for host in (f"{anna.slug}.{BASE}", f"nobody.{BASE}", "nobody.example", "lb.internal.example"):
        assert (await anna.get("/health/live", host)).status_code == 200


async def test_a_place_to_go_to_stays_below_the_tenants_path(
    hinting: FastAPI, anna: Named, alice: Client
) -> None:
    """Location keeps the prefix under which the request came."""
    transport = httpx.ASGITransport(app=hinting)
    async with Client(transport=transport, base_url="http://x", headers=alice.headers) as http:
        made = await http.post(f"/t/{anna.slug}/v1/keys", json={"name": "another"})
    assert made.headers["location"].startswith(f"/t/{anna.slug}/v1/keys/")


async def test_a_stream_asks_for_the_right_tenant_too(anna: Named, carl: Named) -> None:
    """Events are not sent to an address of another tenant."""
    problem(await anna.get("/v1/events/stream", f"{carl.slug}.{BASE}"), 403, "wrong-tenant")


async def test_a_request_has_one_host(anna: Named, hinting: FastAPI) -> None:
    """Two Host headers are two meanings."""
    sent = [("Host", f"{anna.slug}.{BASE}"), ("Host", BASE), ("Authorization", anna._authorization)]
    async with Client(transport=httpx.ASGITransport(app=hinting), base_url="http://x") as http:
        problem(await http.get("/v1/collections", headers=sent), 400, "bad-request")
