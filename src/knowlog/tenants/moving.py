"""Moving a tenant from one database to another while it is used (decision 15).

Its rows are copied and compared while everything goes on; then it is held: read, and not written, for the moment in which
the rest is copied and compared, and the home says that it lives elsewhere. What is read before that is the old place's,
what is read after it the new one's. A mover that is killed leaves a step that the next one goes on from, and at no step
are there two places where the tenant could be written.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import UUID

from knowlog.database import (
    FORGOTTEN_S,
    AnotherMover,
    Connection,
    Copier,
    CopyDiffers,
    Database,
    Home,
    Table,
    drop_rows,
    mover_session,
    raw_session,
    require_same,
    tables_of,
)
from knowlog.kernel.errors import KnowlogError, Unavailable
from knowlog.tenants.accounts import copy_accounts, drop_accounts
from knowlog.tenants.actions import operator_principal
from knowlog.tenants.audit import record_as_operator
from knowlog.tenants.moves import HOME, Move
from knowlog.tenants.vault import Vault

_LOG = logging.getLogger("knowlog.moves")
_MOST_PASSES = 6
_FEW_ROWS = 500
"""A pass that copied so few is followed by the last one."""
_DRAIN_S = 10.0
_PATIENCE_S, _HELD_S = 60.0, 10.0
_LOOK_S = 0.05
_WITH_ACCOUNTS = "members"
_SET_PLACE = """
    insert into places as p (placed_id, state, silo) values ($1, $2, $3)
    on conflict (tenant_id, placed_id) do update set state = excluded.state, silo = excluded.silo, since = now()"""
_LET_GO = "delete from places where placed_id = $1 and state in ('leaving', 'held', 'away')"
_JUST_LEFT = """
    select exists (select from places where placed_id = $1 and state = 'away'
                   and since > now() - make_interval(secs => $2))"""
_TENANTS_LOCKS = """
    select l.virtualtransaction from pg_locks l
    where l.locktype = 'advisory' and l.classid = 1802465141::oid and l.objid = hashtext($1)::oid and l.objsubid = 2
      and l.database = (select d.oid from pg_database d where d.datname = current_database())"""
_PUBLISHED = "select from log_readers r where (x.xid, x.position) > (r.xid, r.position)"
_TO_BE_PUBLISHED = f"exists ({_PUBLISHED})"
_MARK = f"case when {_TO_BE_PUBLISHED} then '4'::xid8 else '3'::xid8 end"
"""Numbers of transactions are a database's own. 3: an event that is published, or never will be; 4: one that is to be."""
_LEFT_BEHIND = frozenset({"places", "moves"})


class _GivenUp(Exception):
    """The operator has cancelled the move."""


