"""What curious people try: looking everywhere, guessing and forging, and breaking off in the middle."""

import asyncio
import io
import random
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from itertools import count, pairwise
from urllib.parse import quote
from uuid import UUID, uuid4

from isolation_oracle import Got, Person, canary
from isolation_scene import Paper, Scene

from knowlog.api.application import ROUTERS, scoped
from knowlog.database import Scope
from knowlog.kernel.errors import KnowlogError

_TURNS: defaultdict[str, Iterator[int]] = defaultdict(count)
"""Of each route its own: lists of routes come in the same order each time."""
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_NOBODYS = ("{asset}", "/schemas/", "{rest:path}")
"""In paths of what is the same for everybody: the page and its files, schemas."""
FORGEABLE = sorted(
    (method, route.path)
    for route in scoped(ROUTERS)
    for method in route.methods
    if _PARAMETER.search(route.path) and not any(each in route.path for each in _NOBODYS)
)
"""Every route that takes an id or a name in its path, those that are added later too."""
_BODIES: dict[tuple[str, str], object] = {
    ("POST", "documents"): {"text": "mine", "external_id": "mine"},
    ("POST", "documents:batch"): {"documents": [{"text": "mine", "external_id": "mine"}]},
    ("POST", "cuts"): {"profiles": [{"strategy": "fixed"}], "question": "mine"},
    ("POST", "feedback"): {"thumb": "up"},
    ("POST", ":replay"): {"since": "2026-01-01T00:00:00Z"},
    ("POST", "keys"): {"name": "mine", "role": "owner"},
    ("PATCH", "{document_id:uuid}"): {"title": "mine"},
    ("PATCH", "{collection}"): {"name": "mine"},
    ("PATCH", "{schedule}"): {"enabled": False},
    ("PATCH", "{endpoint_id:uuid}"): {"description": "mine"},
    ("PATCH", "{thread_id:uuid}"): {"title": "mine"},
    ("PATCH", "{source_id:uuid}"): {"state": "paused"},
    ("PATCH", "{tenant_id}"): {"weight": 2},
    ("PUT", "access"): {"subjects": []},
    ("PATCH", "access"): {"allow": [str(uuid4())]},
    ("PUT", "slug"): {"slug": "mine"},
    ("PUT", "Users/{id}"): {"userName": "mine@example.com"},
    ("PATCH", "Users/{id}"): {"Operations": [{"op": "replace", "path": "active", "value": False}]},
    ("PUT", "Groups/{id}"): {"displayName": "mine"},
    ("PATCH", "Groups/{id}"): {"Operations": [{"op": "replace", "path": "displayName", "value": "mine"}]},
}
_LISTS = (
    "/v1/documents",
    "/v1/collections",
    "/v1/jobs",
    "/v1/events",
    "/v1/events?order=oldest&since=beginning",
)
_ADMINS_LISTS = (
    "/v1/keys", "/v1/webhooks", "/v1/schedules", "/v1/sources", "/v1/dead-letters", "/v1/domains", "/v1/audit",
    "/v1/origins",
)  # fmt: skip
_FURTHER_LISTS = (
    *_LISTS[2:],
    "/v1/collections/handbook/states",
    "/v1/feedback",
    "/v1/threads",
    *_ADMINS_LISTS,
)


async def look_around(scene: Scene, number: int) -> None:
    """Everybody looks, all at once."""
    await asyncio.gather(
        *(look(scene, who, number + place) for place, who in enumerate(scene.people.values()))
    )


async def look(scene: Scene, who: Person, number: int) -> None:
    """Look at documents, collections and some other lists: all that is one's own, and nothing else."""
    world = scene.world
    further = (_FURTHER_LISTS * 2)[number % len(_FURTHER_LISTS) :][:2]
    documents, collections, *_ = await asyncio.gather(
        *(
            world.call(who, "GET", path + ("&" if "?" in path else "?") + "limit=200", surface="lists")
            for path in (*_LISTS[:2], *further)
        )
    )
    theirs = {paper.document_id for paper in scene.papers if scene.sees(who, paper)}
    if documents.status != 200:
        world.tally.leak(f"{who} was refused their documents: {documents.body!r}")
    if (seen := {each["document_id"] for each in documents.json()["items"]}) != theirs:
        world.tally.leak(f"{who} sees {len(seen)} documents instead of {len(theirs)}: {seen ^ theirs}")
    counted = sum(each["document_count"] for each in collections.json()["items"])
    if counted != len(theirs):
        world.tally.leak(f"collections count {counted} documents for {who}, who sees {len(theirs)}")


