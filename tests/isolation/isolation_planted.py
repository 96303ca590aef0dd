"""Bugs that others have had, planted one at a time: what the machine must find.

Each has two halves, as it has in the wild: the trap, and somebody who steps into it, such as a query that forgets the
tenant. Where only one half is there, knowlog's other walls hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from uuid import UUID

import pytest

from knowlog.api import collections as api
from knowlog.database import pool
from knowlog.documents import actions as documents
from knowlog.documents import collections

_FORGETFUL = ("tenant_id = tenant() and ", "d.tenant_id = tenant() and ", "c.tenant_id = tenant() and ")


@dataclass(frozen=True)
class Bug:
    """`sql` is run by the owner of a throw-away database; `plant` changes the application. It may take `calls`."""

    name: str
    sql: str = ""
    plant: Callable[[pytest.MonkeyPatch], None] = lambda _: None
    calls: int = 4000


def forget_tenant(patch: pytest.MonkeyPatch) -> None:
    """Queries of collections and documents that leave the tenant to the policies."""
    for room in (collections, documents):
        for name, statement in list(room._SQL.items()):
            if name in {"list_collections", "documents_by_id"}:
                for each in _FORGETFUL:
                    statement = statement.replace(f"where {each}", "where ")
                patch.setitem(room._SQL, name, statement)


def session_setting(patch: pytest.MonkeyPatch) -> None:
    """The tenant is set for the session, and snapshots trust that it is."""
    patch.setattr(pool, "_BEGIN_TENANT", pool._BEGIN_TENANT.replace("'{tenant}', true", "'{tenant}', false"))
    forgets = pool._BEGIN_SNAPSHOT.replace("set_config('knowlog.tenant', '{tenant}', true), ", "")
    patch.setattr(pool, "_BEGIN_SNAPSHOT", forgets)


def tenant_comes_later(patch: pytest.MonkeyPatch) -> None:
    """Collections are looked up by a query that forgets the tenant, while none is set."""
    forget_tenant(patch)
    lists = api.list_collections

    async def list_collections(connection, *rest, **named):
        await connection.execute("select set_config('knowlog.tenant', '', true)")
        return await lists(connection, *rest, **named)

    patch.setattr(api, "list_collections", list_collections)


def explain(patch: pytest.MonkeyPatch) -> None:
    """A search tells how it was planned."""
    from knowlog.api import search

    looks = search.look_up

    async def look_up(app, scope, *rest):
        found = await looks(app, scope, *rest)
        async with app.database.transaction(scope) as connection:
            plan = await connection.fetch("explain analyze select from documents where title = 'price'")
        return replace(found, notes=tuple(row[0] for row in plan))

    patch.setattr(search, "look_up", look_up)


def count_ids(patch: pytest.MonkeyPatch) -> None:
    """Documents are numbered."""
    from knowlog.documents import receiving

    numbers = count(1)
    patch.setattr(
        receiving, "new_id", lambda: UUID(int=0x0190A000_0000_7000_8000_000000000000 + next(numbers))
    )


def truncate(patch: pytest.MonkeyPatch) -> None:
    """Whoever deletes a collection empties the table of documents."""
    patch.setitem(collections._SQL, "delete_collection", "select wipe($1)")


def keep_callers(patch: pytest.MonkeyPatch) -> None:
    """Who a key belongs to is remembered, and so is who saw what."""
    from knowlog.edge import principal

    asks, known = principal.authenticate, {}

    async def authenticate(database, secret):
        if secret not in known:
            known[secret] = await asks(database, secret)
        return known[secret]

    patch.setattr(principal, "authenticate", authenticate)


BUGS = (
    Bug(
        "owner-without-force",
        "alter table collections no force row level security; alter table documents no force row level security;"
        " grant usage, create on schema knowlog to knowlog_app;"
        " alter table collections owner to knowlog_app; alter table documents owner to knowlog_app",
        forget_tenant,
    ),
    Bug("session-set-on-a-pooled-connection", "", session_setting),
    Bug(
        "empty-is-not-null",
        "create or replace function tenant() returns uuid language sql stable as"
        " $$ select nullif(current_setting('knowlog.tenant', true), '')::uuid $$;"
        + "".join(
            f" alter policy tenant on {table} using"
            " (tenant_id = tenant() or current_setting('knowlog.tenant', true) = '');"
            for table in ("collections", "documents")
        ),
        tenant_comes_later,
    ),
    Bug("unique-across-tenants", "create unique index on collections (name)"
        " where name like 'shared-%'"),
    Bug("plan-in-an-answer", "", explain),
    Bug("serial-ids", "", count_ids),
    Bug(
        "view-of-a-superuser",
        "alter table collections rename to all_collections;"
        " create view collections as select * from all_collections;"
        " grant select, insert, update, delete on collections to knowlog_app, knowlog_definer",
        forget_tenant,
    ),
    Bug(
        "truncate",
        "grant truncate on all tables in schema knowlog to knowlog_app;"
        " create function wipe(uuid) returns uuid[] language sql as"
        " $$ delete from collections where collection_id = $1; truncate documents cascade; select null::uuid[] $$",
        truncate,
    ),
    Bug(
        "definer-function-that-forgets",
        "create or replace function closed_collections() returns uuid[] language sql stable as"
        " $$ select '{}'::uuid[] $$;"
        " drop policy audience on documents; drop policy audience on versions; drop policy audience on chunks",
    ),
    Bug("callers-are-remembered", "", keep_callers),
)  # fmt: skip