class Mover:
    """Does one move, or what is left of it. `prepare` is called with the new place when most rows are there."""

    def __init__(
        self, home: Home, vault: Vault, move: Move, prepare: Callable[[Database], Awaitable[object]]
    ) -> None:
        self._databases = home
        self._vault = vault
        self._move = move
        self._prepare = prepare
        self._tenant_id = move.tenant_id
        self._told: dict[str, Any] = {}

    async def run(self) -> bool:
        """Go on to the end. False where it stands still, for a reason that the move then has, or another is at it."""
        try:
            async with self._sessions():
                return await self._go_on()
        except AnotherMover:
            return False
        except KnowlogError as error:
            _LOG.warning("the move of %s stands still: %s", self._tenant_id, error.detail)
            await self._note(error.detail)
        return False

    async def _note(self, reason: str) -> None:
        async with raw_session(self._databases.owner_url) as home:
            await home.execute(
                "update moves set reason = $2 where moved_id = $1 and finished_at is null",
                self._tenant_id,
                reason[:500],
            )

    @asynccontextmanager
    async def _sessions(self) -> AsyncIterator[None]:
        """Connections to the home, the old place and the new one; whoever has them alone moves this tenant."""
        self._old = await self._database(self._move.source)
        self._new = await self._database(self._move.target)
        async with (
            mover_session(self._databases.owner_url, self._tenant_id, "directory") as self._home,
            mover_session(self._old.owner_url, self._tenant_id, "rows") as self._source,
            mover_session(self._new.owner_url, self._tenant_id, "rows") as self._target,
        ):
            row = await self._home.fetchrow(
                "select step, told, finished_at from moves where moved_id = $1", self._tenant_id
            )
            if row is None or row["finished_at"]:
                raise AnotherMover("The move is over.")
            self._step, self._told = row["step"], row["told"]
            self._tables = [each for each in await tables_of(self._source) if each.name not in _LEFT_BEHIND]
            require_same(
                self._tables, [t for t in await tables_of(self._target) if t.name not in _LEFT_BEHIND]
            )
            yield

    async def _database(self, name: str) -> Database:
        return self._databases if name == HOME else await self._databases.silo(name)

    async def _go_on(self) -> bool:
        try:
            if self._step != "switched":
                await self._arrive()
                await self._copy_ahead()
                await self._switch()
        except _GivenUp:
            await self._give_up()
            return True
        except BaseException:
            await self._release()
            raise
        await self._settle()
        return True

    async def _arrive(self) -> None:
        """The new place is not to take the tenant for one that is there; the old one lets go what a dead mover held."""
        if self._new is not self._databases:
            if await self._target.fetchval(_JUST_LEFT, self._tenant_id, FORGOTTEN_S):
                raise Unavailable(
                    "The tenant has left this silo within the last minute. It is moved in a minute."
                )
            await self._target.execute(_SET_PLACE, self._tenant_id, "arriving", None)
        await self._release()
        again = "update events set xid = '3' where tenant_id = $1 and xid = '4'"
        await self._target.execute(again, self._tenant_id)
        await self._step_to("copying")

    async def _copy_ahead(self) -> None:
        """Copy while everything goes on, until a pass finds little; compare all; copy what came meanwhile."""
        ahead = [each for each in self._tables if each.name != _WITH_ACCOUNTS]
        for number in range(_MOST_PASSES):
            async with self._moment() as copier:
                copied = await self._pass(copier, ahead)
            if number == 0:
                await self._prepare(self._new)
            if copied <= _FEW_ROWS:
                break
        async with self._moment() as copier:
            await self._pass(copier, ahead)
            await self._compare(copier, ahead)
        async with self._moment() as copier:
            await self._pass(copier, ahead)

    @asynccontextmanager
    async def _moment(self) -> AsyncIterator[Copier]:
        """See the old place as it is at one moment."""
        async with self._source.transaction(isolation="repeatable_read", readonly=True):
            yield Copier(self._source, self._target, self._tenant_id)

    async def _pass(self, copier: Copier, tables: list[Table]) -> int:
        """Copy what is new. What was copied is remembered after each table."""
        copied, mark = 0, await copier.now()
        known = self._told.setdefault("tables", {})
        for table in tables:
            await self._require_wanted()
            before = known.get(table.name, {"since": None, "rows": 0})
            async with self._anew_if_different(table):
                rows = await copier.copy(self._special(table), before["since"])
            known[table.name] = {"since": mark, "rows": before["rows"] + rows}
            await self._tell()
            copied += rows
        return copied

    @asynccontextmanager
    async def _anew_if_different(self, table: Table) -> AsyncIterator[None]:
        """A table that was copied wrongly is copied whole by the next attempt."""
        try:
            yield
        except CopyDiffers:
            self._told.get("tables", {}).pop(table.name, None)
            await self._tell()
            raise

    async def _compare(self, copier: Copier, tables: list[Table]) -> None:
        for table in tables:
            await self._require_wanted()
            async with self._anew_if_different(table):
                await copier.compare(self._special(table))

    def _special(self, table: Table) -> Table:
        """Two tables have a column that means something in one database alone."""
        if table.name == "events":
            return replace(table, made={"xid": _MARK}, again=_TO_BE_PUBLISHED)
        if table.name == _WITH_ACCOUNTS:
            own = "(select p.person_id from people p where p.email = x.email)"
            return replace(table, taken={"person_id": own})
        return table

    async def _switch(self) -> None:
        """Hold the tenant, copy the rest, and let it live at its new place."""
        await self._place_old("leaving")
        await self._drain()
        await self._wait_for_writers(_PATIENCE_S)
        await self._step_to("holding")
        await self._place_old("held")
        began = monotonic()
        await self._wait_for_writers(_HELD_S)
        async with AsyncExitStack() as guards:
            await guards.enter_async_context(self._readers_of_log())
            await copy_accounts(
                self._source, self._target, self._old, self._new, self._vault, self._tenant_id
            )
            async with self._moment() as copier:
                await self._copy_rest(copier)
            await self._turn(began)
        self._step = "switched"

    async def _drain(self) -> None:
        """Let jobs that run come to their end; one that takes too long is done again at the new place."""
        until = monotonic() + _DRAIN_S
        running = "select exists (select from events where tenant_id = $1 and state = 'running')"
        while monotonic() < until and await self._source.fetchval(running, self._tenant_id):
            await self._require_wanted()
            await asyncio.sleep(_LOOK_S)

    async def _wait_for_writers(self, patience_s: float) -> None:
        """Wait for the transactions that have begun already: before the hold those that last, then all others."""
        before, until = set(await self._at_work()), monotonic() + patience_s
        while before & set(await self._at_work()):
            if monotonic() > until:
                raise Unavailable("A transaction of the tenant does not end. It is tried again.")
            await asyncio.sleep(_LOOK_S)

    async def _at_work(self) -> list[str]:
        return [row[0] for row in await self._source.fetch(_TENANTS_LOCKS, str(self._tenant_id))]

    @asynccontextmanager
    async def _readers_of_log(self) -> AsyncIterator[None]:
        """Nobody publishes from the old place meanwhile; the new one has the same readers."""
        async with raw_session(self._old.owner_url) as guard, guard.transaction():
            for reader in await guard.fetch("select reader from log_readers order by reader for update"):
                await self._target.execute(
                    "insert into log_readers values ($1, $2, pg_snapshot_xmin(pg_current_snapshot()), 0)"
                    " on conflict do nothing", UUID(int=0), reader["reader"],
                )  # fmt: skip
            yield

    async def _copy_rest(self, copier: Copier) -> None:
        """Copy what was written since the comparison, which compares just that and all keys; and who are members."""
        if not await self._source.fetchval(
            "select exists (select from tenants where tenant_id = $1)", self._tenant_id
        ):
            raise _GivenUp  # it was deleted meanwhile
        self._told.get("tables", {}).pop(_WITH_ACCOUNTS, None)
        await self._pass(copier, self._tables)
        await self._compare(copier, [each for each in self._tables if each.name == _WITH_ACCOUNTS])
        for table in self._tables:
            await copier.lift_numbers(table)

    async def _turn(self, began: float) -> None:
        """The moment from which the tenant lives at its new place is the commit in the home."""
        if self._new is not self._databases:
            await self._target.execute(_SET_PLACE, self._tenant_id, "open", None)
        if self._old is not self._databases:
            await self._place_old("away")
        self._told["held_s"] = round(monotonic() - began, 3)
        async with self._home.transaction():
            switched = await self._home.fetchval(
                "update moves set step = 'switched', told = $2, reason = null, changed_at = now()"
                " where moved_id = $1 and not cancelled returning true", self._tenant_id, self._told,
            )  # fmt: skip
            if not switched:
                raise _GivenUp
            if self._new is self._databases:
                await self._home.execute("delete from places where placed_id = $1", self._tenant_id)
                await self._publish_the_rest(self._home)
            else:
                await self._home.execute(_SET_PLACE, self._tenant_id, "away", self._move.target)

    async def _settle(self) -> None:
        """Let its workers begin at the new place, and delete what is left at the old one."""
        if self._new is not self._databases:
            async with self._target.transaction():
                await self._target.execute("delete from places where placed_id = $1", self._tenant_id)
                await self._publish_the_rest(self._target)
        await drop_rows(self._source, self._tables, self._tenant_id)
        await drop_accounts(self._source)
        await self._record()
        await self._finish("done", None)

    async def _publish_the_rest(self, connection: Connection) -> None:
        await connection.execute(
            "update events set xid = pg_current_xact_id() where tenant_id = $1 and xid = '4'", self._tenant_id
        )

    async def _record(self) -> None:
        scope = operator_principal(self._tenant_id).scope
        told = {"source": self._move.source, "target": self._move.target}
        async with self._new.system() as connection:
            await record_as_operator(connection, scope, "tenant.moved", f"tenant:{self._tenant_id}", told)

    async def _release(self) -> None:
        """Whatever went wrong: unless it was at its new place already, the tenant is written again where it was."""
        async with raw_session(self._databases.owner_url) as home, home.transaction():
            step = await home.fetchval(
                "select step from moves where moved_id = $1 for update", self._tenant_id
            )
            if step == "switched":
                return
            if self._old is self._databases:
                await home.execute(_LET_GO, self._tenant_id)
                return
            async with raw_session(self._old.owner_url) as old:
                await old.execute(_LET_GO, self._tenant_id)

    async def _give_up(self) -> None:
        await self._release()
        await drop_rows(self._target, self._tables, self._tenant_id)
        await drop_accounts(self._target)
        if self._new is not self._databases:
            await self._target.execute("delete from places where placed_id = $1", self._tenant_id)
        await self._finish("given up", "The operator has cancelled it.")

    async def _place_old(self, state: str) -> None:
        await self._source.execute(_SET_PLACE, self._tenant_id, state, None)

    async def _require_wanted(self) -> None:
        if await self._home.fetchval("select cancelled from moves where moved_id = $1", self._tenant_id):
            raise _GivenUp

    async def _step_to(self, step: str) -> None:
        await self._require_wanted()
        await self._home.execute(
            "update moves set step = $2, reason = null, changed_at = now() where moved_id = $1",
            self._tenant_id,
            step,
        )

    async def _tell(self) -> None:
        await self._home.execute(
            "update moves set told = $2, changed_at = now() where moved_id = $1", self._tenant_id, self._told
        )

    async def _finish(self, step: str, reason: str | None) -> None:
        await self._home.execute(
            "update moves set step = $2, reason = $3, changed_at = now(), finished_at = now() where moved_id = $1",
            self._tenant_id, step, reason,
        )  # fmt: skip
        _LOG.info("the move of %s is %s", self._tenant_id, step)
