"""A provider tells that somebody has signed out there: their sessions end, and nobody else's."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from api_scene import Client, problem
from fastapi import FastAPI
from hint_scene import with_settings
from joserfc import jws
from joserfc.jwk import RSAKey
from people_scene import People, new_email, people_at
from provider_scene import KEY, Liar, add_sign_on, bearer, begun, served, through, through_liar

from knowlog.bootstrap import App
from knowlog.database import Database, Scope
from openid_provider import Provider, a_browser, free_port, sign_out_in, through_provider_in

EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A real provider, which tells its clients who has signed out."""
    made = Provider(Path(tmp_path_factory.mktemp("provider")))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def told(app: App, lying: Liar, telling: Provider) -> FastAPI:
    """The application, which may reach both providers."""
    hosts = {f"127.0.0.1:{each.port}" for each in (lying, telling)}
    return with_settings(app, public_url="https://knowlog.test", sign_on_private_hosts=hosts)


@pytest.fixture
async def owner(told: FastAPI, alice: Client) -> AsyncIterator[Client]:
    """Alice, at that application."""
    async with through(told, alice) as client:
        yield client


@pytest.fixture
async def stranger(told: FastAPI, charlie: Client) -> AsyncIterator[Client]:
    """Charlie, at that application."""
    async with through(told, charlie) as client:
        yield client


@pytest.fixture
async def crowd(told: FastAPI, database: Database) -> AsyncIterator[People]:
    """People, at that application."""
    async with people_at(told, database) as made:
        yield made


@pytest.fixture
async def made(owner: Client, liar: Liar) -> dict[str, Any]:
    """Alice's sign-on, by the provider that says what it is told to."""
    return await add_sign_on(owner, "company", liar.issuer)


async def opened(
    crowd: People, liar: Liar, made: dict[str, Any], subject: str, session: str | None
) -> Client:
    """A session of an account, in a session at the provider."""
    liar.claims = {"sub": subject, "email": f"{subject}@example.com", "email_verified": True}
    liar.claims |= {"sid": session} if session else {}
    browser = crowd.browser()
    answer = await browser.get(through_liar(await begun(browser, made["start"])))
    assert answer.status_code == 200, answer.text
    return bearer(crowd.api, answer.json())


def logout_token(liar: Liar, key: RSAKey = KEY, kind: str = "logout+jwt", **claims: Any) -> str:
    """What the provider says of a sign-out."""
    now = int(time())
    said = {
        "iss": liar.issuer,
        "aud": "knowlog",
        "iat": now,
        "exp": now + 120,
        "jti": uuid4().hex,
        "events": EVENT,
        **claims,
    }
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    head = {"alg": "RS256", "kid": "liar", "typ": kind}
    return jws.serialize_compact(head, json.dumps(said), key, registry=registry)


async def tell(crowd: People, made: dict[str, Any], token: str) -> httpx.Response:
    """The provider tells."""
    return await crowd.browser().post(urlsplit(made["logout_uri"]).path, data={"logout_token": token})


async def statuses(*sessions: Client) -> list[int]:
    """What the next call of each is answered."""
    return [(await each.get("/v1/collections")).status_code for each in sessions]


async def test_who_signs_out_at_a_real_provider_is_out_here_at_once(
    telling: Provider, told: FastAPI, owner: Client, crowd: People
) -> None:
    """In the browser in which they did; in another one they are in another session, and go on."""
    telling.users({"bob": {"email": new_email("bob"), "email_verified": True}})
    made = await add_sign_on(owner, "company", telling.issuer)
    assert (await owner.post("/v1/sign-on/company/provider/check")).json()["tells_of_logout"]
    port = free_port()
    server, task = await served(told, port)
    logout = f"http://127.0.0.1:{port}{urlsplit(made['logout_uri']).path}"
    client = await telling.registered(
        made["redirect_uri"], backchannel_logout_uri=logout, backchannel_logout_session_required=True
    )
    await owner.patch("/v1/sign-on/company", json=client)
    async with a_browser() as here, a_browser() as there:
        sessions = []
        for window in (here, there):
            browser = crowd.browser()
            back = await through_provider_in(window, await begun(browser, made["start"]), "bob")
            sessions.append(bearer(told, (await browser.get(back)).json()))
        assert await statuses(*sessions) == [200, 200]
        await sign_out_in(here, telling)
    assert await statuses(*sessions) == [401, 200]
    server.should_exit = True
    await task


