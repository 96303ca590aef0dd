"""Threads: conversations of one member or key. The attacks come first: others, rights taken away, documents that go."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from api_scene import Client, MakeClient, events_of, problem, settled, upload, working
from people_scene import People, new_email

from knowlog.bootstrap import App
from knowlog.database import Scope

WARRANTY = "Pumps have a warranty of two years. It covers parts and labour."
SECRET = "The spare key of the Hamburg warehouse lies under the third stone."
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def handbook(app: App, alice: Client) -> Client:
    """Alice's handbook with two documents."""
    async with working(app):
        ids = [await upload(alice, text, external_id=text[:5]) for text in (WARRANTY, SECRET)]
        for each in ids:
            await settled(alice, each)
    return alice


async def begin(client: Client, **described: Any) -> str:
    """A thread of the client's."""
    made = await client.post("/v1/threads", json=described)
    assert made.status_code == 201, made.text
    return str(made.json()["thread_id"])


async def ask(client: Client, thread_id: str, question: str) -> dict[str, Any]:
    """Ask in a thread."""
    asked = {"question": question, "collections": ["handbook"], "thread_id": thread_id}
    answer = await client.post("/v1/answers", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def turns(client: Client, thread_id: str) -> list[dict[str, Any]]:
    """What the client may read of a thread."""
    answer = await client.get(f"/v1/threads/{thread_id}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["turns"]
    return found


async def document_of(client: Client, external_id: str) -> str:
    """The id of a document."""
    listed = await client.get("/v1/documents", params={"collection": "handbook"})
    return next(
        str(each["document_id"]) for each in listed.json()["items"] if each["external_id"] == external_id
    )


async def test_a_thread_is_its_owners_alone(
    handbook: Client, bob: Client, charlie: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """To a colleague, another key, a stranger, and the owner of the tenant, it is not there, whatever they try."""
    thread_id = await begin(bob)
    await ask(bob, thread_id, "How long is the warranty of pumps?")
    place, another = f"/v1/threads/{thread_id}", await make_client(tenant, "reader")
    for client in (handbook, another, charlie):
        absent = problem(await client.get(place), 404, "not-found")
        assert "`knowlog threads list`" in str(absent["detail"])
        problem(await client.get(f"{place}/export"), 404, "not-found")
        problem(await client.patch(place, json={"title": "mine"}), 404, "not-found")
        problem(await client.delete(place), 404, "not-found")
        taken = await client.post("/v1/answers", json={"question": "Why?", "thread_id": thread_id})
        problem(taken, 404, "not-found")
        assert (await client.get("/v1/threads")).json()["items"] == []
    assert len(await turns(bob, thread_id)) == 1


async def test_the_database_itself_keeps_a_thread_from_others(app: App, bob: Client, tenant: Scope) -> None:
    """A query that forgets whose threads it reads finds none, whoever it says that it is but the owner."""
    await begin(bob, title="mine")
    counts = "select count(*) from threads"
    async with app.database.transaction(tenant) as connection:
        assert await connection.fetchval(counts) == 0
        await connection.execute("select set_config('knowlog.principal', 'key:somebody', true)")
        assert await connection.fetchval(counts) == 0
    made = (
        "insert into threads (tenant_id, thread_id, owner, key_id)"
        " select tenant_id, gen_random_uuid(), 'key:another', key_id from api_keys limit 1"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with app.database.transaction(tenant) as connection:
            await connection.execute(made)


async def test_what_is_not_for_the_reader_any_more_is_not_read_again(handbook: Client, bob: Client) -> None:
    """Neither shown nor exported, in words or in quotes; given back, it is there again."""
    thread_id = await begin(bob)
    first = await ask(bob, thread_id, "Where is the spare key of the Hamburg warehouse?")
    assert "third stone" in first["text"]
    access = f"/v1/documents/{await document_of(handbook, SECRET[:5])}/access"
    assert (await handbook.put(access, json={"subjects": []})).status_code == 200
    (turn,) = await turns(bob, thread_id)
    exports = [
        (await bob.get(f"/v1/threads/{thread_id}/export", params={"format": form})).text
        for form in ("markdown", "json")
    ]
    assert "stone" not in f"{turn}{exports}"
    assert (turn["statements"], turn["withheld"]) == ([], len(first["statements"]))
    assert turn["text"].startswith("What this answer rested on")
    assert (await handbook.put(access, json={"subjects": None})).status_code == 200
    assert (await turns(bob, thread_id))[0]["text"] == first["text"]


async def test_what_was_deleted_goes_from_every_thread_and_the_receipt_counts_it(
    app: App, handbook: Client, bob: Client, tenant: Scope
) -> None:
    """Of the rows themselves nothing is left: neither the quote nor what was said by it."""
    thread_id = await begin(bob)
    first = await ask(bob, thread_id, "Where is the spare key of the Hamburg warehouse?")
    quotes = sum(
        each["external_id"] == SECRET[:5] for said in first["statements"] for each in said["citations"]
    )
    receipt = await handbook.delete(f"/v1/documents/{await document_of(handbook, SECRET[:5])}")
    assert receipt.json()["thread_quotes"] == quotes > 0
    assert receipt.json()["proof"]["rows_left"]["thread_quotes"] == 0
    assert "stone" not in str(await turns(bob, thread_id))
    async with app.database.owner() as connection:
        for table, column in (("turn_citations", "quote"), ("turn_statements", "text")):
            await connection.execute("set role knowlog_definer")
            left = f"select count(*) from knowlog.{table} where {column} like '%stone%' and tenant_id = $1"
            assert await connection.fetchval(left, tenant.tenant_id) == 0


async def test_a_new_version_takes_the_quotes_of_the_old_one(app: App, handbook: Client) -> None:
    """What was corrected is not told again as if it still stood there."""
    thread_id = await begin(handbook)
    await ask(handbook, thread_id, "How long is the warranty of pumps?")
    async with working(app):
        changed = await upload(handbook, "Pumps have a warranty of one year.", external_id=WARRANTY[:5])
        await settled(handbook, changed)
    (turn,) = await turns(handbook, thread_id)
    assert "two years" not in str(turn)
    assert turn["question"] == "How long is the warranty of pumps?"


async def test_a_question_is_understood_after_those_before_it(handbook: Client) -> None:
    """Asked alone it finds nothing to say; in the thread it carries over what it leans on, and that is told."""
    thread_id = await begin(handbook)
    first = await ask(handbook, thread_id, "How long is the warranty of pumps?")
    second = await ask(handbook, thread_id, "What does it cover?")
    assert (first["standalone"], first["turn"], second["turn"]) == (None, 1, 2)
    assert {"pumps", "warranty"} <= set(second["standalone"].strip(")").replace("(", "").split())
    assert "parts and labour" in second["text"]
    stored = await turns(handbook, thread_id)
    assert [each["standalone"] for each in stored] == [None, second["standalone"]]
    assert [each["text"] for each in stored] == [first["text"], second["text"]]
    assert stored[1]["statements"] == second["statements"]


async def test_a_streamed_answer_is_stored_when_it_ends(handbook: Client) -> None:
    """The event done names its turn."""
    thread_id = await begin(handbook)
    asked = {"question": "How long is the warranty of pumps?", "thread_id": thread_id}
    stream = await handbook.post("/v1/answers", json=asked, headers=STREAM)
    (name, done) = events_of(stream.text)[-1]
    assert (name, done["turn"], done["thread_id"]) == ("done", 1, thread_id)
    assert (await turns(handbook, thread_id))[0]["text"] == done["text"]
    absent = {**asked, "thread_id": "00000000-0000-0000-0000-000000000000"}
    problem(await handbook.post("/v1/answers", json=absent, headers=STREAM), 404, "not-found")


async def test_threads_are_listed_named_and_deleted(handbook: Client) -> None:
    """The newest first; the first question is a thread's title unless it has one."""
    one, two = await begin(handbook), await begin(handbook, title="Spare keys")
    await ask(handbook, one, "How long is the warranty of pumps?")
    page = (await handbook.get("/v1/threads", params={"limit": 1})).json()
    rest = (await handbook.get("/v1/threads", params={"cursor": page["next_cursor"]})).json()
    listed = [*page["items"], *rest["items"]]
    titles = [(each["thread_id"], each["title"], each["turn_count"]) for each in listed]
    assert titles == [(one, "How long is the warranty of pumps?", 1), (two, "Spare keys", 0)]
    renamed = await handbook.patch(f"/v1/threads/{two}", json={"title": "Keys"})
    assert renamed.json()["title"] == "Keys"
    problem(await handbook.patch(f"/v1/threads/{two}", json={"title": " "}), 422, "invalid")
    assert (await handbook.delete(f"/v1/threads/{one}")).status_code == 204
    problem(await handbook.get(f"/v1/threads/{one}"), 404, "not-found")


async def test_a_thread_is_exported_whole(handbook: Client) -> None:
    """Markdown to read, in which nothing of a document comes to life; JSON as it is shown."""
    thread_id = await begin(handbook)
    answer = await ask(handbook, thread_id, "How long is the warranty of <b>pumps</b>?")
    page = await handbook.get(f"/v1/threads/{thread_id}/export")
    assert page.headers["content-type"] == "text/markdown; charset=utf-8"
    assert f"thread-{thread_id}.md" in page.headers["content-disposition"]
    assert answer["text"] in page.text.replace("\\", "")
    assert "\\<b\\>" in page.text
    as_json = await handbook.get(f"/v1/threads/{thread_id}/export", params={"format": "json"})
    assert as_json.json() == (await handbook.get(f"/v1/threads/{thread_id}")).json()


async def test_a_key_of_one_collection_reads_no_quote_of_another(
    app: App, handbook: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Even where the database shows it: rows of a thread that hold one are left out."""
    collection = (await handbook.get("/v1/collections/handbook")).json()["collection_id"]
    limited = await make_client(tenant, "reader", [collection])
    thread_id = await begin(limited)
    await ask(limited, thread_id, "How long is the warranty of pumps?")
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update api_keys set collections = '{}' where collections is not null")
    (turn,) = await turns(limited, thread_id)
    assert (turn["statements"], turn["withheld"] > 0) == ([], True)


async def test_a_members_threads_go_with_the_membership(
    app: App, handbook: Client, tenant: Scope, people: People
) -> None:
    """And are the same in each session of theirs, until then."""
    joined = await people.joined(handbook, tenant, email := new_email("bob"))
    member, _ = await people.signed_in(email)
    thread_id = await begin(member)
    await ask(member, thread_id, "How long is the warranty of pumps?")
    again, _ = await people.signed_in(email)
    assert len(await turns(again, thread_id)) == 1
    assert (await handbook.delete(f"/v1/members/{joined['member_id']}")).status_code in {200, 204}
    async with app.database.owner() as connection:
        await connection.execute("set role knowlog_definer")
        left = "select count(*) from knowlog.turns where tenant_id = $1"
        assert await connection.fetchval(left, tenant.tenant_id) == 0


async def test_threads_go_when_their_term_is_over_or_their_key_is_revoked(
    app: App, handbook: Client, bob: Client, tenant: Scope
) -> None:
    """Others stay."""
    old, young = await begin(handbook), await begin(handbook)
    await begin(bob)
    keys = (await handbook.get("/v1/keys")).json()["items"]
    readers = next(each["key_id"] for each in keys if each["role"] == "reader")
    assert (await handbook.delete(f"/v1/keys/{readers}")).status_code in {200, 204}
    async with app.database.owner() as connection:
        await connection.execute("set role knowlog_definer")
        aged = "update knowlog.threads set updated_at = now() - $2::interval where thread_id = $1"
        await connection.execute(aged, old, timedelta(366))
    async with app.database.system() as connection:
        assert await connection.fetchval("select forget_old_threads(365)") >= 2
    listed = (await handbook.get("/v1/threads")).json()["items"]
    assert [each["thread_id"] for each in listed] == [young]


async def test_what_makes_no_sense_is_refused_and_changes_nothing(handbook: Client) -> None:
    """A thread and a history of one's own, no id, a title too long."""
    thread_id = await begin(handbook)
    both = {"question": "Why?", "thread_id": thread_id, "history": ["How long?"]}
    problem(await handbook.post("/v1/answers", json=both), 422, "invalid")
    problem(await handbook.post("/v1/answers", json={"question": "Why?", "thread_id": "new"}), 422, "invalid")
    problem(await handbook.post("/v1/threads", json={"title": "x" * 201}), 422, "invalid")
    assert await turns(handbook, thread_id) == []


async def test_a_thread_begun_twice_by_one_key_is_one(handbook: Client) -> None:
    """A client that lost the answer asks again."""
    header = {"Idempotency-Key": "begun-once"}
    made = [await handbook.post("/v1/threads", json={}, headers=header) for _ in range(2)]
    assert made[0].json() == made[1].json()
    assert len((await handbook.get("/v1/threads")).json()["items"]) == 1


async def test_history_may_be_sent_without_a_thread(handbook: Client) -> None:
    """Who keeps their conversations themselves has the same of it, for a search too."""
    asked = {"question": "What does it cover?", "history": ["How long is the warranty of pumps?"]}
    answer = (await handbook.post("/v1/answers", json=asked)).json()
    assert "parts and labour" in answer["text"]
    assert (answer["thread_id"], answer["turn"]) == (None, None)
    found = (await handbook.post("/v1/search", json={**asked, "explain": True})).json()
    assert found["steps"][0]["what"] == "carried over what the question leans on"
