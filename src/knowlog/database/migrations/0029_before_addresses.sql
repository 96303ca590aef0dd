-- By which names a tenant is called: its slug, and domains of its own. And whose pages in a browser may call it.

-- A name leads to one tenant of the installation, so these rows belong to none: their tenant is all zeros. Nobody but the
-- functions below reads them.
create table knowlog.addresses (
    tenant_id  uuid not null check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    kind       text not null check (kind in ('slug', 'domain')),
    name       text not null check (length(name) between 1 and 253),
    leads_to   uuid not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, kind, name)
);
create index addresses_of_tenant on knowlog.addresses (tenant_id, leads_to);

-- Domains that a tenant says are its own. Several may say so; the first to prove it has the address.
create table knowlog.domains (
    tenant_id   uuid not null references knowlog.tenants on delete cascade,
    domain      text not null check (length(domain) between 1 and 253),
    token       text not null,
    proven_by   text check (proven_by in ('dns', 'http')),
    proven_at   timestamptz,
    checked_at  timestamptz,
    problem     text,
    created_at  timestamptz not null default now(),
    created_by  text not null,
    primary key (tenant_id, domain),
    check ((proven_by is null) = (proven_at is null))
);

-- Origins (scheme, host and port, exactly) whose pages may call the API for this tenant from a browser.
create table knowlog.origins (
    tenant_id  uuid not null references knowlog.tenants on delete cascade,
    origin     text not null check (length(origin) between 1 and 300),
    created_at timestamptz not null default now(),
    created_by text not null,
    primary key (tenant_id, origin)
);
grant select, insert, update, delete on knowlog.domains, knowlog.origins to knowlog_app, knowlog_definer;
grant select, insert, update, delete on knowlog.addresses to knowlog_definer;
select knowlog.protect_tables();

-- The tenant that a name leads to, null for none.
create function knowlog.tenant_at(wanted_kind text, wanted text) returns uuid
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select a.leads_to from addresses a
    where a.tenant_id = '00000000-0000-0000-0000-000000000000' and a.kind = wanted_kind and a.name = wanted
$$;

-- Let a name lead to a tenant, unless it leads to another; returns where it leads then, null where the tenant is not there.
-- A tenant has one slug: a new one replaces the old.
create function knowlog.take_address(id uuid, wanted_kind text, wanted text) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    taken_by uuid;
begin
    perform from tenants t where t.tenant_id = id for key share;
    if not found then
        return null;
    end if;
    insert into addresses (tenant_id, kind, name, leads_to) values (nobody, wanted_kind, wanted, id) on conflict do nothing;
    select a.leads_to into taken_by from addresses a
    where a.tenant_id = nobody and a.kind = wanted_kind and a.name = wanted;
    if wanted_kind = 'slug' and taken_by = id then
        delete from addresses a
        where a.tenant_id = nobody and a.kind = 'slug' and a.leads_to = id and a.name <> wanted;
    end if;
    return taken_by;
end $$;

-- The name leads to this tenant no longer. False where it did not.
create function knowlog.drop_address(id uuid, wanted_kind text, wanted text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    delete from addresses a
    where a.tenant_id = '00000000-0000-0000-0000-000000000000' and a.kind = wanted_kind and a.name = wanted
      and a.leads_to = id;
    return found;
end $$;

-- The names of some tenants.
create function knowlog.addresses_of(ids uuid[]) returns table (leads_to uuid, kind text, name text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select a.leads_to, a.kind, a.name from addresses a
    where a.tenant_id = '00000000-0000-0000-0000-000000000000' and a.leads_to = any(ids) order by a.kind desc, a.name
$$;

-- For `knowlog doctor`: how many of the listed origins are pages of a developer's own machine.
create function knowlog.origins_at_home() returns bigint
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*) from origins o where o.origin like 'http://%'
$$;

-- The names of a tenant that is deleted go with it.
create function knowlog.drop_addresses() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    delete from addresses a
    where a.tenant_id = '00000000-0000-0000-0000-000000000000' and a.leads_to = old.tenant_id;
    return null;
end $$;
create trigger addresses_go_too after delete on knowlog.tenants for each row execute function knowlog.drop_addresses();

select knowlog.give_to_definer('knowlog_system', array[
    'tenant_at(text, text)', 'take_address(uuid, text, text)', 'drop_address(uuid, text, text)', 'addresses_of(uuid[])',
    'origins_at_home()', 'drop_addresses()']);
