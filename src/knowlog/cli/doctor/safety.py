"""Settings that work and are not safe, and walls that this platform does not give."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.database import connect
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.secrecy import weakness_of_password, weakness_of_secret
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_POWERS = "select rolsuper, rolbypassrls from pg_roles where rolname = current_user"
_WALLS_S = 30
_MEANING = {
    "network": "reach the network",
    "files": "read this machine's files",
    "writing": "write files",
    "processes": "start processes",
}


async def check_safety(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what is set, who the database login is, and what a reader of files could do."""
    found = [*_transport(settings), *_secrets(settings), *_reach(settings)]
    found += [each async for each in _login(settings)]
    for each in found:
        yield each
    if not found:
        yield ok("safety", "no setting is known to be unsafe")
    yield await _walls()


def _transport(settings: Settings) -> Iterator[Finding]:
    """Passwords and keys travel in clear where others reach the server without TLS."""
    api = settings.api
    proxied = (api.public_url or "").startswith("https://") and api.trusted_proxies
    if not api.development and not (api.tls_certificate or proxied):
        yield warn(
            "safety: TLS", f"the server listens on {api.host} without TLS",
            "Set KNOWLOG_API_TLS_CERTIFICATE and _KEY; or let a proxy do it, and set KNOWLOG_API_TRUSTED_PROXIES and an"
            " https KNOWLOG_API_PUBLIC_URL.",
        )  # fmt: skip
    if "0.0.0.0/0" in api.trusted_proxies or "::/0" in api.trusted_proxies:
        yield fail(
            "safety: proxies", "everybody is a trusted proxy, and may say where requests come from",
            "Name the proxies alone in KNOWLOG_API_TRUSTED_PROXIES.",
        )  # fmt: skip


def _secrets(settings: Settings) -> Iterator[Finding]:
    """Beyond this machine the server refuses to start with these; on it they are worth a word."""
    key = settings.api.operator_key
    if key is not None and (weakness := weakness_of_secret(key.get_secret_value())):
        yield warn(
            "safety: operator key", f"it {weakness}",
            "Make another with `openssl rand -base64 32`; where others reach the server, it refuses this one.",
        )  # fmt: skip
    url = settings.database.url
    if url is not None and (weakness := weakness_of_password(url.get_secret_value())):
        yield warn("safety: database", f"KNOWLOG_DATABASE_URL {weakness}", "Give the login another password.")


def _reach(settings: Settings) -> Iterator[Finding]:
    """What tenants may have called inside the network."""
    for name, hosts in (
        ("KNOWLOG_API_FETCH_PRIVATE_HOSTS", settings.api.fetch_private_hosts),
        ("KNOWLOG_WEBHOOKS_PRIVATE_HOSTS", settings.webhooks.private_hosts),
        ("KNOWLOG_API_SIGN_ON_PRIVATE_HOSTS", settings.api.sign_on_private_hosts),
        ("KNOWLOG_LLM_PRIVATE_HOSTS", settings.llm.private_hosts),
    ):
        if hosts:
            yield warn(
                "safety: inner hosts", f"every tenant may have these called: {', '.join(sorted(hosts))}",
                f"Take from {name} what tenants need not reach.",
            )  # fmt: skip


async def _login(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the login of the servers stands above the policies, and which origins are listed."""
    connection = await open_database(settings)
    if connection is not None:
        try:
            if await connection.fetchval("select to_regproc('knowlog.origins_at_home')") is not None:
                async for finding in _origins(connection):
                    yield finding
        finally:
            await connection.close()
    if settings.database.url is None:
        return
    try:
        connection = await connect(settings.database.url.get_secret_value())
    except KnowlogError:
        return  # `postgresql` tells
    try:
        superuser, bypasses = await connection.fetchrow(_POWERS)
    finally:
        await connection.close()
    if superuser or bypasses:
        yield warn(
            "safety: database login", "KNOWLOG_DATABASE_URL logs in as one whom no policy binds",
            "Give it a plain login, and the schema's owner as KNOWLOG_DATABASE_OWNER_URL.",
        )  # fmt: skip


async def _origins(connection: Any) -> AsyncIterator[Finding]:
    await connection.execute("set role knowlog_system")
    count = await connection.fetchval("select knowlog.origins_at_home()")
    if count:
        yield warn(
            "safety: origins", f"{counted(count, 'listed origin')} of a developer's own machine (http://localhost)",
            "`knowlog origins list` and `remove`, where development is over.",
        )  # fmt: skip


async def _walls() -> Finding:
    """Confine a process as the one that reads a file, and let it try to get out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "knowlog.formats.walls",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(_WALLS_S):
        told, _ = await process.communicate()
    return judge_walls(json.loads(told))


def judge_walls(held: dict[str, bool]) -> Finding:
    """Say what a reader that was taken over could still do."""
    could = [_MEANING[wall] for wall, holds in held.items() if not holds]
    if not could:
        return ok("confinement", "a reader of files reaches no network, file or process")
    return warn(
        "confinement", f"on this system a reader that was taken over could {', '.join(could)}",
        "Run workers on Linux 5.13 or later with Landlock and seccomp, or in a container with nothing else in it.",
    )  # fmt: skip
