"""A tenant as one file: exported, brought in elsewhere, and what is refused of an archive that somebody has changed."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from api_scene import Client, MakeClient, client_of, problem, settled, upload, working
from fastapi import FastAPI

from knowlog.archives import LEFT_OUT, TABLES, Brought, bring_in
from knowlog.bootstrap import App
from knowlog.database import Connection, Database, Scope
from knowlog.kernel.errors import Invalid, KnowlogError

Members = dict[str, bytes]
QUESTION = {"question": "How long does the warranty last?", "explain": True}


async def exported(operator: Client, scope: Scope, folder: Path) -> Path:
    """The archive of a tenant, in a file."""
    answer = await operator.get(f"/v1/tenants/{scope.tenant_id}/export")
    assert answer.status_code == 200, answer.text
    path = folder / "archive.tar.gz"
    path.write_bytes(answer.content)
    return path


def unpacked(path: Path) -> Members:
    """Name -> content."""
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]


def packed(path: Path, members: Members) -> Path:
    """Write an archive with plain files."""
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def resealed(members: Members) -> Members:
    """The members with a manifest that fits them: what somebody can do who knows the format."""
    manifest = json.loads(members.pop("manifest.json"))
    parts = {name: content for name, content in members.items() if name.startswith("rows/")}
    manifest["parts"] = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in parts.items()
    ]
    for table, told in manifest["tables"].items():
        told["rows"] = sum(
            content.count(b"\n") for name, content in parts.items() if name.split("/")[1] == table
        )
    listed, count, size = hashlib.sha256(), 0, 0
    for name, content in members.items():
        if name.startswith("originals/"):
            count, size = count + 1, size + len(content)
            listed.update(f"{name} {len(content)} {hashlib.sha256(content).hexdigest()}\n".encode())
    manifest["originals"] = {"count": count, "bytes": size, "sha256": listed.hexdigest()}
    return {**members, "manifest.json": json.dumps(manifest).encode()}


@asynccontextmanager
async def brought_in(app: App, api: FastAPI, path: Path) -> AsyncIterator[tuple[Brought, Client]]:
    """The tenant of an archive, and its owner."""
    brought = await bring_in(app.database, app.blobs, path, "moved")
    async with client_of(api, brought.secret) as owner:
        yield brought, owner


async def tenants_and_blobs(app: App) -> tuple[int, int]:
    """How many there are: an archive that is refused leaves neither."""
    async with app.database.system() as connection:
        count = await connection.fetchval("select tenants from life_overview()")
    return count, sum([len(keys) async for keys in app.blobs.keys("")])


async def test_a_tenant_answers_elsewhere_as_it_did(
    app: App, api: FastAPI, alice: Client, operator: Client, tenant: Scope, warranty: str, tmp_path: Path
) -> None:
    """Without a worker: nothing is parsed or embedded again. Ids stay, and so do scores."""
    before = (await alice.post("/v1/search", json=QUESTION)).json()["passages"]
    path = await exported(operator, tenant, tmp_path)
    async with brought_in(app, api, path) as (brought, owner):
        after = (await owner.post("/v1/search", json=QUESTION)).json()["passages"]
        answer = (await owner.post("/v1/answers", json={"question": QUESTION["question"]})).json()
        original = await owner.get(f"/v1/documents/{warranty}/content")
    for each in (*before, *after):
        each.pop("chunk_id", None)
    assert after == before
    assert answer["status"] == "answered"
    assert original.content.startswith(b"# Warranty")
    assert (brought.rows["documents"], brought.originals, brought.to_be_indexed) == (1, 1, 0)


async def test_a_tenant_that_was_brought_in_works_on(
    app: App, api: FastAPI, alice: Client, operator: Client, tenant: Scope, warranty: str, tmp_path: Path
) -> None:
    """What waited is indexed; new documents get chunks of their own; a second copy does not meet the first."""
    waiting = await upload(alice, "The case is made of steel.", external_id="waiting")
    path = await exported(operator, tenant, tmp_path)
    for _ in range(2):
        async with brought_in(app, api, path) as (brought, owner), working(app):
            assert brought.to_be_indexed == 1
            assert (await settled(owner, waiting))["state"] == "indexed"
            fresh = await upload(owner, "The lid is made of glass.", external_id="fresh")
            assert (await settled(owner, fresh))["state"] == "indexed"
            found = await owner.post("/v1/search", json={"question": "What is the lid made of?"})
            assert found.json()["passages"][0]["document_id"] == fresh
    assert (await alice.get("/v1/documents", params={"external_id": "fresh"})).json()["items"] == []


async def test_secrets_do_not_travel(alice: Client, operator: Client, tenant: Scope, tmp_path: Path) -> None:
    """No key, no hash of one, no secret of a webhook, no key of cursors."""
    key = (await alice.post("/v1/keys", json={"name": "k"})).json()["secret"]
    hook = (await alice.post("/v1/webhooks", json={"url": "https://93.184.215.14/"})).json()["secret"]
    archive = b"".join(unpacked(await exported(operator, tenant, tmp_path)).values())
    for secret in (key, hashlib.sha256(key.encode()).hexdigest(), hook, "log_key", "secret_hash"):
        assert secret.encode() not in archive


async def test_numbers_that_count_all_tenants_do_not_travel(
    app: App, alice: Client, charlie: Client, operator: Client, tenant: Scope, tmp_path: Path
) -> None:
    """Whatever another tenant does in between: chunks and events are numbered from 1, without gaps. Nor does the id of a
    person, which is the same in all tenants that have the person.
    """
    await charlie.post("/v1/collections", json={"name": "handbook"})
    async with working(app):
        for name in ("first", "second"):
            for who in (alice, charlie):
                paper = await upload(who, f"The {name} text of somebody.", external_id=name)
                assert (await settled(who, paper))["state"] == "indexed"
    members = unpacked(await exported(operator, tenant, tmp_path))

    def numbers(table: str, name: str) -> list[int]:
        return sorted(json.loads(line)[name] for line in members[f"rows/{table}/000001.jsonl"].splitlines())

    assert [numbers(table, "chunk_id") for table in ("chunks", "vectors", "chunk_terms")] == [[1, 2]] * 3
    positions = numbers("events", "position")
    assert positions == list(range(1, len(positions) + 1))
    tables = json.loads(members["manifest.json"])["tables"]
    assert not {name for told in tables.values() for name in told["columns"]} & {
        "xid",
        "change_id",
        "after_chunk",
        "person_id",
    }
    assert not {"place", "position"} & set(tables["webhooks"]["columns"])


async def test_only_owners_and_the_operator_export(
    alice: Client, bob: Client, charlie: Client, make_client: MakeClient, tenant: Scope, tmp_path: Path
) -> None:
    """Their own tenant, whole; and it is recorded."""
    mine = await alice.get("/v1/export")
    assert mine.status_code == 200
    path = tmp_path / "own.tar.gz"
    path.write_bytes(mine.content)
    assert json.loads(unpacked(path)["manifest.json"])["tenant_id"] == str(tenant.tenant_id)
    problem(await bob.get("/v1/export"), 403, "forbidden")
    problem(await (await make_client(tenant, "admin")).get("/v1/export"), 403, "forbidden")
    problem(await charlie.get(f"/v1/tenants/{tenant.tenant_id}/export"), 401, "unauthenticated")
    assert (await alice.get("/v1/audit", params={"action": "tenant.exported"})).json()["items"]


async def test_a_suspended_tenant_is_exported_by_the_operator(
    app: App, api: FastAPI, operator: Client, alice: Client, tenant: Scope, tmp_path: Path
) -> None:
    """And is not suspended where it is brought in."""
    await operator.put(f"/v1/tenants/{tenant.tenant_id}/suspension", json={})
    async with brought_in(app, api, await exported(operator, tenant, tmp_path)) as (_, owner):
        assert [c["name"] for c in (await owner.get("/v1/collections")).json()["items"]] == ["handbook"]
        first = (await owner.get("/v1/audit", params={"action": "tenant.imported"})).json()["items"][0]
    assert first["detail"]["from_tenant"] == str(tenant.tenant_id)


async def test_members_and_groups_come_along_and_lists_hold(
    app: App, api: FastAPI, operator: Client, alice: Client, tenant: Scope, tmp_path: Path
) -> None:
    """With their ids: what is for a group only, is for the same people afterwards."""
    bob = (await alice.post("/v1/members", json={"email": "bob@example.com"})).json()["member_id"]
    group = (await alice.post("/v1/groups", json={"name": "board"})).json()["group_id"]
    joined = await alice.post(f"/v1/groups/{group}/members", json={"members": [bob]})
    assert joined.status_code == 200, joined.text
    limited = await alice.put("/v1/collections/handbook/access", json={"subjects": [group]})
    assert limited.status_code == 200
    async with brought_in(app, api, await exported(operator, tenant, tmp_path)) as (brought, owner):
        assert [each["member_id"] for each in (await owner.get("/v1/members")).json()["items"]] == [bob]
        assert (await owner.get("/v1/collections/handbook/access")).json()["subjects"] == [group]
        wanted = {"name": "k", "role": "reader", "groups": [group]}
        inside = (await owner.post("/v1/keys", json=wanted)).json()["secret"]
        outside = (await owner.post("/v1/keys", json={"name": "k"})).json()["secret"]
        for secret, seen in ((inside, 1), (outside, 0)):
            async with client_of(api, secret) as reader:
                assert len((await reader.get("/v1/collections")).json()["items"]) == seen
    assert (brought.rows["members"], brought.rows["group_members"]) == (1, 1)


Attack = Callable[[Members], Members]


def row_of(table: str, **changed: Any) -> Attack:
    """Change a row, and everything that is computed from it."""

    def attack(members: Members) -> Members:
        name = f"rows/{table}/000001.jsonl"
        row = {**json.loads(members[name].splitlines()[0]), **changed}
        return resealed({**members, name: json.dumps(row).encode() + b"\n"})

    return attack


def renamed(table: str, name: str) -> Attack:
    """Put a part of rows at another place."""

    def attack(members: Members) -> Members:
        old = f"rows/{table}/000001.jsonl"
        return resealed({(name if each == old else each): content for each, content in members.items()})

    return attack


def without(start: str) -> Attack:
    return lambda members: {name: each for name, each in members.items() if not name.startswith(start)}


OTHER = "0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b"
ATTACKS: dict[str, tuple[Attack, str]] = {
    "a row changed": (
        lambda members: {
            name: content.replace(b"24 months", b"99 months") if name.startswith("rows/chunks/") else content
            for name, content in members.items()
        },
        "checksum does not fit",
    ),
    "an original changed": (
        lambda members: {
            name: content.replace(b"24", b"99") if name.startswith("originals/") else content
            for name, content in members.items()
        },
        "original files were changed",
    ),
    "an original left out": (without("originals/"), "original files were changed, or some are missing"),
    "rows left out": (without("rows/chunks/"), "checksum does not fit"),
    "no manifest": (without("manifest.json"), "no manifest"),
    "another tenant's id in a row": (row_of("documents", tenant_id=OTHER), "of another tenant"),
    "another tenant's original": (
        row_of("versions", blob=f"{OTHER}/{OTHER}/1-aaaaaaaa"),
        "not its own",
    ),
    "an original outside": (row_of("versions", blob="../../../etc/passwd"), "not its own"),
    "a chunk id that overflows": (row_of("chunks", chunk_id=2**62), "chunk id that cannot be"),
    "a column that is none": (row_of("documents", **{'x" ) select 1 --': 1}), "has no column"),
    "a name that climbs": (
        lambda members: {**members, "../../etc/cron.d/x": b"x"},
        "behind its manifest",
    ),
    "a name that climbs, first": (
        lambda members: {"rows/../../x": b"x", **members},
        "does not belong into it",
    ),
    "an absolute name": (lambda members: {"/etc/passwd": b"x", **members}, "does not belong into it"),
    "a table of the operator": (renamed("collections", "rows/tenant_receipts/000001.jsonl"), "no table"),
    "a document without its collection": (
        lambda members: resealed(without("rows/collections/")(members)),
        "do not fit together",
    ),
    "a state that is none": (row_of("documents", state="CANARY"), "do not fit together"),
    "a number that is text": (row_of("documents", revision="many"), "do not fit together"),
    "a newer format": (
        lambda members: {
            **members,
            "manifest.json": members["manifest.json"].replace(b'"version": 1', b'"version": 2'),
        },
        "not of the format",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_archive_that_somebody_changed_is_refused(
    app: App, operator: Client, tenant: Scope, warranty: str, tmp_path: Path, name: str
) -> None:
    """It says what is wrong, and nothing of it stays."""
    attack, said = ATTACKS[name]
    path = await exported(operator, tenant, tmp_path)
    packed(path, attack(unpacked(path)))
    before = await tenants_and_blobs(app)
    with pytest.raises(Invalid, match=said):
        await bring_in(app.database, app.blobs, path)
    assert await tenants_and_blobs(app) == before


async def test_an_archive_that_is_damaged_or_cut_off_is_refused(
    app: App, operator: Client, tenant: Scope, warranty: str, tmp_path: Path
) -> None:
    """Wherever that is."""
    path = await exported(operator, tenant, tmp_path)
    whole = path.read_bytes()
    before = await tenants_and_blobs(app)
    for place in (0, 5, len(whole) // 3, len(whole) // 2, len(whole) - 7):
        path.write_bytes(whole[:place])
        with pytest.raises(Invalid):
            await bring_in(app.database, app.blobs, path)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        if place != 5:  # a byte of the header that means nothing
            with pytest.raises(Invalid):
                await bring_in(app.database, app.blobs, path)
    assert await tenants_and_blobs(app) == before


async def test_links_and_devices_are_refused(
    app: App, operator: Client, tenant: Scope, tmp_path: Path
) -> None:
    """Nothing but plain files."""
    path = await exported(operator, tenant, tmp_path)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE):
        with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
            header = tarfile.TarInfo("rows/tenants/000001.jsonl")
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
        with pytest.raises(Invalid, match="no plain file"):
            await bring_in(app.database, app.blobs, path)


async def test_a_bomb_is_refused_before_it_has_unpacked(app: App, tmp_path: Path) -> None:
    """One gigabyte of blanks in a megabyte."""
    path = tmp_path / "bomb.tar.gz"
    header = tarfile.TarInfo("rows/tenants/000001.jsonl")
    header.size = 2**30
    with gzip.open(path, "wb", 9) as archive:
        archive.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(2**10):
            archive.write(b" " * 2**20)
    with pytest.raises(Invalid, match="far more than it takes"):
        await bring_in(app.database, app.blobs, path)


async def test_a_file_of_something_else_is_refused(app: App, tmp_path: Path) -> None:
    """Empty, text, a tar of others."""
    path = tmp_path / "x"
    for content in (b"", b"hello", gzip.compress(b"hello" * 1000)):
        path.write_bytes(content)
        with pytest.raises(KnowlogError):
            await bring_in(app.database, app.blobs, path)
    with pytest.raises(Invalid, match="does not belong into it"):
        await bring_in(app.database, app.blobs, packed(path, {"setup.py": b"1"}))


async def test_every_table_of_a_tenant_is_exported_or_left_out_for_a_reason(database: Database) -> None:
    """A new table must be named in knowlog/archives/contents.py."""
    async with database.owner() as connection:
        found = await connection.fetch("""
            select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
            where c.relnamespace = 'knowlog'::regnamespace and c.relkind in ('r', 'p')""")
    assert {row["relname"] for row in found} == {table.name for table in TABLES} | set(LEFT_OUT)


IMPORTER = """
import asyncio, sys
from pathlib import Path
from knowlog.archives import bring_in
from knowlog.database import DatabaseSettings, open_database
from knowlog.documents import DocumentsSettings, open_blob_store

