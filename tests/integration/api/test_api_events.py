"""Server-sent events of a document and of a job."""

import asyncio

from api_scene import Client, events_of, problem, settled, upload, working
from httpx import AsyncClient

from knowlog.bootstrap import App


async def test_a_document_is_watched_until_it_is_indexed(app: App, alice: Client, bob: Client) -> None:
    """The first event is the state at once, the last one the final state; then the stream ends."""
    document_id = await upload(alice, "The warranty lasts 24 months.")
    watching = asyncio.create_task(bob.get(f"/v1/documents/{document_id}/events"))
    await asyncio.sleep(0.3)
    async with working(app):
        stream = await asyncio.wait_for(watching, 60)
    states = [data["state"] for _, data in events_of(stream.text)]
    assert (states[0], states[-1]) == ("received", "indexed")
    assert ": still here" in stream.text


async def test_a_job_is_watched_until_it_is_done(app: App, alice: Client) -> None:
    """A job's stream ends with it."""
    answer = await alice.post("/v1/collections/handbook/documents", json={"text": "text"})
    job_id = answer.json()["items"][0]["job_id"]
    async with working(app):
        stream = await asyncio.wait_for(alice.get(f"/v1/jobs/{job_id}/events"), 60)
    assert events_of(stream.text)[-1][1]["state"] == "done"


async def test_a_long_document_tells_how_far_it_is(app: App, alice: Client) -> None:
    """While it is embedded, in the stream of its job too: numbers that rise, of the same whole."""
    text = "\n\n".join(f"Chapter {n} is about pump {n}. " * 40 for n in range(300))
    answer = await alice.post("/v1/collections/handbook/documents", json={"text": text})
    (item,) = answer.json()["items"]
    places = (f"/v1/documents/{item['document_id']}/events", f"/v1/jobs/{item['job_id']}/events")
    watching = [asyncio.create_task(alice.get(place)) for place in places]
    await asyncio.sleep(0.3)
    async with working(app):
        streams = await asyncio.gather(*watching)
    for stream in streams:
        told = [data for name, data in events_of(stream.text) if name == "progress"]
        done, chunks = [each["embedded"] for each in told], {each["chunks"] for each in told}
        assert done
        assert done == sorted(done)
        assert len(chunks) == 1
        assert done[-1] < chunks.pop()


async def test_what_is_final_ends_at_once(alice: Client, warranty: str) -> None:
    """Nothing more will happen, so nothing is waited for."""
    stream = await asyncio.wait_for(alice.get(f"/v1/documents/{warranty}/events"), 60)
    assert [data["state"] for _, data in events_of(stream.text)] == ["indexed"]


async def test_a_document_that_is_deleted_ends_its_stream(alice: Client) -> None:
    """With an error event that says so."""
    document_id = await upload(alice, "text")
    watching = asyncio.create_task(alice.get(f"/v1/documents/{document_id}/events"))
    await asyncio.sleep(0.3)
    await alice.delete(f"/v1/documents/{document_id}")
    events = events_of((await asyncio.wait_for(watching, 60)).text)
    assert (events[-1][0], events[-1][1]["code"]) == ("error", "not-found")


async def test_a_revoked_key_sees_nothing_more(alice: Client, app: App, api: object) -> None:
    """The stream that it opened ends with an error at the next look."""
    made = (await alice.post("/v1/keys", json={"name": "x"})).json()
    document_id = await upload(alice, "text")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    watching = asyncio.create_task(alice.get(f"/v1/documents/{document_id}/events", headers=headers))
    await asyncio.sleep(0.3)
    await alice.delete(f"/v1/keys/{made['key']['key_id']}")
    events = events_of((await asyncio.wait_for(watching, 60)).text)
    assert (events[-1][0], events[-1][1]["code"]) == ("error", "unauthenticated")


async def test_a_revoked_key_is_cut_off_within_a_second(alice: Client) -> None:
    """Revoking is reported to the streams that the key has open, also while nothing happens to their document."""
    made = (await alice.post("/v1/keys", json={"name": "x"})).json()
    document_id = await upload(alice, "text")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    watching = [
        asyncio.create_task(alice.get(f"/v1/documents/{document_id}/events", headers=headers))
        for _ in range(2)
    ]
    await asyncio.sleep(0.7)
    await alice.delete(f"/v1/keys/{made['key']['key_id']}")
    for stream in await asyncio.wait_for(asyncio.gather(*watching), 1.8):
        assert events_of(stream.text)[-1][1]["code"] == "unauthenticated"


async def test_a_tenant_holds_so_many_streams_and_no_more(
    alice: Client, charlie: Client, address: str
) -> None:
    """The third is refused with 429 while two are open, for this tenant alone; a closed one makes room."""
    document_id = await upload(alice, "text")
    place = f"{address}/v1/documents/{document_id}/events"
    async with AsyncClient(headers=alice.headers, timeout=10, trust_env=False) as http:
        async with http.stream("GET", place) as first, http.stream("GET", place) as second:
            assert (first.status_code, second.status_code) == (200, 200)
            lines = first.aiter_lines(), second.aiter_lines()
            for each in lines:
                await anext(each)
            refused = await http.get(place)
            problem(refused, 429, "limit-reached")
            assert int(refused.headers["retry-after"]) >= 1
        await asyncio.sleep(0.3)
        async with http.stream("GET", place) as third:
            assert third.status_code == 200


async def test_a_watcher_holds_no_database_session(app: App, alice: Client, address: str) -> None:
    """While two streams wait, every connection of the pool is free."""
    document_id = await upload(alice, "text")
    place = f"{address}/v1/documents/{document_id}/events"
    client = AsyncClient(headers=alice.headers, timeout=10, trust_env=False)
    async with client as http, http.stream("GET", place) as first:
        lines = first.aiter_lines()
        await anext(lines)
        busy = 0
        for _ in range(20):
            await asyncio.sleep(0.02)
            pool = app.database._pool
            busy = max(busy, pool.get_size() - pool.get_idle_size())
    assert busy <= 1


async def test_jobs_are_listed_shown_and_retried(
    app: App, alice: Client, bob: Client, charlie: Client
) -> None:
    """Newest first; a failed one goes back into the queue; a stranger sees none."""
    files = {"file": ("broken.pdf", b"%PDF-1.4\nnothing of a PDF follows", "application/pdf")}
    item = (await alice.post("/v1/collections/handbook/documents", files=files)).json()["items"][0]
    async with working(app):
        await settled(alice, item["document_id"])
    other = await alice.post("/v1/collections/handbook/documents", json={"text": "later"})
    jobs = (await bob.get("/v1/jobs")).json()["items"]
    assert [job["job_id"] for job in jobs] == [other.json()["items"][0]["job_id"], item["job_id"]]
    failed = (await bob.get("/v1/jobs", params={"state": "failed", "limit": 1})).json()
    assert [job["job_id"] for job in failed["items"]] == [item["job_id"]]
    assert failed["items"][0]["reason"]
    problem(await bob.post(f"/v1/jobs/{item['job_id']}:retry"), 403, "forbidden")
    problem(await charlie.get(f"/v1/jobs/{item['job_id']}"), 404, "not-found")
    problem(await charlie.post(f"/v1/jobs/{item['job_id']}:retry"), 404, "not-found")
    assert (await charlie.get("/v1/jobs")).json()["items"] == []
    again = await alice.post(f"/v1/jobs/{item['job_id']}:retry")
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    problem(await alice.post(f"/v1/jobs/{other.json()['items'][0]['job_id']}:retry"), 409, "conflict")
