"""/v1/sessions: signing in and out, and what somebody else makes of it."""

import asyncio
import time
from datetime import timedelta
from statistics import median
from uuid import UUID

import pytest
from api_scene import Client, nothing_can_be_written, problem, upload
from people_scene import PASSWORD, People, new_email

from knowlog.bootstrap import App
from knowlog.database import Database, Scope
from knowlog.tenants import INSTALLATION, Sessions, add_member, create_tenant, operator_principal
from knowlog.tenants.throttle import Attempt


async def test_who_is_invited_signs_in(people: People, alice: Client, tenant: Scope) -> None:
    """The link makes a member, the password a session, and the session opens what the role may."""
    email = new_email("bob")
    member = await people.joined(alice, tenant, email, "editor")
    bob, opened = await people.signed_in(email.upper())
    assert (opened["member_id"], opened["tenant_id"]) == (member["member_id"], str(tenant.tenant_id))
    assert [each["name"] for each in (await bob.get("/v1/collections")).json()["items"]] == ["handbook"]
    await upload(bob, "Bob was here.")
    told = problem(await bob.get("/v1/keys"), 403, "forbidden")["detail"]
    assert told == "This needs the role admin; you have the role editor. Ask an owner of your tenant for it."


async def test_a_session_is_shown_to_its_owner_alone(people: People, alice: Client, tenant: Scope) -> None:
    """With where it was opened; a key has none."""
    bob_email, dora_email = new_email("bob"), new_email("dora")
    await people.joined(alice, tenant, bob_email)
    await people.joined(alice, tenant, dora_email)
    bob, opened = await people.signed_in(bob_email)
    dora, _ = await people.signed_in(dora_email)
    (session,) = (await bob.get("/v1/sessions")).json()["items"]
    assert (session["session_id"], session["current"], session["method"]) == (
        opened["session_id"],
        True,
        "password",
    )
    problem(await dora.delete(f"/v1/sessions/{opened['session_id']}"), 404, "not-found")
    problem(await alice.get("/v1/sessions"), 403, "forbidden")
    assert (await bob.get("/v1/sessions/current")).json()["member"]["email"] == bob_email


async def test_a_full_disk_does_not_keep_a_session_from_reading(
    people: People, alice: Client, tenant: Scope, database: Database
) -> None:
    """When it was last used is written down later."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    async with nothing_can_be_written(database, tenant, "sessions"):
        assert (await bob.get("/v1/collections")).status_code == 200


async def test_signing_out_holds_at_once(people: People, alice: Client, tenant: Scope) -> None:
    """For this session; another one of the same person goes on."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    here, opened = await people.signed_in(email)
    there, _ = await people.signed_in(email)
    assert (await here.delete(f"/v1/sessions/{opened['session_id']}")).status_code == 204
    problem(await here.get("/v1/collections"), 401, "unauthenticated")
    renewed = await here.post("/v1/sessions:refresh", json={"refresh_token": opened["refresh_token"]})
    problem(renewed, 401, "unauthenticated")
    assert (await there.get("/v1/collections")).status_code == 200
    assert (await there.delete("/v1/sessions")).status_code == 204
    problem(await there.get("/v1/collections"), 401, "unauthenticated")


@pytest.mark.parametrize("change", ["remove", "disable", "lower"])
async def test_a_change_of_a_member_holds_from_the_next_call(
    people: People, alice: Client, tenant: Scope, change: str
) -> None:
    """Removed, disabled, or with another role."""
    email = new_email("bob")
    member = f"/v1/members/{(await people.joined(alice, tenant, email, 'admin'))['member_id']}"
    bob, opened = await people.signed_in(email)
    assert (await bob.get("/v1/keys")).status_code == 200
    if change == "lower":
        await alice.patch(member, json={"role": "reader"})
        problem(await bob.get("/v1/keys"), 403, "forbidden")
        assert (await bob.get("/v1/collections")).status_code == 200
        return
    await (alice.delete(member) if change == "remove" else alice.patch(member, json={"enabled": False}))
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    renewed = await bob.post("/v1/sessions:refresh", json={"refresh_token": opened["refresh_token"]})
    problem(renewed, 401, "unauthenticated")
    signing_in = await people.browser().post("/v1/sessions", json={"email": email, "password": PASSWORD})
    assert signing_in.status_code in (401, 403)


