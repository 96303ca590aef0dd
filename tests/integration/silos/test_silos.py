"""A tenant in a database of its own: everything works there, and what is wrong with it concerns nobody else."""

import re
from uuid import UUID, uuid4

import httpx
import pytest
from silo_scene import SILO, Installation, client_of, filled, found, rows_in

from knowlog.bootstrap import App
from knowlog.cli.doctor.silos import check_silos
from knowlog.database import Database, Scope, raw_session
from knowlog.tenants import write_letter
from knowlog.tenants.limits import THE_TENANT, record_usage

pytestmark = pytest.mark.usefixtures("workers")
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
async def scene(installation: Installation) -> tuple[UUID, httpx.AsyncClient, str]:
    """Alice's tenant in the silo, with a document that was indexed there."""
    tenant_id, owner = await installation.tenant("alice in a silo")
    assert (await installation.moved(tenant_id))["step"] == "done"
    return tenant_id, owner, await filled(owner, "The warranty lasts 24 months.")


async def test_documents_are_indexed_searched_and_deleted_in_a_silo(
    installation: Installation, silo: Database, scene: tuple[UUID, httpx.AsyncClient, str]
) -> None:
    """By the same calls and keys as before; every row is in the silo."""
    tenant_id, owner, kept = scene
    document_id = await filled(owner, "A hotel night may cost at most 140 euros.")
    assert await found(owner, "hotel night") >= {document_id}
    assert (await owner.delete(f"/v1/documents/{document_id}")).status_code == 200
    assert document_id not in await found(owner, "hotel night")
    assert await found(owner, "warranty") >= {kept}
    assert await rows_in(installation.home, tenant_id) == {}


async def test_a_revoked_key_opens_nothing_from_the_next_call_on(
    scene: tuple[UUID, httpx.AsyncClient, str], installation: Installation
) -> None:
    """Keys are where the tenant is, and are looked up with each call."""
    _, owner, _ = scene
    made = (await owner.post("/v1/keys", json={"name": "bob", "role": "reader"})).json()
    async with client_of(installation.api, made["secret"]) as bob:
        for _ in range(20):
            assert (await bob.get("/v1/collections")).status_code == 200
        assert (await owner.delete(f"/v1/keys/{made['key']['key_id']}")).status_code == 200
        assert (await bob.get("/v1/collections")).status_code == 401


async def test_a_revoked_key_is_refused_while_its_tenant_is_read_only(
    installation: Installation, app: App
) -> None:
    """With 401, as ever: that it was offered cannot be written down at this moment, and is not."""
    tenant_id, owner = await installation.tenant("alice")
    made = (await owner.post("/v1/keys", json={"name": "bob", "role": "reader"})).json()
    await owner.delete(f"/v1/keys/{made['key']['key_id']}")
    async with raw_session(app.database.owner_url) as connection:
        await connection.execute("insert into places (placed_id, state) values ($1, 'held')", tenant_id)
    async with client_of(installation.api, made["secret"]) as bob:
        assert (await bob.get("/v1/collections")).status_code == 401
        assert (await owner.get("/v1/collections")).status_code == 200
    async with raw_session(app.database.owner_url) as connection:
        await connection.execute("delete from places where placed_id = $1", tenant_id)


async def listed(operator: httpx.AsyncClient) -> set[str]:
    """Every tenant, page after page."""
    found, wanted = set(), {"limit": "200"}
    while True:
        page = (await operator.get("/v1/tenants", params=wanted)).json()
        found |= {each["tenant_id"] for each in page["items"]}
        if page["next_cursor"] is None:
            return found
        wanted["cursor"] = page["next_cursor"]


async def test_the_operator_rules_over_a_tenant_in_a_silo(
    scene: tuple[UUID, httpx.AsyncClient, str], installation: Installation
) -> None:
    """It is listed with its place, gets a weight, limits and a slug, is suspended and goes on."""
    tenant_id, owner, _ = scene
    operator, place = installation.operator, f"/v1/tenants/{tenant_id}"
    assert (await operator.get(place)).json()["silo"] == SILO
    assert str(tenant_id) in await listed(operator)
    assert (await operator.patch(place, json={"weight": 3})).json()["weight"] == 3
    assert (await operator.put(f"{place}/slug", json={"slug": f"s{tenant_id.hex[-12:]}"})).status_code == 200
    assert (await operator.put(f"{place}/limits", json={"requests_per_minute": 10_000})).status_code == 200
    assert (await operator.put(f"{place}/suspension", json={"because": "unpaid"})).status_code == 200
    assert (await owner.get("/v1/collections")).status_code == 403
    assert (await operator.delete(f"{place}/suspension")).status_code == 200
    assert (await owner.get("/v1/collections")).status_code == 200
    assert (await operator.get("/metrics")).text.count('knowlog_silo_answers{silo="acme"} 1.0') == 1