async def export(scene: Scene, owner: Person) -> None:
    """Take the archive of a tenant: unpacked, it holds what is the tenant's and nothing else."""
    got = await scene.world.call(owner, "GET", "/v1/export", surface="archives")
    if got.status != 200:
        scene.world.tally.leak(f"{owner} was refused their archive: {got.body!r}")
    with tarfile.open(fileobj=io.BytesIO(got.body)) as archive:
        members = [archive.extractfile(each) for each in archive if each.isfile()]
        unpacked = b"".join(each.read() for each in members if each)
    scene.world.judge(owner, replace(got, body=unpacked), "archive")
    if not all(each.word.encode() in unpacked for each in scene.papers if each.tenant == owner.tenant):
        scene.world.tally.leak(f"the archive of {owner} is not whole")


async def seek(scene: Scene, paper: Paper, kind: str = "search") -> None:
    """Everybody asks for the word of a paper: who may see it finds it, and nobody else."""
    asked = {"question": f"What is the price of the {paper.word} probe?"}
    people = list(scene.people.values())
    found = await asyncio.gather(
        *(scene.world.call(who, "POST", f"/v1/{kind}", asked, surface=kind) for who in people)
    )
    for who, got in zip(people, found, strict=True):
        passages = got.json().get("passages", []) if kind == "search" else got.json()["statements"]
        named = paper.document_id.encode() in got.body
        if scene.sees(who, paper) and paper in scene.papers and not named:
            scene.world.tally.leak(f"{who} does not find what is theirs: {got.body[:500]!r}")
        if (
            kind == "search"
            and not scene.sees(who, paper)
            and any(paper.word in each["text"] for each in passages)
        ):
            scene.world.tally.leak(f"{who} finds {paper.word}")


async def read(scene: Scene, paper: Paper) -> None:
    """Everybody asks for a paper by its id, in every form: it is there, or it is as if it had never been."""
    rests = ("", "/text", "/content", "/access")
    for who in scene.people.values():
        place = f"/v1/documents/{paper.document_id}"
        got = await asyncio.gather(*(scene.world.call(who, "GET", place + rest) for rest in rests))
        wanted = 200 if scene.sees(who, paper) and paper in scene.papers else 404
        if any(each.status != wanted for each in got[:3]):
            scene.world.tally.leak(f"{who} was told {[each.status for each in got]} of a paper, not {wanted}")


async def forge(scene: Scene, who: Person, routes: Sequence[tuple[str, str]], victim: dict[str, str]) -> None:
    """Ask for others' things, and for what does not exist: the answers are the same, word for word."""
    await asyncio.gather(*(_forge(scene, who, method, path, victim) for method, path in routes))


async def _forge(scene: Scene, who: Person, method: str, path: str, victim: dict[str, str]) -> None:
    known = {name: victim.get(name, victim["document_id"]) for name in _PARAMETER.findall(path)}
    absent = {name: _absent(value) for name, value in known.items()}
    body = next(
        (sent for (verb, end), sent in _BODIES.items() if verb == method and path.endswith(end)), None
    )
    if body is None and method in {"POST", "PUT", "PATCH"}:
        body = {}
    turn = (
        next(_TURNS[f"{method} {path}"]) % 2
    )  # what is warm the second time is so for each of the two in turn
    got = [await _ask(scene, who, method, path, (known, absent)[turn ^ each], body) for each in (0, 1)]
    forbidden, missing = got[turn], got[1 - turn]
    if method == "GET" and forbidden.status == 404:
        scene.world.tally.forged.append((forbidden.took_ns, missing.took_ns))
    same_words(scene, who, f"{method} {path}", (forbidden, known), (missing, absent))


