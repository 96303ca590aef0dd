"""What a hostile tenant, provider, colleague or page makes of single sign-on: nothing."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from api_scene import Client, client_of, problem
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from hint_scene import with_settings
from joserfc.jwk import RSAKey
from people_scene import PASSWORD, People, new_email, people_at
from provider_scene import Liar, add_sign_on, bearer, begun, through, through_liar

from knowlog.bootstrap import App
from knowlog.database import Database, Scope


@pytest.fixture(scope="module")
def lied_to(app: App, lying: Liar) -> FastAPI:
    """The application, which may reach the liar."""
    return with_settings(
        app, public_url="https://knowlog.test", sign_on_private_hosts={f"127.0.0.1:{lying.port}"}
    )


@pytest.fixture
async def mallory(lied_to: FastAPI, charlie: Client) -> AsyncIterator[Client]:
    """The owner of another tenant, who runs the provider."""
    async with through(lied_to, charlie) as client:
        yield client


@pytest.fixture
async def crowd(lied_to: FastAPI, database: Database) -> AsyncIterator[People]:
    """People, at that application."""
    async with people_at(lied_to, database) as made:
        yield made


async def lied(browser: Client, made: dict[str, Any], **more: str) -> httpx.Response:
    """Sign in by the liar; returns the answer at the end."""
    return await browser.get(through_liar(await begun(browser, made["start"]), **more))


async def test_a_hostile_tenant_gains_nothing_of_a_person_elsewhere(
    liar: Liar,
    lied_to: FastAPI,
    alice: Client,
    mallory: Client,
    crowd: People,
    tenant: Scope,
    other_tenant: Scope,
) -> None:
    """Its provider says that somebody is Vera, whose address is verified. Vera has a password, and another tenant."""
    email = new_email("vera")
    await crowd.joined(alice, tenant, email, "owner")
    vera, _ = await crowd.signed_in(email)
    made = await add_sign_on(mallory, "company", liar.issuer, default_role="admin")
    liar.claims = {"email": email, "email_verified": True}
    opened = (await lied(crowd.browser(), made)).json()
    assert opened["tenant_id"] == str(other_tenant.tenant_id)
    false_vera = bearer(lied_to, opened)
    assert (await false_vera.get("/v1/sessions/current")).json()["memberships"] is None
    problem(
        await false_vera.post("/v1/sessions:switch", json={"tenant_id": str(tenant.tenant_id)}),
        403,
        "forbidden",
    )
    new = {"password": PASSWORD, "new_password": "another horse battery staple"}
    problem(await false_vera.put("/v1/password", json=new), 403, "forbidden")
    problem(await false_vera.post("/v1/second-factor", json={"password": PASSWORD}), 403, "forbidden")
    problem(await false_vera.post("/v1/second-factor:confirm", json={"code": "000000"}), 403, "forbidden")
    removal = {"password": PASSWORD, "code": "000000"}
    problem(await false_vera.post("/v1/second-factor:remove", json=removal), 403, "forbidden")
    assert (await false_vera.delete("/v1/sessions")).status_code == 204
    assert (await vera.get("/v1/collections")).status_code == 200


async def test_a_hostile_tenant_does_not_draw_a_person_to_itself(
    liar: Liar,
    alice: Client,
    mallory: Client,
    crowd: People,
    database: Database,
    tenant: Scope,
    other_tenant: Scope,
) -> None:
    """Said to have been there a moment ago, and with sign-on enforced: Vera's password leads where it did, and so does
    the mail with which she sets it anew.
    """
    email = new_email("vera")
    await crowd.joined(alice, tenant, email)
    await crowd.signed_in(email)
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.claims = {"email": email, "email_verified": True}
    assert (await lied(crowd.browser(), made)).status_code == 200
    _, opened = await crowd.signed_in(email)
    assert opened["tenant_id"] == str(tenant.tenant_id)
    assert (await mallory.patch("/v1/sign-on/company", json={"enforced": True})).status_code == 200
    _, opened = await crowd.signed_in(email)
    assert opened["tenant_id"] == str(tenant.tenant_id)
    await crowd.browser().post("/v1/password-resets", json={"email": email})
    async with database.transaction(other_tenant) as connection:
        mails = "select count(*) from events where tenant_id = tenant() and type = 'mail.requested'"
        assert await connection.fetchval(mails) == 0


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "unverified": ({"email": "eve@example.com", "email_verified": False}, "no e-mail address of yours"),
    "says nothing": ({"email": "eve@example.com"}, "no e-mail address of yours that is verified"),
    "verified in words": ({"email": "eve@example.com", "email_verified": "true"}, "no e-mail address of yours"),
    "no address": ({}, "no e-mail address of yours"),
    "a list": ({"email": ["eve@example.com"], "email_verified": True}, "no e-mail address of yours"),
    "another domain": ({"email": "eve@evil.example", "email_verified": True}, "a domain that this sign-on is not for"),
    "a domain below": ({"email": "eve@sub.example.com", "email_verified": True}, "a domain that this sign-on is not for"),
    "a look-alike": ({"email": "eve@ex\u0430mple.com", "email_verified": True}, "no e-mail address of yours"),
    "two addresses": ({"email": "eve@evil.example, eve@example.com", "email_verified": True}, "no e-mail address"),
    "more groups than told": (
        {"email": "eve@example.com", "email_verified": True, "_claim_names": {"groups": "src1"}}, "more groups",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
async def test_who_is_not_let_in_leaves_no_trace_but_a_record(
    liar: Liar, mallory: Client, crowd: People, name: str
) -> None:
    """No member, no group, no session; the audit log knows why."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    before = (await mallory.get("/v1/members")).json()
    liar.claims, words = CLAIMS[name]
    refused = problem(await lied(crowd.browser(), made), 403, "not-let-in")
    assert words in str(refused["detail"])
    assert (await mallory.get("/v1/members")).json() == before
    (record,) = (await mallory.get("/v1/audit", params={"action": "sign_on.refused"})).json()["items"]
    assert record["detail"] == {"result": "not_let_in", "reason": refused["detail"]}