async def test_what_a_tenant_in_a_silo_uses_is_counted(
    installation: Installation, scene: tuple[UUID, httpx.AsyncClient, str]
) -> None:
    """Where it lives: what a process counts by itself goes to no other database."""
    tenant_id, owner, _ = scene
    before = await embedded_today(owner)
    await record_usage(installation.home, [(tenant_id, THE_TENANT, "embedding_tokens", 7000)])
    assert await embedded_today(owner) >= before + 7000


async def embedded_today(owner: httpx.AsyncClient) -> int:
    """Tokens that were embedded for a tenant today, as it is told."""
    days = (await owner.get("/v1/usage", params={"days": 1})).json()["days"]
    return sum(each["amount"] for each in days if each["counted"] == "embedding_tokens")


async def test_people_move_with_their_tenant_and_stay_signed_in(
    installation: Installation, app: App, silo: Database
) -> None:
    """An access token and a password from before are good after the move there, and after the one back, and so is what a
    refresh token is renewed with.
    """
    tenant_id, owner = await installation.tenant("alice")
    email = f"bob-{uuid4().hex[:12]}@example.com"
    await joined(installation, app.database, owner, Scope(tenant_id, "test"), email)
    signed = await signed_in(installation, email, tenant_id)
    async with client_of(installation.api, signed["access_token"]) as bob:
        for place in (SILO, "home"):
            assert (await installation.moved(tenant_id, place))["step"] == "done"
            assert (await bob.get("/v1/sessions/current")).json()["member"]["email"] == email
            again = await signed_in(installation, email, tenant_id)
            renewed = await bob.post("/v1/sessions:refresh", json={"refresh_token": again["refresh_token"]})
            assert renewed.status_code == 200, renewed.text
            async with client_of(installation.api, renewed.json()["access_token"]) as later:
                assert (await later.get("/v1/sessions/current")).json()["member"]["email"] == email
    async with raw_session(silo.owner_url) as connection:
        assert await connection.fetchval("select count(*) from people where email = $1", email) == 0


async def joined(
    installation: Installation, database: Database, owner: httpx.AsyncClient, scope: Scope, email: str
) -> None:
    asked = await owner.post("/v1/invitations", json={"email": email, "role": "reader"})
    letter = await write_letter(
        database, scope, "invitation", UUID(asked.json()["invitation_id"]), "https://knowlog.test"
    )
    assert letter is not None
    token = re.findall(r"#(k\w_[\w-]+)", letter.text)[0]
    async with client_of(installation.api, None) as browser:
        body = {"token": token, "password": PASSWORD}
        assert (await browser.post("/v1/invitations:accept", json=body)).status_code == 201


async def signed_in(installation: Installation, email: str, tenant_id: UUID) -> dict[str, str]:
    async with client_of(installation.api, None) as browser:
        body = {"email": email, "password": PASSWORD, "tenant_id": str(tenant_id)}
        answer = await browser.post("/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


async def test_a_silo_that_does_not_answer_breaks_its_tenants_alone(
    installation: Installation, app: App
) -> None:
    """Their calls are answered 503 in one sentence, others and readiness as ever; doctor names it and what to do."""
    lost_id, lost = await installation.tenant("charlie")
    _, owner = await installation.tenant("alice")
    async with raw_session(app.database.owner_url) as connection:
        await connection.execute(
            "insert into places (placed_id, state, silo) values ($1, 'away', 'gone')", lost_id
        )
    answer = await lost.get("/v1/collections")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await owner.get("/v1/collections")).status_code == 200
    assert (await installation.operator.get("/health/ready")).status_code == 200
    places = {
        each["name"]: each["problem"]
        for each in (await installation.operator.get("/v1/silos")).json()["items"]
    }
    assert (places["home"], places[SILO], bool(places["gone"])) == (None, None, True)
    findings = {each.part: each.outcome async for each in check_silos(app.settings)}
    assert findings["silo gone"] == "fail"
    async with raw_session(app.database.owner_url) as connection:
        await connection.execute("delete from places where placed_id = $1", lost_id)


async def test_a_tenant_is_deleted_from_its_silo_with_a_proof(
    installation: Installation, silo: Database
) -> None:
    """The receipt is as ever; no database has a row, the home has forgotten its place, and its key opens nothing."""
    tenant_id, owner = await installation.tenant("alice")
    await installation.moved(tenant_id)
    receipt = (await installation.operator.delete(f"/v1/tenants/{tenant_id}")).json()
    assert receipt["rows_left"] == {}
    assert await rows_in(silo, tenant_id) == await rows_in(installation.home, tenant_id) == {}
    assert await installation.home.place_of(tenant_id) is None
    assert (await owner.get("/v1/collections")).status_code == 401
    shown = (await installation.operator.get(f"/v1/tenants/{tenant_id}/receipt")).json()
    assert shown["rows_found_now"] == {}
