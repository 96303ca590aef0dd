"""Pages of other origins: which may call for a tenant."""

import httpx
import pytest
from api_scene import Client, problem
from fastapi import FastAPI
from hint_scene import BASE, Named

APP = "https://app.example.com"
EVIL = "https://evil.example"


@pytest.fixture
async def listed(alice: Client) -> Client:
    """Alice, whose tenant lists the origin of her application."""
    assert (await alice.post("/v1/origins", json={"origin": f"{APP.upper()}:443/"})).json()["origin"] == APP
    return alice


async def preflight(client: Client, path: str, origin: str) -> httpx.Response:
    """What a browser asks before it lets a page call."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    headers = {name: value for name, value in client.headers.items() if name != "authorization"}
    return await client.request("OPTIONS", path, headers={**headers, **asked})


def granted(answer: httpx.Response) -> tuple[str | None, str | None]:
    """The origin that may read an answer, and whether with cookies."""
    return (
        answer.headers.get("access-control-allow-origin"),
        answer.headers.get("access-control-allow-credentials"),
    )


async def test_a_page_of_a_listed_origin_reads_the_answer(listed: Client) -> None:
    """Exactly that origin, with cookies, and refusals too."""
    for path, status in (("/v1/collections", 200), ("/v1/collections/nothing", 404)):
        answer = await listed.get(path, headers={"Origin": APP})
        assert (answer.status_code, granted(answer)) == (status, (APP, "true"))
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    [
        EVIL,
        "null",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
    ],
)
async def test_a_page_of_another_origin_changes_and_reads_nothing(listed: Client, origin: str) -> None:
    """The call itself is refused, so that even one that needs no preflight has no effect."""
    answer = await listed.post("/v1/collections", json={"name": "evil"}, headers={"Origin": origin})
    problem(answer, 403, "forbidden")
    assert granted(answer) == (None, None)
    assert [each["name"] for each in (await listed.get("/v1/collections")).json()["items"]] == ["handbook"]


async def test_another_tenants_list_lets_nobody_in(listed: Client, charlie: Client) -> None:
    """Each tenant has a list of its own."""
    problem(await charlie.get("/v1/collections", headers={"Origin": APP}), 403, "forbidden")


async def test_this_servers_own_pages_may_call(alice: Client) -> None:
    """The documentation page, by its address or as the browser says it."""
    own = str(alice.base_url).rstrip("/")
    assert (await alice.get("/v1/collections", headers={"Origin": own})).status_code == 200
    behind_a_proxy = {"Origin": "https://public.example", "Sec-Fetch-Site": "same-origin"}
    assert (await alice.get("/v1/collections", headers=behind_a_proxy)).status_code == 200


async def test_a_preflight_tells_nothing_of_what_exists(listed: Client) -> None:
    """Every path and origin gets the same answer, without cookies."""
    paths = (
        "/v1/collections",
        "/v1/documents/00000000-0000-0000-0000-000000000000",
        "/v1/nothing",
        "/v1/tenants",
    )
    answers = [await preflight(listed, path, origin) for path in paths for origin in (APP, EVIL)]
    told = {(each.status_code, tuple(sorted(set(each.headers.items()) - _own(each)))) for each in answers}
    assert len(told) == 1
    assert (answers[0].status_code, granted(answers[0])) == (204, ("*", None))


async def test_at_a_tenants_address_the_preflight_follows_its_list(
    anna: Named,
    hinting: FastAPI,
    listed: Client,
) -> None:
    """Only a listed origin may send cookies; a tenant that is not there looks like one that lists nothing."""
    transport = httpx.ASGITransport(app=hinting)
    told = {}
    for slug in (anna.slug, "nobody"):
        async with Client(transport=transport, base_url=f"http://{slug}.{BASE}") as http:
            for origin in (APP, EVIL):
                answer = await preflight(http, "/v1/collections", origin)
                told[slug, origin] = (answer.status_code, granted(answer), answer.headers["vary"])
    refused = (204, (None, None), "Origin")
    assert told.pop((anna.slug, APP))[1] == (APP, "true")
    assert set(told.values()) == {refused}


async def test_the_operator_is_served_by_no_other_page(operator: Client) -> None:
    """Nobody lists origins for the operator."""
    problem(await operator.get("/v1/tenants", headers={"Origin": APP}), 403, "forbidden")


async def test_a_struck_origin_is_refused_at_once(listed: Client) -> None:
    """From the next request on."""
    assert (await listed.delete("/v1/origins", params={"origin": APP})).status_code == 204
    problem(await listed.get("/v1/collections", headers={"Origin": APP}), 403, "forbidden")
    problem(await listed.delete("/v1/origins", params={"origin": APP}), 404, "not-found")


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.example.com", "https://example.com/path", "http://example.com", "null", "file://", "example.com",
     "https://user@example.com", "https://example.com:99999", "https://a b"],
)  # fmt: skip
async def test_only_exact_origins_are_listed(alice: Client, origin: str) -> None:
    """No pattern, no path, and http on one's own machine alone."""
    problem(await alice.post("/v1/origins", json={"origin": origin}), 422, "invalid")
    assert (await alice.get("/v1/origins")).json()["items"] == []


async def test_origins_are_for_admins(bob: Client, listed: Client) -> None:
    """A reader neither sees nor changes them."""
    problem(await bob.get("/v1/origins"), 403, "forbidden")
    problem(await bob.post("/v1/origins", json={"origin": EVIL}), 403, "forbidden")


def _own(answer: httpx.Response) -> set[tuple[str, str]]:
    """Headers that differ from request to request."""
    return {item for item in answer.headers.items() if item[0] == "x-request-id"}