async def test_members_alone_come_in_where_that_is_wanted(liar: Liar, mallory: Client, crowd: People) -> None:
    """And those alone who are in a group that has a role."""
    made = await add_sign_on(mallory, "company", liar.issuer, creates_members=False)
    liar.claims = {"email": new_email("eve"), "email_verified": True, "groups": ["others"]}
    assert "no member" in str(problem(await lied(crowd.browser(), made), 403, "not-let-in")["detail"])
    terms = {"creates_members": True, "default_role": "none", "roles": {"staff": "reader"}}
    assert (await mallory.patch("/v1/sign-on/company", json=terms)).status_code == 200
    assert "none of the groups" in str(
        problem(await lied(crowd.browser(), made), 403, "not-let-in")["detail"]
    )
    liar.claims["groups"] = "staff"
    assert (await lied(crowd.browser(), made)).status_code == 200


async def test_a_second_account_with_an_address_is_not_its_member(
    liar: Liar, mallory: Client, crowd: People
) -> None:
    """An address that a colleague had before is given to somebody new: they do not become that colleague."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.claims = {"email": new_email("eve"), "email_verified": True}
    assert (await lied(crowd.browser(), made)).status_code == 200
    liar.claims["sub"] = "another"
    assert "Another account" in str(problem(await lied(crowd.browser(), made), 403, "not-let-in")["detail"])


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "another"}},
    "another issuer": {"claims": {"iss": "https://login.example.com"}},
    "another client": {"claims": {"aud": "another"}},
    "over": {"claims": {"exp": 1}},
    "another access token": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "another key": {"key": RSAKey.generate_key(2048, {"kid": "liar"})},
    "a key of its own": {"header": {"kid": "own"}},
    "no token": {"tokens": {"id_token": None}},
    "a list": {"tokens": {"id_token": ["x"]}},
    "not signed": {"tokens": {"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."}},
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_id_token_that_is_not_for_this_sign_in_opens_nothing(
    liar: Liar, mallory: Client, crowd: People, lie: str
) -> None:
    """Whatever the provider sends: the answer is 401, and nobody becomes a member."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    browser = crowd.browser()
    address = await begun(browser, made["start"])
    liar.discovery = {"jwks_uri": f"{liar.issuer}/jwks"}
    good = {"email": new_email("eve"), "email_verified": True}
    liar.claims = {**good, **LIES[lie].get("claims", {})}
    liar.header, liar.tokens = LIES[lie].get("header", {}), LIES[lie].get("tokens", {})
    if "key" in LIES[lie]:
        await browser.get(
            through_liar(await begun(browser, made["start"]), code="x")
        )  # the keys are known by now
        liar.key = LIES[lie]["key"]
    refused = problem(await browser.get(through_liar(address)), 401, "sign-on-failed")
    assert str(refused["detail"]).startswith("The ID token of your provider is refused")
    assert (await mallory.get("/v1/members")).json()["items"] == []