async def test_a_logout_ends_the_sessions_that_it_names(
    crowd: People, liar: Liar, made: dict[str, Any], owner: Client
) -> None:
    """Of one session at the provider, of an account, of both; one that the provider never named ends with its account."""
    one, two, unnamed = [await opened(crowd, liar, made, "bob", session) for session in ("s1", "s2", None)]
    other = await opened(crowd, liar, made, "eve", "s3")
    told = await tell(crowd, made, logout_token(liar, sid="s1"))
    assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
    assert await statuses(one, two, unnamed, other) == [401, 200, 200, 200]
    await tell(crowd, made, logout_token(liar, sid="s3", sub="bob"))
    assert await statuses(two, unnamed, other) == [200, 401, 200]
    await tell(crowd, made, logout_token(liar, sub="bob"))
    assert await statuses(two, other) == [401, 200]
    records = (await owner.get("/v1/audit", params={"action": "sign_on.logged_out"})).json()["items"]
    assert [each["detail"]["sessions"] for each in records] == [1, 1, 1]


async def test_a_logout_token_is_good_once(crowd: People, liar: Liar, made: dict[str, Any]) -> None:
    """Who signs in again is not thrown out by what was said before."""
    await opened(crowd, liar, made, "bob", "s1")
    token = logout_token(liar, sub="bob")
    assert (await tell(crowd, made, token)).status_code == 200
    again = await opened(crowd, liar, made, "bob", "s1")
    assert "used before" in str(problem(await tell(crowd, made, token), 400, "logout-refused")["detail"])
    assert await statuses(again) == [200]


FORGED: dict[str, dict[str, Any]] = {
    "another key": {"key": RSAKey.generate_key(2048, {"kid": "liar"})},
    "an ID token": {"kind": "JWT"},
    "another client": {"aud": "another"},
    "another provider": {"iss": "https://evil.example"},
    "a nonce": {"nonce": "n"},
    "old": {"iat": 1, "exp": 2},
    "another event": {"events": {}},
}


@pytest.mark.parametrize("lie", FORGED)
async def test_what_is_no_logout_token_for_us_ends_nothing(
    crowd: People, liar: Liar, made: dict[str, Any], lie: str
) -> None:
    """It is refused with a reason, and the session goes on."""
    bob = await opened(crowd, liar, made, "bob", "s1")
    told = problem(
        await tell(crowd, made, logout_token(liar, sub="bob", **FORGED[lie])), 400, "logout-refused"
    )
    assert str(told["detail"]).endswith("Nobody is signed out.")
    assert await statuses(bob) == [200]


async def test_a_token_for_one_tenant_ends_nothing_in_another(
    crowd: People, liar: Liar, made: dict[str, Any], stranger: Client, other_tenant: Scope
) -> None:
    """Not by the same account at the same provider; a sign-on that is not there is not there."""
    theirs = await add_sign_on(stranger, "company", liar.issuer, client_id="another")
    carla = await opened(crowd, liar, theirs, "bob", "s1")
    problem(await tell(crowd, theirs, logout_token(liar, sub="bob")), 400, "logout-refused")
    assert (await tell(crowd, made, logout_token(liar, sub="bob"))).status_code == 200
    assert await statuses(carla) == [200]
    nowhere = {"logout_uri": f"/v1/sign-on/{uuid4()}/company/logout"}
    problem(await tell(crowd, nowhere, logout_token(liar, sub="bob")), 404, "not-found")


@pytest.mark.parametrize("form", [b"", b"logout_token=a&logout_token=b", b"{}", b"\xff", b"x=1"])
async def test_what_is_no_form_is_refused(crowd: People, made: dict[str, Any], form: bytes) -> None:
    """In one sentence."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await crowd.browser().post(urlsplit(made["logout_uri"]).path, content=form, headers=headers)
    problem(answer, 400, "logout-refused")