async def _ask(scene: Scene, who: Person, method: str, path: str, ids: dict[str, str], body: object) -> Got:
    place = _PARAMETER.sub(lambda found: quote(ids[found[1]]), path)
    return await scene.world.call(who, method, place, body, surface="forged", if_match='"1"')


def same_words(
    scene: Scene, who: Person, asked: str, one: tuple[Got, dict[str, str]], other: tuple[Got, dict[str, str]]
) -> None:
    """Nothing tells the forbidden from the absent."""
    first, second = (got.words(*ids.values()) for got, ids in (one, other))
    if first != second:
        scene.world.tally.leak(f"{asked} tells {who} what exists: {first} is not {second}")


def _absent(value: str) -> str:
    return f"{canary()}.example.com" if value.endswith(".example.com") else str(uuid4())


async def name_foreign_collections(scene: Scene, who: Person, victim: dict[str, str]) -> None:
    """Name a collection of others in the body of a request."""
    for path, body in (
        ("/v1/search", {"question": "price"}),
        ("/v1/answers", {"question": "price"}),
        ("/v1/keys", {"name": "mine", "role": "reader"}),
        ("/v1/webhooks", {"url": "http://127.0.0.1:8443/"}),
        ("/v1/schedules", {"name": "mine", "task": "refresh", "every_s": 3600}),
    ):
        told = []
        for ids in ({"c": victim["collection"]}, {"c": str(uuid4())}):
            where = {"collection": ids["c"]} if "schedules" in path else {"collections": [ids["c"]]}
            told.append((await scene.world.call(who, "POST", path, {**body, **where}, surface="forged"), ids))
        same_words(scene, who, f"POST {path}", *told)


async def reuse(scene: Scene, owner: Person, thief: Person) -> None:
    """Use what the server gave another: cursors, an ETag, an Idempotency-Key, and the same names."""
    world = scene.world
    for path in _LISTS[:4]:
        given = (await world.good(owner, "GET", f"{path}?limit=1"))["next_cursor"]
        if given:
            await world.call(thief, "GET", f"{path}?limit=200&cursor={quote(given)}", surface="forged")
    events = (await world.good(owner, "GET", "/v1/events?limit=1"))["items"]
    since = quote(events[0]["cursor"])
    got = await world.call(thief, "GET", f"/v1/events?since={since}", surface="forged")
    if got.status == 200:
        world.tally.leak(f"{thief} goes on in the log of {owner}: {got.body!r}")
    made = {}
    for who in (owner, thief):
        body = {"name": made.get("name") or f"shared-{uuid4().hex}"}
        got = await world.call(
            who, "POST", "/v1/collections", body, idempotency_key=made.get("name", body["name"])
        )
        if got.status != 201 or got.json()["collection_id"] == made.get("collection_id"):
            world.tally.leak(f"{who} was told of another's collection or key: {got.status} {got.body!r}")
        made = {**body, **got.json()}
        await world.good(who, "DELETE", f"/v1/collections/{made['collection_id']}") if who is thief else None
    await world.good(owner, "DELETE", f"/v1/collections/{made['name']}")


async def upload_in_turns(scene: Scene, one: Person, other: Person) -> None:
    """Two tenants upload in turns: their ids tell nothing of each other."""
    ids = [
        int(UUID(paper.document_id)) & (1 << 62) - 1
        for who in (one, other, one)
        for paper in await scene.upload(who, "handbook")
    ]
    ids.sort()
    if any(after - before < 1 << 24 for before, after in pairwise(ids)):
        scene.world.tally.leak(f"ids can be guessed: {ids}")


