"""Uploads in pieces. The attacks come first: others' uploads, wrong places, too much, two at once."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from api_scene import Client, MakeClient, problem, settled, working

from knowlog.bootstrap import App
from knowlog.cli.client import Client as CommandsClient
from knowlog.cli.pieces import send_in_pieces
from knowlog.database import Scope
from knowlog.documents import LEAST_PIECE_BYTES
from knowlog.ingestion import sweep_originals

PIECE = LEAST_PIECE_BYTES
TEXT = b"".join(b"Line %06d of a long report about pumps.\n" % number for number in range(6000))
"""Three pieces and a rest."""


def told(**words: str) -> str:
    """Upload-Metadata."""
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in words.items())


async def ask_for(client: Client, size: int = len(TEXT), **words: str) -> httpx.Response:
    """Ask to begin an upload into the handbook."""
    headers = {"Upload-Length": str(size), "Upload-Metadata": told(**{"filename": "report.txt", **words})}
    return await client.post("/v1/collections/handbook/uploads", headers=headers)


async def begin(client: Client, size: int = len(TEXT), **words: str) -> str:
    """Begin one; returns where its pieces go."""
    made = await ask_for(client, size, **words)
    assert made.status_code == 201, made.text
    return made.headers["location"]


async def send(client: Client, place: str, offset: int, piece: bytes, **more: str) -> httpx.Response:
    """Send a piece."""
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream", **more}
    return await client.patch(place, content=piece, headers=headers)


async def send_all(client: Client, place: str, whole: bytes = TEXT, offset: int = 0) -> dict[str, Any]:
    """Send the rest, piece by piece; returns what became of it."""
    for at in range(offset, len(whole), PIECE):
        answer = await send(client, place, at, whole[at : at + PIECE])
        assert answer.status_code == 204, answer.text
    taken: dict[str, Any] = (await client.get(place)).json()["taken"]
    return taken


async def stands(client: Client, place: str) -> int:
    """How many bytes are kept."""
    answer = await client.head(place)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def kept(app: App, tenant: Scope) -> int:
    """How many files of a tenant lie in the blob store."""
    folder = app.settings.data_dir / "blobs" / str(tenant.tenant_id)
    return sum(path.is_file() for path in folder.rglob("*"))


async def test_anothers_upload_is_not_there(
    alice: Client, charlie: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Neither for a stranger nor for a colleague who may do the same: word for word as one that never was."""
    place = await begin(alice)
    for other in (charlie, await make_client(tenant, "owner")):
        for path in (place, f"/v1/uploads/{uuid4()}"):
            answers = [
                await other.get(path), await other.delete(path), await send(other, path, 0, TEXT[:PIECE])
            ]  # fmt: skip
            assert {problem(each, 404, "not-found")["detail"] for each in answers} == {
                "You have no such upload: it is finished for long, was given up, or ran out of time. Begin it anew."
            }
            assert (await other.head(path)).status_code == 404
    assert await stands(alice, place) == 0


@pytest.mark.parametrize("offset", [0, PIECE - 1, PIECE + 1, len(TEXT), 2**53])
async def test_a_piece_goes_where_the_upload_stands_or_nowhere(alice: Client, offset: int) -> None:
    """The refusal says where that is."""
    place = await begin(alice)
    await send(alice, place, 0, TEXT[:PIECE])
    refused = problem(await send(alice, place, offset, TEXT[:PIECE]), 409, "conflict")
    assert refused["received_bytes"] == await stands(alice, place) == PIECE


async def test_no_more_comes_than_was_announced(app: App, alice: Client, tenant: Scope) -> None:
    """Neither by a length that says so, nor by one that does not say."""
    place = await begin(alice, PIECE)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield TEXT[:PIECE]

    problem(await send(alice, place, 0, TEXT[: PIECE + 1]), 413, "too-large")
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    problem(await alice.patch(place, content=endless(), headers=headers), 413, "too-large")
    assert (await stands(alice, place), kept(app, tenant)) == (0, 0)


async def test_of_pieces_at_once_one_is_kept(app: App, alice: Client, tenant: Scope) -> None:
    """The first and the last alike: the document is made once, and of the right bytes."""
    place = await begin(alice)
    for at in range(0, len(TEXT), PIECE):
        answers = await asyncio.gather(*(send(alice, place, at, TEXT[at : at + PIECE]) for _ in range(5)))
        assert Counter(each.status_code for each in answers) == {204: 1, 409: 4}
    listed = (await alice.get("/v1/documents")).json()["items"]
    assert [each["size_bytes"] for each in listed] == [len(TEXT)]
    assert kept(app, tenant) == 1