async def main(folder, url, archive):
    database = await open_database(DatabaseSettings(url=url or None), Path(folder))
    await bring_in(database, open_blob_store(DocumentsSettings(), Path(folder)), Path(archive), "KILLED")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_an_import_that_was_killed_leaves_a_suspended_tenant_that_can_be_deleted(
    app: App, operator: Client, tenant: Scope, warranty: str, server_dir: Path, tmp_path: Path
) -> None:
    """kill -9 while the rows come in: none of them is there, and nothing is left afterwards."""
    path = await exported(operator, tenant, tmp_path)
    url = os.environ.get("KNOWLOG_TEST_DATABASE_URL", "")
    before = await tenants_and_blobs(app)
    async with app.database.owner() as locker:
        held = locker.transaction()
        await held.start()
        await locker.execute("lock table knowlog.collections in share row exclusive mode")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", IMPORTER, str(server_dir), url, str(path)
        )
        while await tenants_and_blobs(app) == before or not await waits_for_a_lock(locker):
            assert process.returncode is None
            await asyncio.sleep(0.05)
        process.kill()
        await process.wait()
        await held.rollback()
    async with app.database.system() as connection:
        (left,) = await connection.fetch("select * from tenants_listed(null, 10000) where name = 'KILLED'")
    assert "brought in" in left["suspended_because"]
    receipt = (await operator.delete(f"/v1/tenants/{left['tenant_id']}")).json()
    assert receipt["originals"] == {"removed": 1, "left": 0}
    assert "documents" not in receipt["rows_removed"]
    assert await tenants_and_blobs(app) == before


async def waits_for_a_lock(connection: Connection) -> bool:
    """Whether somebody stands before the table."""
    return bool(
        await connection.fetchval(
            "select exists (select from pg_locks where relation = 'knowlog.collections'::regclass and not granted)"
        )
    )
