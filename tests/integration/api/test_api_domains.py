"""Domains of a tenant's own: named, proven by DNS or by a file on the domain, and led to the tenant."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from uuid import UUID

import dns.message
import dns.rrset
import pytest
from api_scene import Client, MakeClient, client_of, problem
from fastapi import FastAPI
from hint_scene import with_settings

from knowlog.bootstrap import App
from knowlog.database import Database, Scope
from knowlog.edge import ApiSettings, find_proof
from knowlog.tenants import Domain, tenant_at


class Zone(asyncio.DatagramProtocol):
    """A DNS server on loopback that knows some TXT records."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.address = "{}:{}".format(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name
        self.asked.append(str(name))
        answer = dns.message.make_response(query)
        if (value := self.records.get(str(name))) is not None:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", f'"{value}"'))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    """A zone, served."""
    transport, served = await asyncio.get_running_loop().create_datagram_endpoint(
        Zone, local_addr=("127.0.0.1", 0)
    )
    yield served
    transport.close()


@pytest.fixture
def api_with_dns(app: App, zone: Zone) -> FastAPI:
    """The application, which asks that zone alone."""
    return with_settings(app, dns_servers={zone.address}, fetch_timeout_s=2)


def through(api: FastAPI, client: Client) -> Client:
    """The same caller, through another application."""
    return client_of(api, client.headers["authorization"].removeprefix("Bearer "))


@pytest.fixture
async def anne(api_with_dns: FastAPI, alice: Client) -> AsyncIterator[Client]:
    """Alice, where domains are looked for in the zone."""
    async with through(api_with_dns, alice) as client:
        yield client


async def test_a_domain_is_proven_by_a_txt_record(
    anne: Client, zone: Zone, database: Database, tenant: Scope
) -> None:
    """It leads to the tenant from then on, and no longer when it is given up."""
    domain = f"docs-{tenant.tenant_id.hex}.example.com"
    made = (await anne.post("/v1/domains", json={"domain": f"{domain.upper()}."})).json()
    assert await tenant_at(database, "domain", domain) is None
    zone.records[f"_knowlog.{domain}."] = made["prove"]["dns"]["value"]
    found = (await anne.post(f"/v1/domains/{domain}/proof")).json()["domain"]
    assert (found["proven_by"], found["problem"]) == ("dns", None)
    assert await tenant_at(database, "domain", domain) == tenant.tenant_id
    assert (await anne.delete(f"/v1/domains/{domain}")).status_code == 204
    assert await tenant_at(database, "domain", domain) is None


async def test_without_the_token_a_domain_leads_nowhere(anne: Client, zone: Zone, database: Database) -> None:
    """And the answer says what was found in both places."""
    await anne.post("/v1/domains", json={"domain": "unproven.example.com"})
    zone.records["_knowlog.unproven.example.com."] = "another token"
    found = (await anne.post("/v1/domains/unproven.example.com/proof")).json()["domain"]
    assert found["proven_by"] is None
    assert "has a TXT record with another value" in found["problem"]
    assert "http://unproven.example.com/.well-known/knowlog-verification: " in found["problem"]
    assert await tenant_at(database, "domain", "unproven.example.com") is None


async def test_one_tenants_token_proves_nothing_for_another(
    anne: Client, api_with_dns: FastAPI, charlie: Client, zone: Zone, database: Database
) -> None:
    """Charlie may name the domain too, and cannot take it."""
    domain = f"fought-{id(zone)}.example.com"
    async with through(api_with_dns, charlie) as carl:
        token = (await anne.post("/v1/domains", json={"domain": domain})).json()["domain"]["token"]
        other = (await carl.post("/v1/domains", json={"domain": domain})).json()["domain"]["token"]
        assert token != other
        zone.records[f"_knowlog.{domain}."] = token
        assert (await carl.post(f"/v1/domains/{domain}/proof")).json()["domain"]["proven_by"] is None
        await anne.post(f"/v1/domains/{domain}/proof")
        zone.records[f"_knowlog.{domain}."] = other
        problem(await carl.post(f"/v1/domains/{domain}/proof"), 409, "conflict")
        assert (await carl.delete(f"/v1/domains/{domain}")).status_code == 204
    assert await tenant_at(database, "domain", domain) is not None


async def test_the_operator_releases_a_domain_that_has_changed_hands(
    operator: Client, anne: Client, zone: Zone, database: Database, tenant: Scope
) -> None:
    """Then whoever runs it now can prove it."""
    domain = f"sold-{tenant.tenant_id.hex}.example.com"
    made = (await anne.post("/v1/domains", json={"domain": domain})).json()
    zone.records[f"_knowlog.{domain}."] = made["domain"]["token"]
    await anne.post(f"/v1/domains/{domain}/proof")
    place = f"/v1/tenants/{tenant.tenant_id}/domains/{domain}"
    assert (await operator.delete(place)).status_code == 204
    assert await tenant_at(database, "domain", domain) is None
    problem(await operator.delete(place), 404, "not-found")


NAMED = Domain("docs.example.com", "the-token", None, None, None, None, None, "key")  # type: ignore[arg-type]


Answer = Callable[[str], bytes]


def answering(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """A web server's answer to every request."""
    head = "\r\n".join((f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers))
    return lambda port: head.replace("PORT", port).encode() + b"\r\n\r\n" + body


