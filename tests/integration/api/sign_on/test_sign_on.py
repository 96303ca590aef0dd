"""Single sign-on by a certified provider, through cookies and redirects as a browser has them."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from api_scene import Client, MakeClient, problem
from fastapi import FastAPI
from people_scene import PASSWORD, People, new_email
from provider_scene import bearer, begun, registered_sign_on, served, signed_on

from knowlog.api import create_api
from knowlog.bootstrap import App
from knowlog.cli.doctor.sign_on import check_sign_on
from knowlog.database import Scope
from openid_provider import Provider, free_port, through_provider

SCOPES = ["email", "profile", "groups"]


def user(email: str, *groups: str, **more: Any) -> dict[str, Any]:
    """Claims of somebody whose address is verified."""
    return {"email": email, "email_verified": True, "name": "Bob Hale", "groups": groups, **more}


async def test_who_comes_in_for_the_first_time_becomes_a_member(
    provider: Provider, owner: Client, reaching: FastAPI, crowd: People
) -> None:
    """With the role and the groups that the claims give; the session opens this tenant, for hours."""
    email = new_email("bob")
    provider.users({"bob": user(email, "sales", "unknown")})
    groups = {"sales": "Sales", "board": "Board"}
    terms = {"scopes": SCOPES, "roles": {"sales": "editor"}, "groups": groups, "session_hours": 2}
    made = await registered_sign_on(owner, provider, **terms)
    answer = await signed_on(crowd.browser(), made["start"], "bob")
    assert answer.status_code == 200, answer.text
    bob = bearer(reaching, answer.json())
    present = (await bob.get("/v1/sessions/current")).json()
    member = present["member"]
    (session,) = (await bob.get("/v1/sessions")).json()["items"]
    sales = (await owner.get("/v1/groups/Sales")).json()
    assert (member["email"], member["name"], member["role"]) == (email, "Bob Hale", "editor")
    assert (member["groups"], present["memberships"]) == ([sales["group_id"]], None)
    lasts = datetime.fromisoformat(session["expires_at"]) - datetime.fromisoformat(session["created_at"])
    assert (session["method"], lasts) == ("sign_on", timedelta(hours=2))
    assert [each["name"] for each in (await bob.get("/v1/collections")).json()["items"]] == ["handbook"]
    actions = {
        each["action"] for each in (await owner.get("/v1/audit", params={"limit": 20})).json()["items"]
    }
    assert actions >= {"sign_on.added", "sign_on.linked", "member.added", "group.joined", "session.opened"}


async def test_a_browser_goes_on_with_cookies_that_no_script_reads(
    provider: Provider, owner: Client, crowd: People
) -> None:
    """To a path of this server; what changes something needs the token against forged requests."""
    provider.users({"bob": user(new_email("bob"))})
    made = await registered_sign_on(owner, provider, algorithm="ES256", default_role="editor", scopes=SCOPES)
    browser = crowd.browser()
    answer = await signed_on(browser, made["start"], "bob", return_to="/docs?tab=1#top")
    assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/docs?tab=1#top", b"")
    cookies = {each.name: each for each in browser.cookies.jar}
    assert set(cookies) == {f"__Host-knowlog-{each}" for each in ("access", "refresh", "csrf", "sign-on")}
    assert all(each.secure for each in cookies.values())
    assert (await browser.get("/v1/sessions/current")).json()["member"]["role"] == "editor"
    problem(await browser.delete("/v1/sessions/current"), 403, "forbidden")
    token = {"X-CSRF-Token": str(cookies["__Host-knowlog-csrf"].value)}
    assert (await browser.delete("/v1/sessions/current", headers=token)).status_code == 204


async def test_groups_and_role_are_those_of_the_last_sign_in(
    provider: Provider, owner: Client, reaching: FastAPI, crowd: People
) -> None:
    """Who left a group at the provider leaves it here; a group that the sign-on does not fill is left alone."""
    email = new_email("bob")
    terms = {"scopes": SCOPES, "roles": {"staff": "admin"}, "groups": {"staff": "Staff", "legal": "Legal"}}
    made = await registered_sign_on(owner, provider, algorithm="EdDSA", **terms)
    provider.users({"bob": user(email, "staff", "by hand")})
    opened = (await signed_on(crowd.browser(), made["start"], "bob")).json()
    bob = bearer(reaching, opened)
    await owner.post("/v1/groups", json={"name": "by hand"})
    joined = await owner.post("/v1/groups/by hand/members", json={"members": [opened["member_id"]]})
    assert (await bob.get("/v1/keys")).status_code == 200
    provider.users({"bob": user(email, "legal")})
    again = (await signed_on(crowd.browser(), made["start"], "bob")).json()
    member = (await owner.get(f"/v1/members/{opened['member_id']}")).json()
    legal = (await owner.get("/v1/groups/Legal")).json()["group_id"]
    assert again["member_id"] == opened["member_id"]
    assert (member["role"], set(member["groups"])) == ("reader", {legal, joined.json()["group_id"]})
    problem(await bob.get("/v1/keys"), 403, "forbidden")


async def test_a_member_with_the_address_is_linked_and_found_again_whatever_the_address_becomes(
    provider: Provider, owner: Client, crowd: People, tenant: Scope
) -> None:
    """By the provider's own name of the account. An owner stays one."""
    email = new_email("olga")
    member = await crowd.joined(owner, tenant, email, "owner")
    made = await registered_sign_on(owner, provider, roles={"staff": "editor"}, creates_members=False)
    provider.users({"olga": user(email.upper(), "staff")})
    first = (await signed_on(crowd.browser(), made["start"], "olga")).json()
    provider.users({"olga": user("married@elsewhere.example", "staff")})
    second = (await signed_on(crowd.browser(), made["start"], "olga")).json()
    assert {first["member_id"], second["member_id"]} == {member["member_id"]}
    assert (await owner.get(f"/v1/members/{member['member_id']}")).json()["role"] == "owner"


