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
from knowlog.provisioning import users
from knowlog.tenants import get_member, signing_in
from knowlog.tenants.sign_on import actions as sign_on

_FORGETFUL = ("tenant_id = tenant() and ", "d.tenant_id = tenant() and ", "c.tenant_id = tenant() and ")


@dataclass(frozen=True)
class Bug:
    """`sql` is run by the owner of a throw-away database, `silo_sql` in its silo; `plant` changes the application.

    It may take `calls`. `dear`: which of the dear things shows it, and is played each time; the others are not.
    `seed`: stories in which it shows soon; others show it too, later.
    """

    name: str
    sql: str = ""
    plant: Callable[[pytest.MonkeyPatch], None] = lambda _: None
    calls: int = 4000
    dear: str = ""
    seed: int = 11
    silo_sql: str = ""


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


def find_users_of_all(patch: pytest.MonkeyPatch) -> None:
    """Provisioning leaves the tenant to the policies."""
    patch.setitem(
        users._SQL, "users", users._SQL["users"].replace("where u.tenant_id = tenant()", "where true")
    )


def deactivate_nobody(patch: pytest.MonkeyPatch) -> None:
    """Provisioning writes down that somebody is gone, and lets them in."""

    async def disable_member(connection, actor, member_id):
        return await get_member(connection, member_id)

    patch.setattr(users, "disable_member", disable_member)


def vouch_elsewhere(patch: pytest.MonkeyPatch) -> None:
    """A session that a tenant's provider has opened counts as one with a password."""
    asks = signing_in.person_of_caller

    async def person_of_caller(connection, caller):
        return (await asks(connection, caller))[0], "password"

    patch.setattr(signing_in, "person_of_caller", person_of_caller)


def keep_sessions(patch: pytest.MonkeyPatch) -> None:
    """The sessions of a sign-on outlive it."""
    none = "select null::uuid as session_id where false and $1::text is null"
    patch.setitem(sign_on._SQL, "end_its_sessions", none)


BUGS = (
    Bug(
        "owner-without-force",
        "alter table collections no force row level security; alter table documents no force row level security;"
        " grant usage, create on schema knowlog to knowlog_app;"
        " alter table collections owner to knowlog_app; alter table documents owner to knowlog_app",
        forget_tenant,
        seed=22,
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
        seed=22,
    ),
    Bug("unique-across-tenants", "create unique index on collections (name)"
        " where name like 'shared-%'",
        seed=7,
    ),
    Bug("plan-in-an-answer", "", explain, seed=9),
    Bug("serial-ids", "", count_ids, seed=40),
    Bug(
        "view-of-a-superuser",
        "alter table collections rename to all_collections;"
        " create view collections as select * from all_collections;"
        " grant select, insert, update, delete on collections to knowlog_app, knowlog_definer",
        forget_tenant,
        seed=22,
    ),
    Bug(
        "truncate",
        "grant truncate on all tables in schema knowlog to knowlog_app;"
        " create function wipe(uuid) returns uuid[] language sql as"
        " $$ delete from collections where collection_id = $1; truncate documents cascade; select null::uuid[] $$",
        truncate,
        seed=7,
    ),
    Bug(
        "definer-function-that-forgets",
        "create or replace function closed_collections() returns uuid[] language sql stable as"
        " $$ select '{}'::uuid[] $$;"
        " drop policy audience on documents; drop policy audience on versions; drop policy audience on chunks",
        seed=7,
    ),
    Bug("callers-are-remembered", "", keep_callers, dear="revocations", seed=1),
    Bug(
        "users-of-all-tenants",
        "alter policy tenant on members using (true); alter policy tenant on groups using (true)",
        find_users_of_all,
        dear="provisioning",
        seed=12,
    ),
    Bug("deactivated-users-go-on", "", deactivate_nobody, dear="provisioning", seed=12),
    Bug("a-provider-vouches-elsewhere", "", vouch_elsewhere, dear="sign_on", seed=13),
    Bug("sessions-outlive-their-sign-on", "", keep_sessions, dear="sign_on", seed=13),
    Bug(
        "a-silo-without-policies",
        "",
        forget_tenant,
        dear="moves",
        silo_sql="alter policy tenant on collections using (true); alter policy tenant on documents using (true)",
        seed=24,
    ),
)  # fmt: skip