async def view(scene: Scene, who: Person, collection: str, words: Sequence[str]) -> None:
    """Of somebody for whom nothing changes, every answer stays as it was, to the last digit of the scores."""
    asked = [
        ("GET", "/v1/documents?collection=" + collection, None),
        ("GET", f"/v1/collections/{collection}", None),
        ("GET", f"/v1/collections/{collection}/states", None),
        *(
            ("POST", "/v1/search", {"question": word, "collections": [collection], "explain": True})
            for word in ("price of the probe", "24 months agreed", *words)
        ),
        ("POST", "/v1/answers", {"question": "What does the probe cost?", "collections": [collection]}),
    ]
    got = await asyncio.gather(*(scene.world.call(who, *each, surface="views") for each in asked))
    now = [each.words() for each in got]
    before = scene.views.setdefault(who.name, now)
    for request, old, new in zip(asked, before, now, strict=True):
        if old != new:
            scene.world.tally.leak(f"what others do changes {request} of {who}: {old} became {new}")


async def break_off(scene: Scene, seed: int) -> None:
    """Requests of everybody, half of them cancelled somewhere in the middle; their connections serve others next."""
    dice = random.Random(seed)
    calls = [
        asyncio.create_task(
            scene.world.call(who, "POST", "/v1/search", {"question": "price"}, surface="aborted")
        )
        for who in scene.people.values()
        for _ in range(2)
    ]
    await asyncio.sleep(dice.random() * 0.02)
    for each in dice.sample(calls, len(calls) // 2):
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def break_transactions(scene: Scene, tenant: str) -> None:
    """A statement that times out, one that fails, and a task that is cancelled, each in a transaction of a tenant."""
    database = scene.world.app.database
    scope = Scope(UUID(scene.things[tenant]["tenant_id"]), "isolation")

    async def broken(statement: str, timeout_s: float | None) -> None:
        scene.world.tally.count("transactions")
        with suppress(KnowlogError, TimeoutError, Exception):
            async with database.transaction(scope) as connection:
                await connection.execute(statement, timeout=timeout_s)

    await asyncio.gather(
        broken("select pg_sleep(1)", 0.01),
        broken("select 1/0", None),
        broken("set local statement_timeout = 5; select pg_sleep(1)", None),
    )
    task = asyncio.create_task(broken("select pg_sleep(1)", None))
    await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def hang_up(scene: Scene, who: Person) -> None:
    """Real connections that end while the server answers, or before the request has come whole."""
    for path, method, body in (
        ("/v1/documents?limit=200", "GET", b""),
        ("/v1/search", "POST", b'{"question": "price"}'),
        ("/v1/events/stream?since=beginning", "GET", b""),
    ):
        await scene.world.glimpse(who, path, method, body, 0.005)


async def follow(scene: Scene, writer: Person, audience: frozenset[str] | None) -> None:
    """Everybody follows the log while somebody uploads: those hear of it who may see it, and nobody else."""
    people = list(scene.people.values())
    async with AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(scene.world.ear(who)) for who in people]
        (paper,) = await scene.upload(writer, "handbook", audience)
        named = paper.document_id.encode()
        for who, ear in zip(people, ears, strict=True):
            if scene.sees(who, paper) and not await ear.until(named):
                scene.world.tally.leak(f"{who} does not hear of {paper.document_id}: {ear.heard!r}")
        await asyncio.gather(*(ear.beats() for ear in ears))
    for who, ear in zip(people, ears, strict=True):
        if not scene.sees(who, paper) and named in ear.heard:
            scene.world.tally.leak(f"{who} heard {ear.heard!r} of {paper.document_id}")


async def command(scene: Scene, who: Person, number: int) -> None:
    """The same curiosity in a terminal."""
    paper = scene.papers[number % len(scene.papers)]
    words = (
        ("documents", "list", "--json"),
        ("documents", "show", paper.document_id, "--json"),
        ("search", paper.word, "--json"),
        ("events", "list", "--json"),
        ("jobs", "list", "--json"),
    )[number % 5]
    got = await scene.world.command(who, *words)
    if words[1] == "show" and (got.status == 200) != scene.sees(who, paper):
        scene.world.tally.leak(f"the command line tells {who} of {paper.document_id}: {got.body!r}")


def anonymous(who: Person) -> Person:
    """Somebody with a key of the tenant that was never given out."""
    return replace(who, name="nobody", tenant="nowhere", secret=who.secret[:-8] + "AAAAAAAA")
