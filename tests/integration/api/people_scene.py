"""What the tests of people do again and again: mail that is caught, people who are invited and sign in."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from api_scene import Client
from fastapi import FastAPI

from knowlog.database import Database, Scope
from knowlog.tenants import write_letter

PASSWORD = "correct horse battery staple"


def browser(api: FastAPI, origin: str | None = None) -> Client:
    """A client at an address of its own, so that wrong passwords of other tests do not count against it."""
    parts = uuid4().bytes
    address = origin or f"10.{parts[0]}.{parts[1]}.{parts[2]}"
    transport = httpx.ASGITransport(app=api, raise_app_exceptions=False, client=(address, 1234))
    return Client(transport=transport, base_url="https://knowlog.test", timeout=30)


def new_email(name: str) -> str:
    """An address that no other test has."""
    return f"{name}-{uuid4().hex[:12]}@example.com"


async def mailed(database: Database, scope: Scope, letter: str) -> str:
    """The token in the newest mail of a kind that a worker of this tenant would send."""
    async with database.transaction(scope) as connection:
        subject = await connection.fetchval(
            "select subject from events where tenant_id = tenant() and type = 'mail.requested'"
            " and data ->> 'letter' = $1 order by position desc limit 1", letter
        )  # fmt: skip
    assert subject is not None, f"no mail {letter} was asked for"
    written = await write_letter(database, scope, letter, subject, "https://knowlog.test")
    assert written is not None
    found = re.search(r"#(k\w_[\w-]+)", written.text)
    assert found
    return found[1]


@dataclass
class People:
    """Invites people into a tenant, and lets them sign in."""

    api: FastAPI
    database: Database
    opened: list[Client] = field(default_factory=list)

    async def invited(self, admin: Client, scope: Scope, email: str, role: str = "reader") -> str:
        """Invite somebody; returns the token of the link in their mailbox."""
        asked = await admin.post("/v1/invitations", json={"email": email, "role": role})
        assert asked.status_code == 201, asked.text
        return await mailed(self.database, scope, "invitation")

    async def joined(self, admin: Client, scope: Scope, email: str, role: str = "reader") -> dict[str, Any]:
        """Invite somebody who accepts; returns the member."""
        link = await self.invited(admin, scope, email, role)
        accepted = await self.browser().post(
            "/v1/invitations:accept", json={"token": link, "password": PASSWORD}
        )
        assert accepted.status_code == 201, accepted.text
        found: dict[str, Any] = accepted.json()
        return found

    async def signed_in(self, email: str, **more: Any) -> tuple[Client, dict[str, Any]]:
        """Sign in; returns a client with the access token, and what was answered."""
        client = self.browser()
        answer = await client.post("/v1/sessions", json={"email": email, "password": PASSWORD, **more})
        assert answer.status_code == 201, answer.text
        if answer.json()["access_token"]:
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client, answer.json()

    def browser(self) -> Client:
        """A client at an address of its own."""
        self.opened.append(browser(self.api))
        return self.opened[-1]


@asynccontextmanager
async def people_at(api: FastAPI, database: Database) -> AsyncIterator[People]:
    """People at an application, whose connections are closed at the end."""
    made = People(api, database)
    yield made
    for each in made.opened:
        await each.aclose()