async def test_a_tenants_stored_bytes_hold_for_pieces(
    app: App, alice: Client, operator: Client, tenant: Scope
) -> None:
    """What cannot fit does not begin; of two that could, one comes to its end, and of the other nothing more is kept."""
    most = len(TEXT) + PIECE
    await operator.put(f"/v1/tenants/{tenant.tenant_id}/limits", json={"stored_bytes": most})
    assert problem(await ask_for(alice, most + 1), 429, "limit-reached")["limit"] == "stored_bytes"
    first, second = await begin(alice, external_id="a"), await begin(alice, external_id="b")
    await send(alice, second, 0, TEXT[:PIECE])
    assert await send_all(alice, first)
    problem(await send(alice, second, PIECE, TEXT[PIECE : 2 * PIECE]), 429, "limit-reached")
    limits = (await alice.get("/v1/usage")).json()["limits"]
    used = next(each["used"] for each in limits if each["limit"] == "stored_bytes")
    assert (used, await stands(alice, second), kept(app, tenant)) == (most, PIECE, 2)


@pytest.mark.parametrize(
    ("size", "words", "status", "code"),
    [
        (2 * 1024 * 1024 + 1, {}, 413, "too-large"),
        (10, {"access": "nobody"}, 422, "invalid"),
        (10, {"fielname": "a"}, 422, "invalid"),
        (10, {"filename": ""}, 422, "invalid"),
        (10, {"title": "a\0b"}, 422, "invalid"),
        (10, {"metadata": "[]"}, 422, "invalid"),
        (10, {"metadata": "{" * 10}, 422, "invalid"),
    ],
)
async def test_what_could_not_be_taken_in_does_not_begin(
    alice: Client, size: int, words: dict[str, str], status: int, code: str
) -> None:
    problem(await ask_for(alice, size, **words), status, code)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Metadata": "filename !!"}, 400, "bad-request"),
        ({"Upload-Metadata": "filename //8="}, 400, "bad-request"),
        ({"Upload-Metadata": f"{told(filename='a')},{told(filename='b')}"}, 400, "bad-request"),
        ({"Upload-Length": "-1"}, 422, "invalid"),
        ({"Upload-Length": "9" * 30}, 422, "invalid"),
        ({"Tus-Resumable": "0.2.2"}, 412, "other-version"),
    ],
)
async def test_headers_that_make_no_sense_are_refused(
    alice: Client, headers: dict[str, str], status: int, code: str
) -> None:
    given = {"Upload-Length": "10", "Upload-Metadata": told(filename="a.txt"), **headers}
    problem(await alice.post("/v1/collections/handbook/uploads", headers=given), status, code)


