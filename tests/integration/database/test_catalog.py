"""The catalog keeps the law of tenancy: read from PostgreSQL itself, so that a new table cannot forget it."""

import pytest

from knowlog.database import Database

DEFINER_FUNCTIONS = {
    "claim_events", "create_tenant", "delete_tenant", "extend_leases", "forget_idempotency_keys", "list_tenants",
    "forget_old_questions",
    "queue_depth",
}  # fmt: skip
"""SECURITY DEFINER functions of the foundation. Those of later migrations are listed beside their own tests."""


@pytest.fixture
async def rows(database: Database):
    async def query(sql: str) -> list:
        async with database.owner() as connection:
            return [tuple(row) for row in await connection.fetch(sql)]

    return query


async def test_every_table_leads_with_tenant_id(rows) -> None:
    """The primary key and every unique index of every table begin with tenant_id."""
    found = await rows("""
        select c.relname, i.indexrelid::regclass::text, a.attname
        from pg_index i join pg_class c on c.oid = i.indrelid
        join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where c.relnamespace = 'knowlog'::regnamespace and i.indisunique and c.relname <> 'migrations'
        and a.attname <> 'tenant_id' and c.relkind = 'r'""")
    assert found == []


async def test_every_foreign_key_carries_the_tenant(rows) -> None:
    """No row can point at another tenant's row."""
    found = await rows("""
        select conname from pg_constraint c
        where contype = 'f' and connamespace = 'knowlog'::regnamespace
        and not exists (select from pg_attribute a where a.attrelid = c.conrelid and a.attnum = any (c.conkey)
                        and a.attname = 'tenant_id')""")
    assert found == []


async def test_every_table_is_under_forced_row_security(rows) -> None:
    """Row-level security is enabled and forced on each table but the list of migrations."""
    found = await rows("""
        select relname from pg_class where relnamespace = 'knowlog'::regnamespace and relkind in ('r', 'p')
        and not (relrowsecurity and relforcerowsecurity)""")
    assert found == [("migrations",)]


LISTED = {
    "documents", "document_subjects", "collections", "versions", "chunks", "chunk_terms", "vectors", "events",
    "deletion_receipts", "summaries", "summary_sources", "document_digests", "turn_citations", "turn_statements",
}  # fmt: skip
"""Tables of what not everybody in a tenant may see: a policy more, which takes away and gives nothing."""


PRIVATE = {"threads", "turns", "turn_citations", "turn_statements", "uploads", "upload_pieces"}
"""Tables of what nobody in a tenant may see but one: a policy more, likewise."""


async def test_every_table_has_its_policies_and_no_other(rows) -> None:
    """The tenant's policy checks reading and writing; the definer's is the only one that lets everything pass."""
    found = await rows("""
        select c.relname, p.polname, p.polcmd::text, p.polpermissive,
               array(select rolname::text from pg_roles where oid = any (p.polroles)),
               pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
        from pg_class c left join pg_policy p on p.polrelid = c.oid
        where c.relnamespace = 'knowlog'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'migrations'""")
    own = "(tenant_id = knowlog.tenant())"
    allowed = {
        ("tenant", "*", True, ("knowlog_app",), own, own),
        ("definer", "*", True, ("knowlog_definer",), "true", "true"),
    }
    by_table: dict[str, set] = {}
    named: dict[str, set] = {"audience": set(), "private": set()}
    for table, name, command, permissive, roles, using, check in found:
        if name in named:
            assert (command, permissive, tuple(roles), check) == ("*", False, ("knowlog_app",), None)
            named[name].add(table)
        else:
            by_table.setdefault(table, set()).add((name, command, permissive, tuple(roles), using, check))
    assert named == {"audience": LISTED, "private": PRIVATE}
    assert by_table
    assert {table: policies for table, policies in by_table.items() if policies != allowed} == {}


async def test_application_roles_own_nothing_and_bypass_nothing(rows) -> None:
    """No role of ours is superuser, may bypass row security, log in, or owns a table."""
    found = await rows("""
        select rolname::text, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,
               (select count(*) from pg_class c where c.relowner = r.oid)
        from pg_roles r where rolname like 'knowlog\\_%' order by 1""")
    names = ("knowlog_app", "knowlog_definer", "knowlog_door", "knowlog_system")
    assert found == [(name, False, False, False, False, 0) for name in names]


async def test_application_login_is_powerless_by_itself(rows) -> None:
    """The login of the embedded server may put on the two working roles, and has the rights of the door alone."""
    found = await rows(
        "select rolsuper, rolbypassrls, rolinherit, rolcreaterole from pg_roles where rolname = 'knowlog'"
    )
    memberships = await rows("""
        select r.rolname::text, inherit_option, set_option from pg_auth_members m join pg_roles r on r.oid = m.roleid
        where m.member = 'knowlog'::regrole order by 1""")
    assert found == [(False, False, False, False)]
    assert memberships == [
        ("knowlog_app", False, True), ("knowlog_door", True, False), ("knowlog_system", False, True)
    ]  # fmt: skip


async def test_the_door_asks_whose_a_key_is_and_nothing_else(rows) -> None:
    """What a login has without putting on a role: no table, no column, and one function, which wants a secret's hash."""
    functions = await rows("""
        select oid::regprocedure::text from pg_proc
        where pronamespace = 'knowlog'::regnamespace and prosecdef
        and has_function_privilege('knowlog_door', oid, 'execute')""")
    tables = await rows("""
        select relname from pg_class where relnamespace = 'knowlog'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
        and (has_any_column_privilege('knowlog_door', oid, 'select, insert, update, references')
             or has_table_privilege('knowlog_door', oid, 'delete, truncate, trigger'))""")
    assert functions == [("knowlog.key_of(uuid,bytea)",)]
    assert tables == []


async def test_nobody_may_truncate_or_alter(rows) -> None:
    """Row security does not bind TRUNCATE, REFERENCES and TRIGGER, so nobody has them."""
    found = await rows("""
        select table_name, grantee, privilege_type from information_schema.role_table_grants
        where table_schema = 'knowlog' and grantee <> (select rolname from pg_roles r join pg_namespace n
            on n.nspowner = r.oid where nspname = 'knowlog')
        and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')""")
    assert found == []


async def test_system_role_touches_no_table(rows) -> None:
    """What looks across tenants is a listed function, never a table."""
    found = await rows("""
        select table_name from information_schema.role_table_grants
        where table_schema = 'knowlog' and grantee in ('knowlog_system', 'knowlog_door', 'PUBLIC')""")
    assert found == []


async def test_definer_functions_pin_their_search_path_and_belong_to_the_definer(rows) -> None:
    """Each SECURITY DEFINER function is owned by the role nobody can log in as, and finds only what it means."""
    found = await rows("""
        select proname::text, pg_get_userbyid(proowner)::text,
               (select setting from unnest(proconfig) as setting where setting like 'search_path=%'),
               has_function_privilege('public', oid, 'execute')
        from pg_proc where pronamespace = 'knowlog'::regnamespace and prosecdef""")
    assert {name for name, *_ in found} >= DEFINER_FUNCTIONS
    for name, owner, config, public in found:
        assert (owner, public) == ("knowlog_definer", False), name
        assert config.startswith("search_path=pg_catalog, knowlog"), name
        assert config.endswith("pg_temp"), name


async def test_definer_may_create_nothing(rows) -> None:
    """The role that owns the functions cannot make another object to be called by them."""
    found = await rows("select has_schema_privilege('knowlog_definer', 'knowlog', 'create')")
    assert found == [(False,)]