async def test_enforced_it_is_the_only_way_in_and_a_key_is_the_way_back(
    provider: Provider, owner: Client, crowd: People, tenant: Scope
) -> None:
    """Nobody is locked out by one that never worked; sessions by password end at once."""
    email = new_email("bob")
    await crowd.joined(owner, tenant, email, "owner")
    bob, _ = await crowd.signed_in(email)
    made = await registered_sign_on(owner, provider)
    problem(await owner.patch("/v1/sign-on/company", json={"enforced": True}), 409, "conflict")
    provider.users({"bob": user(email)})
    await signed_on(crowd.browser(), made["start"], "bob")
    assert (await owner.patch("/v1/sign-on/company", json={"enforced": True})).json()["sign_on"]["enforced"]
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    by_password = {"email": email, "password": PASSWORD}
    refused = problem(await crowd.browser().post("/v1/sessions", json=by_password), 403, "sign-on-needed")
    assert refused["sign_on"] == [f"/v1/sign-on/{tenant.tenant_id}/company"]
    assert (await signed_on(crowd.browser(), made["start"], "bob")).status_code == 200
    assert (await owner.patch("/v1/sign-on/company", json={"enforced": False})).status_code == 200
    await crowd.signed_in(email)


async def test_the_provider_may_change_its_keys_at_any_time(
    provider: Provider, owner: Client, crowd: People
) -> None:
    """A token that names a new key is read with it, at once; and one whose claims are all in the ID token."""
    made = await registered_sign_on(owner, provider)
    email = new_email("bob")
    provider.users({"bob": user(email)})
    assert (await signed_on(crowd.browser(), made["start"], "bob")).status_code == 200
    provider.start(generation=2, conformIdTokenClaims=False)
    await owner.patch("/v1/sign-on/company", json=await provider.registered(made["redirect_uri"]))
    provider.users({"bob": user(email)})
    assert (await signed_on(crowd.browser(), made["start"], "bob")).status_code == 200


async def test_the_doctor_asks_each_provider(
    provider: Provider, owner: Client, app: App, tenant: Scope
) -> None:
    """And says of which tenant the one is that does not answer."""
    await registered_sign_on(owner, provider)
    api = app.settings.api.model_copy(
        update={"sign_on_private_hosts": frozenset({f"127.0.0.1:{provider.port}"})}
    )
    found = [each async for each in check_sign_on(replace(app.settings, api=api))]
    assert found[0].outcome == "ok"
    unreachable = [each async for each in check_sign_on(app.settings)]
    named = [each for each in unreachable if each.part == "single sign-on: company of alice"]
    assert named
    assert {each.outcome for each in named} <= {"warn", "fail"}


async def test_over_plain_http_on_ones_own_machine(
    provider: Provider, app: App, make_client: MakeClient, tenant: Scope, crowd: People
) -> None:
    """On a real socket, with cookies that need no TLS, and the address that the browser called."""
    port = free_port()
    api = app.settings.api.model_copy(
        update={"sign_on_private_hosts": frozenset({f"127.0.0.1:{provider.port}"}), "port": port}
    )
    people = app.settings.people.model_copy(update={"insecure_cookies": True})
    server, task = await served(
        create_api(replace(app, settings=replace(app.settings, api=api, people=people))), port
    )
    key = (await make_client(tenant, "owner")).headers["authorization"]
    provider.users({"bob": user(new_email("bob"))})
    async with Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
        async with Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": key}) as owner:
            made = await registered_sign_on(owner, provider, "home")
        assert made["start"].startswith(f"http://127.0.0.1:{port}/v1/sign-on/")
        led_back = await through_provider(await begun(browser, made["start"], return_to="/docs"), "bob")
        assert (await browser.get(led_back)).status_code == 303
        assert (await browser.get("/v1/sessions/current")).json()["member"]["role"] == "reader"
    server.should_exit = True
    await task


@pytest.mark.parametrize("change", ["remove", "disable"])
async def test_what_is_taken_back_holds_from_the_next_call(
    provider: Provider, owner: Client, reaching: FastAPI, crowd: People, change: str
) -> None:
    """Of the sign-on, or of the member: its sessions are over, and the next sign-in is refused."""
    provider.users({"bob": user(new_email("bob"))})
    made = await registered_sign_on(owner, provider)
    opened = (await signed_on(crowd.browser(), made["start"], "bob")).json()
    bob = bearer(reaching, opened)
    assert (await bob.get("/v1/collections")).status_code == 200
    browser = crowd.browser()
    led_back = await through_provider(await begun(browser, made["start"]), "bob")
    if change == "remove":
        assert (await owner.delete("/v1/sign-on/company")).json()["name"] == "company"
    else:
        await owner.patch(f"/v1/members/{opened['member_id']}", json={"enabled": False})
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    refused = await browser.get(led_back)
    assert refused.json()["code"] == ("sign-on-failed" if change == "remove" else "not-let-in")