@pytest.mark.parametrize("path", ["/v1/events/stream", "/v1/documents/{document}/events"])
async def test_an_open_stream_ends_with_the_membership(
    people: People, alice: Client, tenant: Scope, path: str
) -> None:
    """Within a second or so, with an error that says why."""
    email = new_email("bob")
    member = await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    document = await upload(alice, "It waits, as no worker runs.")
    stream = asyncio.create_task(bob.get(path.format(document=document)))
    await asyncio.sleep(0.5)
    await alice.delete(f"/v1/members/{member['member_id']}")
    answer = await asyncio.wait_for(stream, 10)
    last = answer.text.rstrip().split("\n\n")[-1]
    assert last.startswith("event: error")
    assert '"code":"unauthenticated"' in last


async def test_a_refresh_token_is_good_once(
    people: People, alice: Client, tenant: Scope, database: Database
) -> None:
    """A second use long after ends the session, and whatever came of the first."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, opened = await people.signed_in(email)
    renewed = await bob.post("/v1/sessions:refresh", json={"refresh_token": opened["refresh_token"]})
    fresh = renewed.json()
    assert fresh["session_id"] == opened["session_id"]
    await let_pass(database, tenant)
    told = problem(
        await bob.post("/v1/sessions:refresh", json={"refresh_token": opened["refresh_token"]}),
        401,
        "unauthenticated",
    )
    assert "copied" in str(told["detail"])
    again = await bob.post("/v1/sessions:refresh", json={"refresh_token": fresh["refresh_token"]})
    problem(again, 401, "unauthenticated")
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")


async def test_a_session_that_nobody_uses_ends(people: People, alice: Client, tenant: Scope) -> None:
    """After a week; each refresh puts that off, never beyond the end that the session has whatever is done in it."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, opened = await people.signed_in(email)

    async def aged(days: int) -> float:
        """Let time pass for the session; returns in how many days it ends once it was refreshed."""
        nonlocal opened
        async with people.database.transaction(tenant) as connection:
            await connection.execute(
                "update sessions set expires_at = expires_at - $1::interval, ends_at = ends_at - $1::interval",
                timedelta(days=days),
            )
        answer = await bob.post("/v1/sessions:refresh", json={"refresh_token": opened["refresh_token"]})
        opened = answer.json() if answer.status_code == 200 else opened
        async with people.database.transaction(tenant) as connection:
            left = await connection.fetchval("select max(expires_at) - now() from sessions")
        return float(left.total_seconds() / 86400) if answer.status_code == 200 else 0.0

    assert round(await aged(6), 2) == 7
    assert round(await aged(6), 2) == 7
    assert await aged(8) == 0
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    bob, opened = await people.signed_in(email)
    assert [round(await aged(days), 2) for days in (6, 6, 6, 6, 3, 2)] == [7, 7, 7, 6, 3, 1]
    assert await aged(2) == 0


async def test_two_tabs_that_refresh_at_once_keep_the_session(
    people: People, alice: Client, tenant: Scope
) -> None:
    """One gets tokens; the others are told, given nothing, and end nothing."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, opened = await people.signed_in(email)
    asked = {"refresh_token": opened["refresh_token"]}
    answers = await asyncio.gather(*(bob.post("/v1/sessions:refresh", json=asked) for _ in range(5)))
    (won,) = [each for each in answers if each.status_code == 200]
    for lost in (each for each in answers if each is not won):
        assert "token" not in problem(lost, 409, "conflict")
        assert "kr_" not in lost.text
    bob.headers["Authorization"] = f"Bearer {won.json()['access_token']}"
    assert (await bob.get("/v1/collections")).status_code == 200
    assert (
        await bob.post("/v1/sessions:refresh", json={"refresh_token": won.json()["refresh_token"]})
    ).status_code == 200


async def test_a_guess_ends_no_session(
    people: People, alice: Client, tenant: Scope, database: Database
) -> None:
    """Who knows a session's id, and not its family, cannot sign anybody out."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, opened = await people.signed_in(email)
    kr, tenant_hex, session_hex, _ = opened["refresh_token"].split("_", 3)
    guess = f"{kr}_{tenant_hex}_{session_hex}_{'a' * 22}_{'b' * 43}"
    problem(await bob.post("/v1/sessions:refresh", json={"refresh_token": guess}), 401, "unauthenticated")
    assert (await bob.get("/v1/collections")).status_code == 200


