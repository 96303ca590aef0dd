"""Invitations, passwords set anew, the second factor: what somebody else makes of them; and mail by a real server."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import Message
from typing import Any

import pyotp
import pytest
from aiosmtpd.controller import Controller
from api_scene import Client, problem
from people_scene import PASSWORD, People, mailed, new_email

from knowlog.bootstrap import App
from knowlog.bus import Turn, claim
from knowlog.database import Database, Scope
from knowlog.kernel.errors import Invalid, KnowlogError, Unavailable
from knowlog.tenants import Letter, MailSettings, open_mail
from knowlog.workers.mail import Mailer


async def test_a_link_is_good_once(people: People, alice: Client, tenant: Scope) -> None:
    """And says before what it invites to."""
    email = new_email("bob")
    link = await people.invited(alice, tenant, email, "editor")
    browser = people.browser()
    offer = (await browser.post("/v1/invitations:read", json={"token": link})).json()
    assert (offer["email"], offer["role"], offer["has_password"]) == (email, "editor", False)
    accepted = {"token": link, "password": PASSWORD}
    assert (await browser.post("/v1/invitations:accept", json=accepted)).json()["role"] == "editor"
    problem(await browser.post("/v1/invitations:accept", json=accepted), 404, "not-found")


async def test_of_many_who_accept_at_once_one_does(people: People, alice: Client, tenant: Scope) -> None:
    """The link is used up in the transaction that makes the member."""
    link = await people.invited(alice, tenant, new_email("bob"))
    browser = people.browser()
    taken = {"token": link, "password": PASSWORD}
    answers = await asyncio.gather(*(browser.post("/v1/invitations:accept", json=taken) for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [201, 404, 404, 404, 404, 404]


async def test_of_many_invitations_of_an_address_at_once_one_is_open(alice: Client) -> None:
    """Each takes the place of those before it, also of those that it cannot see yet."""
    body = {"email": new_email("bob"), "role": "reader"}
    answers = await asyncio.gather(*(alice.post("/v1/invitations", json=body) for _ in range(8)))
    assert {each.status_code for each in answers} == {201}
    assert len((await alice.get("/v1/invitations")).json()["items"]) == 1


@pytest.mark.parametrize("end", ["withdrawn", "replaced", "expired"])
async def test_an_invitation_that_has_ended_is_refused_like_none(
    people: People, alice: Client, tenant: Scope, database: Database, end: str
) -> None:
    """In the same words as one that never was."""
    email = new_email("bob")
    link = await people.invited(alice, tenant, email)
    (invitation,) = (await alice.get("/v1/invitations")).json()["items"]
    if end == "withdrawn":
        await alice.delete(f"/v1/invitations/{invitation['invitation_id']}")
    elif end == "replaced":
        await people.invited(alice, tenant, email, "admin")
    else:
        async with database.transaction(tenant) as connection:
            await connection.execute("update invitations set expires_at = now() - interval '1 second'")
    refused = await people.browser().post(
        "/v1/invitations:accept", json={"token": link, "password": PASSWORD}
    )
    forged = await people.browser().post(
        "/v1/invitations:accept", json={"token": f"{link[:-4]}AAAA", "password": PASSWORD}
    )
    assert problem(refused, 404, "not-found")["detail"] == problem(forged, 404, "not-found")["detail"]


async def test_a_link_is_in_the_mail_alone(
    people: People, alice: Client, tenant: Scope, database: Database
) -> None:
    """Neither in an answer nor, but as a hash, in the database: nobody takes another's address by inviting it."""
    link = await people.invited(alice, tenant, new_email("bob"))
    secret = link[-43:]
    seen = (await alice.get("/v1/invitations")).text
    async with database.transaction(tenant) as connection:
        for table in ("invitations", "events", "audit_records"):
            seen += str(await connection.fetchval(f"select jsonb_agg(to_jsonb(t)) from {table} t"))
    assert secret not in seen
    assert "invitation" in seen


async def test_a_stranger_sees_and_withdraws_no_invitation(
    people: People, alice: Client, bob: Client, tenant: Scope, charlie: Client
) -> None:
    """Nor does a colleague who manages nobody; and nobody invites above themselves."""
    await people.invited(alice, tenant, new_email("dora"))
    invitation = (await alice.get("/v1/invitations")).json()["items"][0]["invitation_id"]
    problem(await charlie.get(f"/v1/invitations/{invitation}"), 404, "not-found")
    problem(await charlie.delete(f"/v1/invitations/{invitation}"), 404, "not-found")
    assert (await charlie.get("/v1/invitations")).json()["items"] == []
    problem(await bob.get("/v1/invitations"), 403, "forbidden")
    email = new_email("otto")
    await people.joined(alice, tenant, email, "admin")
    admin, _ = await people.signed_in(email)
    problem(
        await admin.post("/v1/invitations", json={"email": new_email("x"), "role": "owner"}), 403, "forbidden"
    )