async def test_a_piece_that_cannot_be_one_changes_nothing(alice: Client) -> None:
    """Another type, too few bytes, none at all, a kind of file that nothing reads."""
    place, movie = await begin(alice), await begin(alice, filename="holiday.exe", filetype="video/mp4")
    problem(
        await send(alice, place, 0, TEXT[:PIECE], **{"Content-Type": "text/plain"}), 415, "unsupported-type"
    )
    problem(await send(alice, place, 0, TEXT[: PIECE - 1]), 422, "invalid")
    problem(await send(alice, place, 0, b""), 422, "invalid")
    problem(await send(alice, movie, 0, b"MZ\x90\0" * (PIECE // 4)), 415, "unsupported-type")
    assert await stands(alice, place) == await stands(alice, movie) == 0


async def test_a_role_and_a_key_of_one_collection_hold_here_too(
    alice: Client, bob: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """A reader sends nothing, an editor says nothing about access, and other collections are not there."""
    quiet = (await alice.post("/v1/collections", json={"name": "quiet"})).json()["collection_id"]
    problem(await ask_for(bob), 403, "forbidden")
    problem(await ask_for(await make_client(tenant, "editor"), access=str(uuid4())), 403, "forbidden")
    problem(await ask_for(await make_client(tenant, "editor", [quiet])), 404, "not-found")


async def test_a_file_in_pieces_is_the_document(app: App, alice: Client, tenant: Scope) -> None:
    """To the byte, recorded once, and nothing is left of the pieces; its upload tells what became of it."""
    place = await begin(alice, external_id="reports/a.txt", title="Report", metadata='{"year": 2026}')
    taken = await send_all(alice, place)
    async with working(app):
        document = await settled(alice, taken["document_id"])
    assert (await alice.get(f"/v1/documents/{taken['document_id']}/content")).content == TEXT
    assert (document["title"], document["metadata"], document["external_id"]) == (
        "Report", {"year": 2026}, "reports/a.txt"
    )  # fmt: skip
    records = (await alice.get("/v1/audit", params={"action": "documents.uploaded"})).json()["items"]
    assert (len(records), taken["outcome"], kept(app, tenant)) == (1, "created", 1)
    assert (await send(alice, place, len(TEXT), b"")).status_code == 204


async def test_the_same_file_is_gone_on_with(alice: Client) -> None:
    """By its fingerprint, until it is whole; said otherwise, or without one, it is another."""
    place = await begin(alice, fingerprint="f")
    await send(alice, place, 0, TEXT[:PIECE])
    again = await ask_for(alice, fingerprint="f")
    assert (again.headers["location"], again.json()["received_bytes"]) == (place, PIECE)
    others = {
        await begin(alice),
        await begin(alice, fingerprint="f", title="b"),
        await begin(alice, 9, fingerprint="f"),
    }
    assert len(others | {place}) == 4
    await send_all(alice, place, offset=PIECE)
    assert await begin(alice, fingerprint="f") != place


async def test_of_a_piece_that_breaks_off_what_came_is_kept(alice: Client, address: str) -> None:
    """The connection is cut in its middle."""
    place = await begin(alice, 4 * PIECE)
    server = urlsplit(address)
    _, writer = await asyncio.open_connection(server.hostname, server.port)
    head = (
        f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: {alice.headers['authorization']}\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {4 * PIECE}\r\n\r\n"
    )
    writer.write(head.encode() + b"x" * (2 * PIECE))
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.close()
    for _ in range(100):
        if await stands(alice, place):
            break
        await asyncio.sleep(0.05)
    assert await stands(alice, place) == 2 * PIECE


async def test_a_second_run_of_the_command_goes_on(
    alice: Client, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is interrupted behind its first piece, which is not sent again."""
    monkeypatch.setattr("knowlog.cli.pieces.PIECE_BYTES", PIECE)
    path = tmp_path / "report.txt"
    path.write_bytes(TEXT)
    sent: list[str] = []

    class Interrupted(CommandsClient):
        def call(self, method: str, path: str, repeatable: bool | None = None, **options: Any) -> Any:
            if method == "PATCH":
                sent.append(options["headers"]["Upload-Offset"])
                if len(sent) == 2:
                    raise BrokenPipeError
            return super().call(method, path, repeatable, **options)

    def run() -> dict[str, Any]:
        with (
            Interrupted(address, alice.headers["authorization"].partition(" ")[2]) as client,
            path.open("rb") as file,
        ):
            return send_in_pieces(client, "handbook", file, {"filename": path.name})

    with pytest.raises(BrokenPipeError):
        await asyncio.to_thread(run)
    taken = await asyncio.to_thread(run)
    assert sent == [str(at) for at in (0, PIECE, PIECE, 2 * PIECE, 3 * PIECE)]
    assert (await alice.get(f"/v1/documents/{taken['document_id']}/content")).content == TEXT


async def test_an_upload_that_was_given_up_leaves_nothing(app: App, alice: Client, tenant: Scope) -> None:
    """Neither bytes nor usage."""
    place = await begin(alice)
    await send(alice, place, 0, TEXT[:PIECE])
    assert (await alice.delete(place)).status_code == 204
    problem(await alice.get(place), 404, "not-found")
    limits = (await alice.get("/v1/usage")).json()["limits"]
    used = next(each["used"] for each in limits if each["limit"] == "stored_bytes")
    assert (used, kept(app, tenant)) == (0, 0)


async def test_house_keeping_removes_the_abandoned_and_keeps_the_others(
    app: App, alice: Client, tenant: Scope
) -> None:
    """Pieces of an upload that is gone on with are no originals that nobody knows."""
    old, young = await begin(alice), await begin(alice)
    for place in (old, young):
        await send(alice, place, 0, TEXT[:PIECE])
    async with app.database.owner() as owner:
        await owner.execute("set role knowlog_definer")
        await owner.execute(
            "update knowlog.uploads set updated_at = now() - $2::interval where upload_id = $1",
            UUID(old.rpartition("/")[2]), timedelta(hours=49),
        )  # fmt: skip
    async with app.database.system() as connection:
        await connection.fetchval("select forget_uploads(48)")
    assert await sweep_originals(app.database, app.blobs, 0, str(tenant.tenant_id)) == 1
    problem(await alice.get(old), 404, "not-found")
    assert await send_all(alice, young, offset=PIECE)


async def test_what_is_not_finished_is_listed_to_its_owner_alone(
    alice: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """And no more once it is whole."""
    first, second = await begin(alice, external_id="a"), await begin(alice, external_id="b")
    await send(alice, first, 0, TEXT[:PIECE])
    listed = (await alice.get("/v1/uploads")).json()["items"]
    assert [(each["external_id"], each["received_bytes"]) for each in listed] == [("a", PIECE), ("b", 0)]
    await send_all(alice, second)
    assert len((await alice.get("/v1/uploads")).json()["items"]) == 1
    assert (await (await make_client(tenant, "owner")).get("/v1/uploads")).json()["items"] == []


async def test_any_client_of_the_protocol_learns_what_is_spoken(alice: Client) -> None:
    answer = await alice.request("OPTIONS", "/v1/collections/handbook/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,expiration,termination"
    assert answer.headers["tus-max-size"] == str(2 * 1024 * 1024)


async def test_a_file_over_the_limit_is_told_what_helps(alice: Client) -> None:
    """Pieces do not help, for they meet the same limit: smaller files do."""
    size = 2 * 1024**2 + 1
    whole = await alice.post(
        "/v1/collections/handbook/documents", content=b"x" * size, headers={"Content-Type": "text/plain"}
    )
    for refused in (whole, await ask_for(alice, size)):
        assert "Divide it into smaller files" in problem(refused, 413, "too-large")["detail"]