async def test_a_refresh_token_opens_nothing_else(people: People, alice: Client, tenant: Scope) -> None:
    """As an access token it is none, and the other way round; of another tenant it is none either."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, opened = await people.signed_in(email)
    access = opened["access_token"]
    problem(
        await bob.post("/v1/sessions:refresh", json={"refresh_token": access[:200]}), 401, "unauthenticated"
    )
    bob.headers["Authorization"] = f"Bearer {opened['refresh_token']}"
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    moved = opened["refresh_token"].replace(tenant.tenant_id.hex, "0" * 32)
    problem(await bob.post("/v1/sessions:refresh", json={"refresh_token": moved}), 401, "unauthenticated")


async def test_a_token_of_a_key_that_was_taken_back_is_worth_nothing(
    people: People, alice: Client, tenant: Scope, operator: Client
) -> None:
    """At once; the refresh token goes on, and the next token is signed by a new key."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, opened = await people.signed_in(email)
    problem(await alice.delete("/v1/signing-keys"), 401, "unauthenticated")
    assert (await operator.delete("/v1/signing-keys")).status_code == 204
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    fresh = await bob.post("/v1/sessions:refresh", json={"refresh_token": opened["refresh_token"]})
    bob.headers["Authorization"] = f"Bearer {fresh.json()['access_token']}"
    assert (await bob.get("/v1/collections")).status_code == 200


async def test_a_person_goes_from_one_tenant_to_another(
    people: People, alice: Client, tenant: Scope, charlie: Client, other_tenant: Scope
) -> None:
    """Each session is for exactly one; where they are no member there is nothing to go to."""
    email = new_email("bob")
    await people.joined(alice, tenant, email, "editor")
    await people.joined(charlie, other_tenant, email, "reader")
    bob, opened = await people.signed_in(email, tenant_id=str(tenant.tenant_id))
    assert {each["tenant_id"] for each in opened["memberships"]} == {
        str(tenant.tenant_id),
        str(other_tenant.tenant_id),
    }
    there = await bob.post("/v1/sessions:switch", json={"tenant_id": str(other_tenant.tenant_id)})
    assert there.json()["tenant_id"] == str(other_tenant.tenant_id)
    problem(await bob.post("/v1/sessions:switch", json={"tenant_id": str(UUID(int=1))}), 404, "not-found")
    at_charlies = people.browser()
    at_charlies.headers["Authorization"] = f"Bearer {there.json()['access_token']}"
    assert (await at_charlies.get("/v1/collections")).json()["items"] == []
    await charlie.delete(f"/v1/members/{there.json()['member_id']}")
    problem(await at_charlies.get("/v1/collections"), 401, "unauthenticated")
    assert (await bob.get("/v1/collections")).status_code == 200


async def test_a_tenants_sign_on_vouches_for_nobody_elsewhere(
    app: App, people: People, alice: Client, tenant: Scope, charlie: Client, other_tenant: Scope
) -> None:
    """A session that Charlie's sign-on has opened for Bob leads to no other tenant of his, and ends nothing there."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    made = await charlie.post("/v1/members", json={"email": email})
    sessions = Sessions(app.database, app.vault, app.settings.people)
    opened = await sessions.open(other_tenant.tenant_id, UUID(made.json()["member_id"]), "sign_on")
    forger = people.browser()
    forger.headers["Authorization"] = f"Bearer {opened.access_token}"
    problem(
        await forger.post("/v1/sessions:switch", json={"tenant_id": str(tenant.tenant_id)}), 403, "forbidden"
    )
    assert (await forger.get("/v1/sessions/current")).json()["memberships"] is None
    assert (await forger.delete("/v1/sessions")).status_code == 204
    problem(await forger.get("/v1/collections"), 401, "unauthenticated")
    assert (await bob.get("/v1/collections")).status_code == 200


async def test_a_browser_keeps_its_tokens_in_cookies(people: People, alice: Client, tenant: Scope) -> None:
    """That no script reads and no other site sends; a change also names the token against forged requests."""
    email = new_email("bob")
    await people.joined(alice, tenant, email, "editor")
    page = people.browser()
    answer = await page.post("/v1/sessions", json={"email": email, "password": PASSWORD, "cookies": True})
    assert (answer.json()["access_token"], answer.json()["refresh_token"]) == (None, None)
    set_cookies = answer.headers.get_list("set-cookie")
    for name, site, hidden in (
        ("access", "lax", True),
        ("refresh", "strict", True),
        ("csrf", "strict", False),
    ):
        (cookie,) = [each for each in set_cookies if each.startswith(f"__Host-knowlog-{name}=")]
        assert {"Path=/", "Secure", f"SameSite={site}"} <= {each.strip() for each in cookie.split(";")}
        assert ("HttpOnly" in cookie) == hidden
        assert "Domain" not in cookie
    assert (await page.get("/v1/collections")).status_code == 200
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x" * 43}):
        problem(
            await page.post("/v1/collections/handbook/documents", json={"text": "x"}, headers=headers),
            403,
            "forbidden",
        )
        problem(await page.post("/v1/sessions:refresh", headers=headers), 403, "forbidden")
        problem(await page.delete("/v1/sessions", headers=headers), 403, "forbidden")
    named = {"X-CSRF-Token": answer.json()["csrf_token"]}
    sent = await page.post("/v1/collections/handbook/documents", json={"text": "x"}, headers=named)
    assert sent.status_code == 202
    assert (await page.post("/v1/sessions:refresh", headers=named)).status_code == 200
    assert (await page.delete("/v1/sessions", headers=named)).status_code == 204
    assert not page.cookies
    problem(await page.get("/v1/collections"), 401, "unauthenticated")


async def test_another_sites_page_signs_nobody_in_with_cookies(
    people: People, alice: Client, tenant: Scope
) -> None:
    """It would let a visitor work in the attacker's account."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    answer = await people.browser().post(
        "/v1/sessions", json={"email": email, "password": PASSWORD, "cookies": True},
        headers={"Origin": "https://evil.example"},
    )  # fmt: skip
    problem(answer, 403, "forbidden")
    assert "set-cookie" not in answer.headers