async def test_who_has_a_password_joins_another_tenant_with_it(
    people: People, alice: Client, tenant: Scope, charlie: Client, other_tenant: Scope
) -> None:
    """A link alone sets no other one."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    link = await people.invited(charlie, other_tenant, email)
    other = await people.browser().post(
        "/v1/invitations:accept", json={"token": link, "password": "another one"}
    )
    problem(other, 401, "unauthenticated")
    accepted = await people.browser().post(
        "/v1/invitations:accept", json={"token": link, "password": PASSWORD}
    )
    assert accepted.status_code == 201
    _, opened = await people.signed_in(email)
    assert len(opened["memberships"]) == 2


@pytest.mark.parametrize("password", ["1234567", "x" * 1025])
async def test_a_password_too_short_or_long_uses_up_no_link(
    people: People, alice: Client, tenant: Scope, password: str
) -> None:
    """Nothing changes on refusal."""
    link = await people.invited(alice, tenant, new_email("bob"))
    refused = await people.browser().post(
        "/v1/invitations:accept", json={"token": link, "password": password}
    )
    problem(refused, 422, "invalid")
    accepted = await people.browser().post(
        "/v1/invitations:accept", json={"token": link, "password": "12345678"}
    )
    assert accepted.status_code == 201


async def test_a_password_is_set_anew_by_mail(
    people: People, alice: Client, tenant: Scope, database: Database
) -> None:
    """Once; every session ends, and the old password with them. A password that is refused uses up no link."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    browser = people.browser()
    assert (await browser.post("/v1/password-resets", json={"email": email.upper()})).status_code == 202
    link = await mailed(database, tenant, "reset")
    own = {"token": link, "password": f"{email.partition('@')[0]}-2026"}
    problem(await browser.post("/v1/password-resets:use", json=own), 422, "invalid")
    chosen = {"token": link, "password": "another password"}
    assert (await browser.post("/v1/password-resets:use", json=chosen)).status_code == 204
    problem(await browser.post("/v1/password-resets:use", json=chosen), 404, "not-found")
    problem(await bob.get("/v1/collections"), 401, "unauthenticated")
    old = {"email": email, "password": PASSWORD}
    problem(await browser.post("/v1/sessions", json=old), 401, "unauthenticated")
    assert (
        await browser.post("/v1/sessions", json={**old, "password": "another password"})
    ).status_code == 201


async def test_asking_for_a_link_tells_nothing(people: People, alice: Client, tenant: Scope) -> None:
    """The same answer after the same time, known or not."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    took = []
    for who in (email, new_email("nobody"), "no address"):
        begun = time.perf_counter()
        answer = await people.browser().post("/v1/password-resets", json={"email": who})
        took.append(time.perf_counter() - begun)
        assert (answer.status_code, answer.content) == (202, b"")
    assert min(took) >= 0.25


async def test_a_changed_password_ends_the_other_sessions(
    people: People, alice: Client, tenant: Scope
) -> None:
    """This one goes on; the old password is asked for first."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    here, _ = await people.signed_in(email)
    there, _ = await people.signed_in(email)
    wrong = {"password": "wrong password", "new_password": "another password"}
    problem(await here.put("/v1/password", json=wrong), 401, "unauthenticated")
    assert (await here.put("/v1/password", json={**wrong, "password": PASSWORD})).status_code == 204
    assert (await here.get("/v1/collections")).status_code == 200
    problem(await there.get("/v1/collections"), 401, "unauthenticated")