async def test_what_userinfo_says_of_somebody_else_is_not_believed(
    liar: Liar, mallory: Client, crowd: People
) -> None:
    """Neither another subject's claims, nor that another address than the ID token's is verified."""
    liar.discovery = {"userinfo_endpoint": f"{liar.issuer}/userinfo"}
    made = await add_sign_on(mallory, "company", liar.issuer)
    good = {"email": new_email("eve"), "email_verified": True}
    liar.userinfo = {"sub": "somebody", **good}
    problem(await lied(crowd.browser(), made), 401, "sign-on-failed")
    liar.claims, liar.userinfo = {"email": new_email("eve")}, {"sub": "mallory", **good}
    problem(await lied(crowd.browser(), made), 403, "not-let-in")
    liar.claims = {}
    assert (await lied(crowd.browser(), made)).status_code == 200


async def test_a_sign_in_is_finished_once_in_the_browser_that_began_it(
    liar: Liar, mallory: Client, crowd: People, database: Database, other_tenant: Scope
) -> None:
    """Not with the address alone, not by another browser, not twice, not at another sign-on, not too late."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    await add_sign_on(mallory, "another", liar.issuer)
    liar.claims = {"email": new_email("eve"), "email_verified": True}
    here, there = crowd.browser(), crowd.browser()
    led_back = through_liar(await begun(here, made["start"]))
    await begun(there, made["start"])
    for browser in (crowd.browser(), there):
        problem(await browser.get(led_back), 401, "sign-on-failed")
    problem(await here.get(led_back.replace("/company/", "/another/")), 401, "sign-on-failed")
    problem(await here.get(led_back.replace("state=", "state=x")), 401, "sign-on-failed")
    assert liar.forms == []
    assert (await here.get(led_back)).status_code == 200
    problem(await here.get(led_back), 401, "sign-on-failed")
    late = through_liar(await begun(here, made["start"]))
    async with database.transaction(other_tenant) as connection:
        await connection.execute("update sign_on_attempts set expires_at = now() - interval '1 second'")
    problem(await here.get(late), 401, "sign-on-failed")
    assert len(liar.forms) == 1


async def test_another_provider_cannot_answer_for_the_one_that_was_asked(
    liar: Liar, mallory: Client, crowd: People
) -> None:
    """Who names itself otherwise, or not at all where it promised to, is refused before the code is redeemed."""
    liar.discovery = {"authorization_response_iss_parameter_supported": True}
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.claims = {"email": new_email("eve"), "email_verified": True}
    problem(await lied(crowd.browser(), made, iss="https://evil.example"), 401, "sign-on-failed")
    problem(await lied(crowd.browser(), made), 401, "sign-on-failed")
    said = {"error": "access_denied", "iss": liar.issuer, "error_description": "<script>"}
    refused = problem(await lied(crowd.browser(), made, **said), 401, "sign-on-failed")
    assert "access_denied" in str(refused["detail"])
    assert liar.forms == []
    assert (await lied(crowd.browser(), made, iss=liar.issuer)).status_code == 200


async def test_state_nonce_and_verifier_are_new_each_time_and_kept_nowhere(
    liar: Liar, mallory: Client, crowd: People, database: Database, other_tenant: Scope
) -> None:
    """The database has hashes, the address has no verifier; the provider gets the one that belongs to the challenge."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.claims = {"email": new_email("eve"), "email_verified": True}
    browser = crowd.browser()
    addresses = [await begun(browser, made["start"]) for _ in range(3)]
    asked = [
        {name: values[0] for name, values in parse_qs(urlsplit(each).query).items()} for each in addresses
    ]
    assert all(len({each[name] for each in asked}) == 3 for name in ("state", "nonce", "code_challenge"))
    assert {each["code_challenge_method"] for each in asked} == {"S256"}
    assert (await browser.get(through_liar(addresses[0]))).status_code == 200
    (verifier,) = liar.forms[0]["code_verifier"]
    async with database.transaction(other_tenant) as connection:
        kept = str(
            await connection.fetch("select to_jsonb(a) from sign_on_attempts a where tenant_id = tenant()")
        )
    secret = str(browser.cookies.get("__Host-knowlog-sign-on"))
    assert not any(each in kept for each in (verifier, secret, asked[1]["state"], asked[1]["nonce"]))
    assert not any(verifier in each or secret in each for each in addresses)