async def test_an_unknown_address_is_refused_like_a_wrong_password(
    people: People, alice: Client, tenant: Scope
) -> None:
    """In the same words, and after the same time."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    await alice.post("/v1/members", json={"email": f"passwordless-{email}"})
    took: dict[str, list[float]] = {}
    told = set()
    for _ in range(8):
        for who in (email, f"passwordless-{email}", new_email("nobody")):
            begun = time.perf_counter()
            answer = await people.browser().post(
                "/v1/sessions", json={"email": who, "password": "wrong password"}
            )
            took.setdefault(who.split("-")[0], []).append(time.perf_counter() - begun)
            told.add(str(problem(answer, 401, "unauthenticated")["detail"]))
    assert len(told) == 1
    times = [median(each) for each in took.values()]
    assert max(times) < 3 * min(times)  # hashing takes tens of milliseconds, leaving it out a few


async def test_wrong_passwords_are_borne_ten_times_from_an_address(
    people: People, alice: Client, tenant: Scope
) -> None:
    """For one person; then even the right one is not looked at, there. Elsewhere the person signs in."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    attacker = people.browser()
    for _ in range(10):
        problem(
            await attacker.post("/v1/sessions", json={"email": email, "password": "wrong one"}),
            401,
            "unauthenticated",
        )
    refused = await attacker.post("/v1/sessions", json={"email": email, "password": PASSWORD})
    problem(refused, 429, "limit-reached")
    assert int(refused.headers["retry-after"]) > 0
    await people.signed_in(email)


async def test_nobody_is_locked_out_of_where_they_work(
    people: People, alice: Client, tenant: Scope, database: Database
) -> None:
    """Attacked from everywhere, a person signs in where they did before, and new addresses are refused."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    home = people.browser()
    at_home = {"email": email, "password": PASSWORD}
    assert (await home.post("/v1/sessions", json=at_home)).status_code == 201
    async with database.transaction(INSTALLATION) as connection:
        # as a hundred wrong passwords from a hundred addresses would leave it
        await connection.execute(
            "update sign_in_failures set level = 101, at = clock_timestamp() where level < 101"
        )
        await connection.execute(
            "delete from sign_in_failures where bucket = any($1::bytea[])", own_buckets(home, email)
        )
    problem(await people.browser().post("/v1/sessions", json=at_home), 429, "limit-reached")
    assert (await home.post("/v1/sessions", json=at_home)).status_code == 201


def own_buckets(client: Client, email: str) -> list[bytes]:
    """What is counted for a client's own address."""
    origin = client._transport.client[0]  # type: ignore[attr-defined]
    return [each.name for each in Attempt(origin, email).buckets[1:]]


async def let_pass(database: Database, scope: Scope) -> None:
    """Let the time pass in which two tabs may come with the same refresh token."""
    async with database.transaction(scope) as connection:
        await connection.execute(
            "update sessions set rotated_at = now() - $1::interval", timedelta(minutes=1)
        )


async def test_sessions_of_a_deleted_tenant_are_over(
    people: People, app: App, database: Database, operator: Client
) -> None:
    """With the tenant goes all of it."""
    scope = operator_principal((await create_tenant(database, "short-lived")).tenant_id).scope
    async with database.transaction(scope) as connection:
        member = await add_member(connection, operator_principal(scope.tenant_id), new_email("bob"), "owner")
    opened = await Sessions(app.database, app.vault, app.settings.people).open(
        scope.tenant_id, member.member_id, "sign_on"
    )
    client = people.browser()
    client.headers["Authorization"] = f"Bearer {opened.access_token}"
    assert (await client.get("/v1/collections")).status_code == 200
    await operator.delete(f"/v1/tenants/{scope.tenant_id}")
    problem(await client.get("/v1/collections"), 401, "unauthenticated")
