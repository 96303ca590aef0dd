"""What one may not see looks exactly like what is not there: status, words, counts, scores."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from api_scene import Client, MakeClient, upload
from permission_scene import CANARY, Secret, make_secret

from knowlog.bootstrap import App
from knowlog.database import Scope

ADDRESSES = [
    ("GET", "/v1/documents/{document_id}", None),
    ("GET", "/v1/documents/{document_id}/text", None),
    ("GET", "/v1/documents/{document_id}/content", None),
    ("GET", "/v1/documents/{document_id}/events", None),
    ("GET", "/v1/documents/{document_id}/access", None),
    ("PUT", "/v1/documents/{document_id}/access", {"subjects": None}),
    ("PATCH", "/v1/documents/{document_id}", {"title": "Mine"}),
    ("PATCH", "/v1/documents/{document_id}", {"metadata": {}}),
    ("DELETE", "/v1/documents/{document_id}", None),
    ("POST", "/v1/documents/{document_id}:retry", None),
    ("GET", "/v1/jobs/{job_id}", None),
    ("GET", "/v1/jobs/{job_id}/events", None),
    ("POST", "/v1/jobs/{job_id}:retry", None),
    ("POST", "/v1/jobs/{job_id}:cancel", None),
    ("GET", "/v1/events/{event_id}", None),
]
LISTS = [
    ("/v1/documents", {}),
    ("/v1/documents", {"external_id": "settlement"}),
    ("/v1/documents", {"metadata": f'{{"kind": "{CANARY}"}}'}),
    ("/v1/documents", {"state": "indexed", "limit": 1}),
    ("/v1/collections/handbook/documents", {}),
    ("/v1/collections", {}),
    ("/v1/collections/handbook", {}),
    ("/v1/collections/handbook/states", {}),
    ("/v1/jobs", {}),
    ("/v1/jobs", {"state": "done"}),
    ("/v1/events", {}),
    ("/v1/events", {"order": "oldest", "since": "beginning"}),
]
QUESTIONS = [
    ("/v1/search", {"question": f"{CANARY} settlement", "explain": True}),
    ("/v1/search", {"question": "warranty", "explain": True, "limit": 100}),
    ("/v1/search", {"question": "warranty", "filter": {"kind": CANARY}}),
    ("/v1/answers", {"question": f"What does the {CANARY} settlement cost?"}),
]
CHANGING = re.compile(
    r'"(request_id|took_ms|last_used_at|updated_at|next_cursor|cursor|answer_id)":("[^"]*"|[\d.]+|null)'
)


def told(answer: Any, ids: tuple[str, ...] = ()) -> tuple[int, str, dict[str, str]]:
    """All that an answer tells, without what differs each time, or was in the question."""
    body = CHANGING.sub("", answer.text)
    for each in ids:
        body = body.replace(each, "ID")
    kept = {
        name: answer.headers.get(name, "") for name in ("content-type", "etag", "location", "retry-after")
    }
    return answer.status_code, body, kept


@pytest.mark.parametrize(("method", "path", "body"), ADDRESSES, ids=lambda value: str(value))
async def test_by_id(bob: Client, alice: Client, secret: Secret, method: str, path: str, body: Any) -> None:
    """Bob knows every id, and gets what a stranger to them gets."""
    absent = Secret(*(str(uuid4()) for _ in secret))
    before = told(await alice.get(f"/v1/documents/{secret.document_id}"))
    forbidden, none = [
        told(await bob.request(method, path.format(**each._asdict()), json=body), each)
        for each in (secret, absent)
    ]
    assert forbidden == none
    assert forbidden[0] in {403, 404}
    assert told(await alice.get(f"/v1/documents/{secret.document_id}")) == before


async def test_whoever_is_named_sees_it(dora: Client, secret: Secret) -> None:
    """So that the tests here prove something."""
    for path in ("/v1/documents/{0}", "/v1/documents/{0}/text", "/v1/jobs/{1}", "/v1/events/{2}"):
        assert (await dora.get(path.format(*secret))).status_code == 200, path
    found = await dora.post("/v1/search", json={"question": CANARY})
    assert CANARY in found.json()["passages"][0]["text"]


async def test_lists_counts_and_scores(
    app: App, alice: Client, bob: Client, legal: UUID, handbook: str
) -> None:
    """All that Bob can be told is the same before the document came, and after."""

    async def everything() -> list[Any]:
        lists = [told(await bob.get(path, params=params)) for path, params in LISTS]
        return lists + [told(await bob.post(path, json=body)) for path, body in QUESTIONS]

    before = await everything()
    await make_secret(app, alice, legal)
    assert await everything() == before
    assert all(CANARY not in str(each) for each in before[: len(LISTS)])


async def test_an_admin_sees_everything(make_client: MakeClient, tenant: Scope, secret: Secret) -> None:
    """Who may change the lists need not be in them."""
    admin = await make_client(tenant, "admin")
    assert (await admin.get(f"/v1/documents/{secret.document_id}")).status_code == 200


async def test_a_stranger_with_the_same_group_sees_nothing(
    make_client: MakeClient, other_tenant: Scope, legal: UUID, secret: Secret
) -> None:
    """A list names subjects of its own tenant, whatever ids others give theirs."""
    charlie = await make_client(other_tenant, "editor", groups=[legal])
    assert (await charlie.get(f"/v1/documents/{secret.document_id}")).status_code == 404
    assert (await charlie.post("/v1/search", json={"question": CANARY})).json()["passages"] == []


async def test_pages_go_on_where_a_colleague_left_off(alice: Client, bob: Client, secret: Secret) -> None:
    """A cursor of Alice's, in Bob's hands, opens nothing."""
    page = (await alice.get("/v1/documents", params={"limit": 1})).json()
    rest = (await bob.get("/v1/documents", params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert rest["items"] == []
    listed = (await alice.get("/v1/events", params={"limit": 1})).json()
    others = (await bob.get("/v1/events", params={"cursor": listed["next_cursor"]})).text
    assert secret.document_id not in others


async def test_a_repeated_request_is_its_senders_alone(
    alice: Client, bob: Client, legal: UUID, secret: Secret
) -> None:
    """Alice's Idempotency-Key is not Bob's."""
    again = {"Idempotency-Key": "upload-7"}
    body = {"text": "The merger is off.", "external_id": "merger"}
    path = "/v1/collections/handbook/documents"
    hers = await alice.post(path, json={**body, "access": [str(legal)]}, headers=again)
    his = await bob.post(path, json=body, headers=again)
    assert (hers.status_code, his.status_code) == (202, 202)
    assert hers.json()["items"][0]["document_id"] != his.json()["items"][0]["document_id"]


async def test_a_name_that_is_hidden_is_free(alice: Client, bob: Client, secret: Secret) -> None:
    """Bob's document of that name is his own; each then means the one that they can see, Alice her older one."""
    his = await upload(bob, "My own settlement.", external_id="settlement")
    assert his != secret.document_id
    assert await upload(bob, "My own settlement, improved.", external_id="settlement") == his
    assert await upload(alice, "It costs ten million.", external_id="settlement") == secret.document_id
    found = await alice.get("/v1/documents", params={"external_id": "settlement"})
    assert {each["document_id"] for each in found.json()["items"]} == {his, secret.document_id}


async def test_a_retry_of_all_dead_jobs_leaves_out_what_is_hidden(
    app: App, alice: Client, bob: Client, tenant: Scope, secret: Secret
) -> None:
    """Bob retries what he sees."""
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update events set state = 'failed' where event_id = $1", UUID(secret.job_id)
        )
    assert (await bob.post("/v1/jobs:retry", json={})).json() == {"retried": 0}
    assert (await alice.post("/v1/jobs:retry", json={})).json() == {"retried": 1}


async def test_a_deletion_is_told_to_those_who_could_see_it(
    alice: Client, bob: Client, dora: Client, secret: Secret
) -> None:
    """The receipt keeps the list."""
    assert (await dora.delete(f"/v1/documents/{secret.document_id}")).status_code == 200
    asked = {"subject": secret.document_id}
    for client, types in ((bob, []), (dora, ["document.deleted"]), (alice, ["document.deleted"])):
        listed = (await client.get("/v1/events", params=asked)).json()["items"]
        assert [each["type"] for each in listed][:1] == types