@pytest.mark.parametrize(
    "path",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:x", "\\/evil", "evil",
     "/\t/evil.example", "javascript:alert(1)", "/ /evil", "///evil.example", "/\u2028"],
)  # fmt: skip
async def test_nobody_is_led_to_another_server(liar: Liar, mallory: Client, crowd: People, path: str) -> None:
    """Where a browser goes on to is a path of this one."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.claims = {"email": new_email("eve"), "email_verified": True}
    browser = crowd.browser()
    answer = await browser.get(made["start"], params={"return_to": path})
    if answer.status_code == 303:  # a harmless path: percent signs are no line breaks
        answer = await browser.get(through_liar(answer.headers["location"]))
        assert httpx.URL("https://knowlog.test/").join(answer.headers["location"]).host == "knowlog.test"
    else:
        assert answer.status_code == 422


async def test_a_forged_host_does_not_become_the_address_to_come_back_to(
    liar: Liar, mallory: Client, crowd: People
) -> None:
    """It is the installation's own."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = await crowd.browser().get(httpx.URL(made["start"]).raw_path.decode(), headers=forged)
    (led_to,) = parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"]
    assert led_to == made["redirect_uri"] == f"{made['start']}/callback"
    assert led_to.startswith("https://knowlog.test/v1/sign-on/")


async def test_a_provider_inside_the_network_is_not_called(liar: Liar, app: App, charlie: Client) -> None:
    """By no writing of its address, unless the operator allows it; nor without TLS."""
    api = with_settings(app, public_url="https://knowlog.test")
    async with through(api, charlie) as mallory:
        plain = {"name": "plain", "issuer": liar.issuer, "client_id": "x", "domains": ["example.com"]}
        problem(await mallory.post("/v1/sign-on", json=plain), 422, "invalid")
        hosts = (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "169.254.169.254",
            "10.0.0.1",
        )
        for number, host in enumerate(hosts):
            name = f"inside-{number}"
            await add_sign_on(mallory, name, f"https://{host}")
            look = (await mallory.post(f"/v1/sign-on/{name}/provider/check")).json()
            assert "no public address" in look["problem"], host
        await add_sign_on(mallory, "port", f"https://127.0.0.1:{liar.port}")
        assert (
            "may not be called" in (await mallory.post("/v1/sign-on/port/provider/check")).json()["problem"]
        )
    assert liar.asked == []