async def test_a_second_factor_is_asked_for_and_each_code_is_good_once(
    people: People, alice: Client, tenant: Scope
) -> None:
    """Also a recovery code; without one, nobody signs in, and nobody removes it."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    elsewhere, _ = await people.signed_in(email)
    problem(await bob.post("/v1/second-factor", json={"password": "wrong password"}), 401, "unauthenticated")
    secret = (await bob.post("/v1/second-factor", json={"password": PASSWORD})).json()["secret"]
    codes = pyotp.TOTP(secret)
    problem(await bob.post("/v1/second-factor:confirm", json={"code": "000000"}), 422, "invalid")
    now = time.time()
    first = codes.at(now)
    recovery = (await bob.post("/v1/second-factor:confirm", json={"code": first})).json()["recovery_codes"]
    assert {len(each) for each in recovery} == {24}  # 120 bits: a plain hash will do
    problem(await elsewhere.get("/v1/collections"), 401, "unauthenticated")
    offered = {"email": email, "password": PASSWORD}
    browser = people.browser()
    problem(await browser.post("/v1/sessions", json=offered), 401, "code-needed")
    problem(await browser.post("/v1/sessions", json={**offered, "code": first}), 401, "code-needed")
    fresh = {**offered, "code": codes.at(now + 30)}
    both = await asyncio.gather(*(browser.post("/v1/sessions", json=fresh) for _ in range(3)))
    assert sorted(each.status_code for each in both) == [201, 401, 401]
    for status in (201, 401):
        assert (
            await browser.post("/v1/sessions", json={**offered, "code": recovery[0]})
        ).status_code == status
    problem(await bob.post("/v1/second-factor:remove", json={"password": PASSWORD}), 401, "code-needed")
    removal = {"password": PASSWORD, "code": recovery[1]}
    assert (await bob.post("/v1/second-factor:remove", json=removal)).status_code == 204
    assert (await browser.post("/v1/sessions", json=offered)).status_code == 201


async def test_the_secret_of_a_second_factor_is_sealed(
    people: People, alice: Client, tenant: Scope, app: App
) -> None:
    """In the database it cannot be read."""
    email = new_email("bob")
    await people.joined(alice, tenant, email)
    bob, _ = await people.signed_in(email)
    secret = (await bob.post("/v1/second-factor", json={"password": PASSWORD})).json()["secret"]
    async with app.database.owner() as connection:
        await connection.execute("set role knowlog_definer")
        row = await connection.fetchrow("select * from knowlog.people where email = $1", email)
    assert row["totp_sealed"]
    assert secret not in str(dict(row))
    assert PASSWORD not in str(dict(row))


class Server(Controller):
    """A real SMTP server that keeps what it takes, or refuses."""

    def __init__(self, refusal: str | None = None, slow_s: float = 0) -> None:
        self.taken: list[Message] = []
        self.refusal, self.slow_s = refusal, slow_s
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        super().__init__(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        await asyncio.sleep(self.slow_s)
        if self.refusal:
            return self.refusal
        self.taken.append(envelope)
        return "250 OK"


@pytest.fixture
async def serving() -> AsyncIterator[Any]:
    servers: list[Server] = []

    async def serve(**options: Any) -> tuple[Server, MailSettings]:
        servers.append(Server(**options))
        await asyncio.to_thread(servers[-1].start)
        return servers[-1], MailSettings(host="127.0.0.1", port=servers[-1].port, tls="none", timeout_s=1)

    yield serve
    for each in servers:
        await asyncio.to_thread(each.stop)


LETTER = Letter("bob@example.com", "You are invited to Z\u00fcrich", "Hello Bob.\n")


async def test_a_mail_server_gets_a_whole_letter(serving) -> None:
    """With sender, date and id, in plain text."""
    server, settings = await serving()
    await open_mail(settings).send(LETTER)
    (taken,) = server.taken
    assert taken.rcpt_tos == ["bob@example.com"]
    assert b"Hello Bob." in taken.content
    assert b"Auto-Submitted: auto-generated" in taken.content


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"refusal": "451 later"}, Unavailable),
        ({"refusal": "554 never"}, Invalid),
        ({"slow_s": 3}, Unavailable),
    ],
)
async def test_a_mail_server_that_refuses_is_told_apart(
    serving, options: Any, kind: type[KnowlogError]
) -> None:
    """For now, for good, and too slow."""
    _, settings = await serving(**options)
    with pytest.raises(kind):
        await open_mail(settings).send(LETTER)


async def test_a_server_without_tls_gets_nothing(serving) -> None:
    """Unless the setting says so: the default gives nothing in the clear."""
    server, settings = await serving()
    with pytest.raises(Unavailable):
        await open_mail(settings.model_copy(update={"tls": "starttls"})).send(LETTER)
    assert server.taken == []


async def test_a_line_break_makes_no_other_header(serving) -> None:
    """A subject with one is refused before anything is sent."""
    server, settings = await serving()
    with pytest.raises(KnowlogError):
        await open_mail(settings).send(Letter("bob@example.com", "Hello\r\nBcc: x@example.com", "x"))
    assert server.taken == []


async def test_a_cancelled_mail_is_not_sent(serving, app: App, alice: Client, tenant: Scope) -> None:
    """Though a worker had claimed it before; the one beside it is."""
    server, settings = await serving()
    mailer = Mailer(replace(app, settings=replace(app.settings, mail=settings)))
    for name in ("bob", "charlie"):
        await alice.post("/v1/invitations", json={"email": new_email(name), "role": "reader"})
    turn, claimed = Turn(), []
    while len(claimed) < 2:
        taken = await claim(app.database, "w", 30, 100, ["mail.requested"], turn=turn)
        assert taken, "other tests' mails come to an end before ours were seen"
        claimed += [each for each in taken if each.tenant_id == tenant.tenant_id]
    cancelled, ours = claimed
    assert (await alice.post(f"/v1/jobs/{cancelled.event_id}:cancel")).status_code == 200
    await mailer.send("w", [cancelled, ours])
    (taken,) = server.taken
    assert taken.rcpt_tos[0].startswith("charlie-")


async def test_a_mail_that_is_cancelled_lets_go_of_its_server_at_once(serving) -> None:
    """Not after a word of parting that a server which hangs does not answer."""
    _, settings = await serving(slow_s=4)
    sending = asyncio.create_task(open_mail(settings.model_copy(update={"timeout_s": 3})).send(LETTER))
    await asyncio.sleep(0.3)
    sending.cancel()
    done, _ = await asyncio.wait([sending], timeout=1)
    assert done
    assert sending.cancelled()