async def proof_from(zone: Zone, answer: Answer) -> tuple[str | None, str | None]:
    """What `find_proof` makes of a web server of the domain."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(port))
        await writer.drain()
        writer.close()

    async def resolver(host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = str(server.sockets[0].getsockname()[1])
        hosts = frozenset({f"docs.example.com:{port}", f"other.example.org:{port}"})
        settings = ApiSettings(
            fetch_private_hosts=hosts, dns_servers=frozenset({zone.address}), fetch_timeout_s=2
        )
        return await find_proof(replace(NAMED, domain=f"docs.example.com:{port}"), settings, resolver)


async def test_a_domain_is_proven_by_a_file_on_it(zone: Zone) -> None:
    """The token alone, at /.well-known/knowlog-verification."""
    assert await proof_from(zone, answering(b"the-token\n")) == ("http", None)


@pytest.mark.parametrize("body", [b"", b"the-token-", b"<html>the-token</html>", b"x" * 5000])
async def test_another_file_proves_nothing(zone: Zone, body: bytes) -> None:
    """Nor does a page that holds the token among other things."""
    assert (await proof_from(zone, answering(body)))[0] is None


async def test_a_redirect_to_another_domain_proves_nothing(zone: Zone) -> None:
    """Whoever can have a domain redirect does not run it."""
    away = answering(b"the-token", "location: http://other.example.org:PORT/", status="302 Found")
    proven_by, found = await proof_from(zone, away)
    assert proven_by is None
    assert "redirects" in str(found)


async def test_domains_are_for_admins(bob: Client, anne: Client) -> None:
    """A reader names none, and sees none."""
    problem(await bob.post("/v1/domains", json={"domain": "x.example.com"}), 403, "forbidden")
    problem(await bob.get("/v1/domains"), 403, "forbidden")


@pytest.mark.parametrize(
    "domain",
    [
        "localhost",
        "127.0.0.1",
        "a b.example",
        "*.example.com",
        "-x.example",
        "x.123",
        "a@b.example",
        "x" * 64 + ".example",
        ".",
    ],
)
async def test_what_is_no_domain_is_refused(anne: Client, domain: str) -> None:
    """Addresses, patterns and bare names lead to no tenant."""
    problem(await anne.post("/v1/domains", json={"domain": domain}), 422, "invalid")


async def test_a_slug_is_one_tenants(operator: Client, tenant: Scope, other_tenant: Scope) -> None:
    """The operator gives it, changes it, and learns when it is taken; the old one is free then."""
    slug = f"s{tenant.tenant_id.hex[-12:]}"
    place, other = (f"/v1/tenants/{each.tenant_id}/slug" for each in (tenant, other_tenant))
    assert (await operator.put(place, json={"slug": slug})).status_code == 200
    problem(await operator.put(other, json={"slug": slug}), 409, "conflict")
    assert (await operator.put(place, json={"slug": f"{slug}-new"})).json()["slug"] == f"{slug}-new"
    assert (await operator.put(other, json={"slug": slug})).status_code == 200
    assert (await operator.get(place)).json()["slug"] == f"{slug}-new"


@pytest.mark.parametrize("slug", ["www", "API", "-a", "a.b", "a_b", "xn--a", "0" * 32, "a" * 64])
async def test_a_slug_that_cannot_be_is_refused(operator: Client, tenant: Scope, slug: str) -> None:
    """Names of servers, ids, and what is no label of a domain."""
    problem(await operator.put(f"/v1/tenants/{tenant.tenant_id}/slug", json={"slug": slug}), 422, "invalid")


async def test_a_deleted_tenants_names_are_free(
    operator: Client, database: Database, tenant: Scope, other_tenant: Scope
) -> None:
    """They lead nowhere, and another may have them."""
    slug = f"d{tenant.tenant_id.hex[-12:]}"
    await operator.put(f"/v1/tenants/{tenant.tenant_id}/slug", json={"slug": slug})
    await operator.delete(f"/v1/tenants/{tenant.tenant_id}")
    assert await tenant_at(database, "slug", slug) is None
    problem(await operator.get(f"/v1/tenants/{tenant.tenant_id}/slug"), 404, "not-found")


async def test_a_key_limited_to_collections_governs_no_domains_and_origins(
    alice: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Who may call for the tenant, and from where, is the whole tenant's."""
    collection = (await alice.post("/v1/collections", json={"name": "limited"})).json()["collection_id"]
    limited = await make_client(tenant, "admin", [UUID(collection)])
    await alice.post("/v1/origins", json={"origin": "https://intranet.example"})
    problem(await limited.post("/v1/origins", json={"origin": "https://evil.example"}), 403, "forbidden")
    problem(await limited.delete("/v1/origins?origin=https://intranet.example"), 403, "forbidden")
    problem(await limited.post("/v1/domains", json={"domain": "evil.example"}), 403, "forbidden")
    assert [each["origin"] for each in (await alice.get("/v1/origins")).json()["items"]] == [
        "https://intranet.example"
    ]
