"""People of the tests in a browser: invited as by mail, with a password of their own."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from playwright.async_api import Page

from knowlog.cli.processes import Stack
from knowlog.database import Database, DatabaseSettings, Scope, open_database
from knowlog.tenants import write_letter

PASSWORD = "correct horse battery staple"


def bearer(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {key}"}


@asynccontextmanager
async def database_of(stack: Stack) -> AsyncIterator[Database]:
    """The database of a running knowlog."""
    database = await open_database(DatabaseSettings(), stack.settings.data_dir)
    yield database
    await database.close()


async def invited(stack: Stack, tenant_id: str, key: str, email: str, role: str = "reader") -> str:
    """Invite somebody; returns the secret of the link that the worker mails."""
    with httpx.Client(base_url=stack.url, headers=bearer(key)) as http:
        made = http.post("/v1/invitations", json={"email": email, "role": role}).json()
    async with database_of(stack) as database:
        scope = Scope(UUID(tenant_id), "tests")
        letter = await write_letter(database, scope, "invitation", UUID(made["invitation_id"]), stack.url)
    assert letter is not None
    found = re.search(r"#(k\w_[\w-]+)", letter.text)
    assert found
    return found[1]


async def joined(stack: Stack, tenant_id: str, key: str, email: str, role: str = "reader") -> None:
    """Invite somebody who accepts, and has a password then."""
    link = await invited(stack, tenant_id, key, email, role)
    given = {"token": link, "password": PASSWORD}
    httpx.post(f"{stack.url}/v1/invitations:accept", json=given).raise_for_status()


def indexed(http: httpx.Client, count: int) -> None:
    """Wait until so many documents of a tenant answer."""
    while len(http.get("/v1/documents", params={"state": "indexed"}).json()["items"]) < count:
        time.sleep(0.1)


async def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in address and password, and send them."""
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
