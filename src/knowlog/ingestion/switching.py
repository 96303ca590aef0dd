"""A collection's change to another index and profile, in one step.

The new index is made whole beside the old one; then one transaction, for which indexers wait and questions do not, finds
that nothing is lacking and lets it answer. The old one is kept for a while: to roll back is to switch to it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from knowlog.bus import Event, JobState, LeaseLost, append_events, complete
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import Profile, get_collection, within
from knowlog.ingestion.building import Builder, Plan
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, NotFound, Unavailable
from knowlog.stores import LARGE, StoresSettings

_SQL = load_queries("knowlog.ingestion", "indexes.sql")
_LOG = logging.getLogger("knowlog.ingestion")
_ROUNDS = 5
"""So often an index is made whole while documents go on coming; then they wait for the last ones."""
_LOOK_EVERY_S = 1.0
_LOOKS = 600
"""So often it is looked whether a large index has its HNSW index."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A collection's change from one index and profile to others.

    Until its state is `done`, the old index answers, and `done` of `total` documents are in the new one. The old one is
    kept until `kept_until`. `profile_version` is that of the profile whose place it takes. `rolls_back` is the switch
    that this one takes back, `rolled_back_by` the one that takes this one back, or has.
    """

    switch_id: UUID
    collection_id: UUID
    collection: str
    job_id: UUID
    state: JobState
    reason: str | None
    index_id: UUID
    profile: Profile
    from_index: UUID
    from_profile: Profile
    profile_version: int
    rolls_back: UUID | None
    done: int
    total: int
    created_at: datetime
    created_by: str
    switched_at: datetime | None
    kept_until: datetime | None
    rolled_back_by: UUID | None


async def ask_switch(
    connection: Connection, scope: Scope, collection_id: UUID, profile: Profile, profile_version: int,
    begun: UUID | None = None,
) -> Switch:  # fmt: skip
    """Have a collection change from the profile that has this version to another, with all its defaults written out.

    Where the chunking is the same, the index stays. `begun` is an index that may be built in part already. Raises
    NotFound, and Conflict for a collection that is changing, or has another profile by now.
    """
    held = await _hold(connection, collection_id, profile_version)
    same = held["profile"].get("chunking") == profile.chunking
    index_id = held["index_id"] if same else begun or new_id()
    return await _ask(connection, scope, collection_id, held, index_id, profile, None)


async def roll_back(connection: Connection, scope: Scope, name_or_id: str) -> Switch:
    """Have a collection change back to the index and profile that it had before its last switch.

    Raises NotFound, and Conflict where there is none, its time is up, or the profile was changed since.
    """
    found = await get_collection(connection, scope, name_or_id)
    last = await connection.fetchrow(_SQL["last_switch"], found.collection_id)
    if last is None:
        raise Conflict(f"The collection {found.name!r} has not switched: there is nothing to roll back to.")
    if not last["kept"]:
        raise Conflict("The index before the last switch was kept for its time and is gone. Tune again.")
    held = await _hold(connection, found.collection_id, last["profile_version"] + 1)
    profile = Profile(**last["from_profile"])
    return await _ask(
        connection, scope, found.collection_id, held, last["from_index"], profile, last["switch_id"]
    )


async def _hold(connection: Connection, collection_id: UUID, profile_version: int) -> Any:
    await connection.execute(_SQL["await_switch"], collection_id)
    held = await connection.fetchrow(_SQL["hold_for_switch"], collection_id)
    if held is None:
        raise NotFound("There is no such collection.")
    if held["switching"] or held["rechunking"]:
        raise Conflict(f"The collection {held['name']!r} is changing already. Wait until that is done.")
    if held["profile_version"] != profile_version:
        raise Conflict(
            f"The collection {held['name']!r} has got another profile since (version {held['profile_version']}, not"
            f" {profile_version}). Tune again, or set its profile yourself."
        )
    return held


async def _ask(
    connection: Connection, scope: Scope, collection_id: UUID, held: Any, index_id: UUID, profile: Profile,
    rolls_back: UUID | None,
) -> Switch:  # fmt: skip
    switch_id = new_id()
    told = {"collection_id": collection_id}
    (job_id,) = await append_events(connection, "switch.requested", [(switch_id, told)])
    await connection.execute(
        _SQL["insert_switch"], switch_id, collection_id, job_id, index_id, profile.model_dump(), held["index_id"],
        held["profile"], held["profile_version"], rolls_back, scope.principal,
    )  # fmt: skip
    return await get_switch(connection, scope, switch_id)


async def get_switch(connection: Connection, scope: Scope, switch_id: UUID) -> Switch:
    """Return a switch. Raises NotFound."""
    row = await connection.fetchrow(_SQL["find_switch"], switch_id, within(scope))
    if row is None:
        raise NotFound("There is no such switch.")
    values = dict(row)
    values["profile"], values["from_profile"] = Profile(**row["profile"]), Profile(**row["from_profile"])
    return Switch(**values)


class Switcher:
    """Handles `switch.requested`. Whoever goes on with a switch that was cut off finds what is built.

    The settings say for how long the old index is kept; `counted` hears of each switch that has happened.
    """

    def __init__(
        self, builder: Builder, settings: StoresSettings, counted: Callable[[], object] = lambda: None
    ) -> None:
        self._builder = builder
        self._settings = settings
        self._counted = counted

    async def switch(self, worker: str, events: Sequence[Event]) -> None:
        """Do the switches that the events ask for."""
        for event in events:
            await self._switch(worker, event, Scope(event.tenant_id, f"worker:{worker}"))

    async def _switch(self, worker: str, event: Event, scope: Scope) -> None:
        try:
            async with self._builder.database.transaction(scope) as connection:
                wanted = await get_switch(connection, scope, event.subject)
                held = await connection.fetchrow(_SQL["hold_for_switch"], wanted.collection_id)
        except NotFound:  # it went with its collection
            with contextlib.suppress(LeaseLost):
                async with self._builder.database.transaction(scope) as connection:
                    await complete(connection, worker, [event])
            return
        _require_unchanged(wanted, held)
        plan = Plan(
            wanted.collection_id, wanted.index_id, wanted.profile.chunking, held["embedding_key"] or ""
        )
        if plan.index_id != wanted.from_index and plan.embedding_key:
            await self._make_whole(scope, wanted, plan)
        await self._finish(worker, event, scope, wanted, plan)
        self._counted()

    async def _make_whole(self, scope: Scope, wanted: Switch, plan: Plan) -> None:
        """Build until next to nothing is lacking, and the index is searched as fast as the one that answers."""

        told = monotonic()

        async def tell() -> None:
            nonlocal told
            if monotonic() - told > _LOOK_EVERY_S:
                told = monotonic()
                await self._lacking(scope, wanted, plan)

        for _ in range(_ROUNDS):
            await self._builder.complete(scope, plan, tell=tell)
            if not await self._lacking(scope, wanted, plan):
                break
        for _ in range(_LOOKS):
            if await self._searched_fast(scope, plan):
                break
            await asyncio.sleep(_LOOK_EVERY_S)

    @property
    def _keep(self) -> timedelta:
        return timedelta(days=self._settings.keep_index_days)

    async def _lacking(self, scope: Scope, wanted: Switch, plan: Plan) -> int:
        """Count what is lacking, and tell how far it is."""
        async with self._builder.database.transaction(scope) as connection:
            await connection.execute("set local synchronous_commit = off")
            counts = await connection.fetchrow(_SQL["count_lacking"], plan.collection_id, plan.index_id)
            done = counts["total"] - counts["lacking"]
            await connection.execute(_SQL["progress_switch"], wanted.switch_id, done, counts["total"])
        return int(counts["lacking"])

    async def _searched_fast(self, scope: Scope, plan: Plan) -> bool:
        async with self._builder.database.transaction(scope) as connection:
            return bool(
                await connection.fetchval(_SQL["searched_fast"], plan.index_id, plan.embedding_key, LARGE)
            )

    async def _finish(self, worker: str, event: Event, scope: Scope, wanted: Switch, plan: Plan) -> None:
        """Let the new index answer, in one transaction, in which nothing is lacking."""
        async with self._builder.database.transaction(scope) as connection:
            held = await connection.fetchrow(_SQL["hold_for_switch"], wanted.collection_id)
            _require_unchanged(wanted, held)
            if held["rechunking"] or (held["embedding_key"] or "") != plan.embedding_key:
                raise Unavailable(
                    "The collection is being cut or embedded anew. The switch waits until that is done."
                )
            if plan.index_id != wanted.from_index:
                await self._fill_gaps(connection, scope, plan)
                await connection.execute(_SQL["keep_indexes"], plan.index_id, wanted.from_index, self._keep)
            profile_version = await connection.fetchval(
                _SQL["switch_collection"], wanted.collection_id, plan.index_id, wanted.profile.model_dump()
            )
            await complete(connection, worker, [event])
            await connection.execute(_SQL["finish_switch"], wanted.switch_id)
            told = {"collection_id": wanted.collection_id, "profile_version": profile_version}
            await append_events(connection, "collection.switched", [(wanted.collection_id, told)])
        _LOG.info("collection %s has switched to index %s", wanted.collection_id, plan.index_id)

    async def _fill_gaps(self, connection: Connection, scope: Scope, plan: Plan) -> None:
        """Build what came last, while the caller's transaction keeps indexers waiting."""

        async def stay() -> None:
            await connection.execute("select 1")  # or it would be ended as idle

        while (await connection.fetchrow(_SQL["count_lacking"], plan.collection_id, plan.index_id))[
            "lacking"
        ]:
            await self._builder.complete(scope, plan, tell=stay)
        if not await connection.fetchval(_SQL["touch_index"], plan.index_id, self._keep):
            await connection.execute(_SQL["open_index"], plan.index_id, plan.collection_id, self._keep)


def _require_unchanged(wanted: Switch, held: Any) -> None:
    if held is None:
        raise Conflict("The collection was deleted.")
    if held["profile_version"] != wanted.profile_version:
        raise Conflict(
            "The collection has got another profile while it was being switched; that one stays. Tune again."
        )