DISCOVERIES: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"issuer": "https://evil.example"}, "calls itself"),
    "no PKCE": ({"code_challenge_methods_supported": ["plain"]}, "S256"),
    "secrets as keys": ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "RS256"),
    "no code": ({"response_types_supported": ["id_token"]}, "code"),
    "a token endpoint inside": ({"token_endpoint": "http://127.0.0.1:5432/"}, "https"),
    "keys in a file": ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
    "a script": ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
    "no endpoint": ({"token_endpoint": None}, "token_endpoint"),
    "a login in it": ({"token_endpoint": "https://a:b@example.com"}, "token_endpoint"),
}


@pytest.mark.parametrize("name", DISCOVERIES)
async def test_a_provider_by_which_nobody_could_sign_in_safely_is_not_used(
    liar: Liar, mallory: Client, crowd: People, name: str
) -> None:
    """A check says what is wrong with it, and a sign-in is not begun."""
    liar.discovery, words = DISCOVERIES[name]
    made = await add_sign_on(mallory, "company", liar.issuer)
    look = (await mallory.post("/v1/sign-on/company/provider/check")).json()
    assert words in look["problem"]
    problem(await crowd.browser().get(made["start"]), 503, "provider-trouble")
    assert set(liar.asked) == {".well-known/openid-configuration"}


async def test_a_provider_that_redirects_or_floods_gets_no_secret(
    liar: Liar, mallory: Client, crowd: People
) -> None:
    """Its answers are read as they are, up to half a MiB."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.answers["token"] = RedirectResponse(f"{liar.issuer}/elsewhere", 307)
    problem(await lied(crowd.browser(), made), 503, "provider-trouble")
    assert "elsewhere" not in liar.asked
    liar.answers["token"] = RedirectResponse("/", 200)
    liar.answers["token"].body = b"x" * 600_000
    liar.answers["token"].headers["content-length"] = "600000"
    told = problem(await lied(crowd.browser(), made), 503, "provider-trouble")
    assert "more than 524,288 bytes" in str(told["detail"])


async def test_tokens_with_unknown_keys_do_not_make_us_ask_again_and_again(
    liar: Liar, mallory: Client, crowd: People
) -> None:
    """The keys are read when first needed, and once more for a name that is not among them."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    liar.header = {"kid": "unheard of"}
    for _ in range(4):
        problem(await lied(crowd.browser(), made), 401, "sign-on-failed")
    assert (liar.asked.count("jwks"), liar.asked.count(".well-known/openid-configuration")) == (2, 1)
    liar.header, liar.claims = {}, {"email": new_email("eve"), "email_verified": True}
    assert (await lied(crowd.browser(), made)).status_code == 200
    assert liar.asked.count("jwks") == 2


async def test_sign_ins_are_begun_only_so_often_from_an_address(
    liar: Liar, mallory: Client, crowd: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is 429, and others go on."""
    monkeypatch.setattr("knowlog.tenants.sign_on.flow._BEGUN_AN_HOUR", 3)
    made = await add_sign_on(mallory, "company", liar.issuer)
    browser = crowd.browser()
    for _ in range(3):
        await begun(browser, made["start"])
    problem(await browser.get(made["start"]), 429, "limit-reached")
    await begun(crowd.browser(), made["start"])


async def test_results_are_counted(lied_to: FastAPI, liar: Liar, mallory: Client, crowd: People) -> None:
    """By how they ended; no tenant is named."""
    made = await add_sign_on(mallory, "company", liar.issuer)
    await lied(crowd.browser(), made)
    liar.claims = {"email": new_email("eve"), "email_verified": True}
    await lied(crowd.browser(), made)
    await lied(crowd.browser(), made, state="x")
    async with client_of(lied_to, "the-operator-of-these-tests") as operator:
        figures = (await operator.get("/metrics")).text
    for result in ("opened", "not_let_in", "stale"):
        assert f'knowlog_sign_ons_total{{result="{result}"}}' in figures
