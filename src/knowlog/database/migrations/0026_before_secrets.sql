-- What a tenant entrusts to knowlog is encrypted under a data key of its own, which the installation's key-encryption key
-- wraps. Deleting the tenant deletes its data key: what is left of its secrets in a backup opens by nothing.
create table knowlog.data_keys (
    tenant_id  uuid primary key references knowlog.tenants on delete cascade,
    wrapped    bytea not null check (length(wrapped) between 40 and 200),
    wrapped_by text not null,
    created_at timestamptz not null default now()
);

-- The same for what belongs to a person and no tenant. Its row belongs to no tenant: the id is all zeros.
create table knowlog.installation_keys (
    tenant_id  uuid primary key check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    wrapped    bytea not null check (length(wrapped) between 40 and 200),
    wrapped_by text not null,
    created_at timestamptz not null default now()
);

-- A tenant's secrets by name; `hint` is enough to tell one from another.
create table knowlog.secrets (
    tenant_id  uuid not null references knowlog.tenants on delete cascade,
    name       text not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    sealed     bytea not null,
    hint       text not null check (length(hint) <= 4),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    updated_by text not null,
    primary key (tenant_id, name)
);
grant select, insert on knowlog.data_keys, knowlog.installation_keys to knowlog_app;
grant select, insert, update, delete on knowlog.secrets to knowlog_app;
grant select, insert, update, delete on knowlog.data_keys, knowlog.installation_keys, knowlog.secrets to knowlog_definer;

-- Secrets of webhooks are sealed. What processes of the version before this one wrote in the clear (`secret`) counts until
-- maintenance has sealed it and taken it away.
alter table knowlog.webhooks
    add column sealed bytea, add column old_sealed bytea, alter column secret drop not null;
create index webhooks_unsealed on knowlog.webhooks (tenant_id) where secret is not null or old_secret is not null;
select knowlog.protect_tables();

create function knowlog.unsealed_webhooks(most integer) returns table (tenant_id uuid, endpoint_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select w.tenant_id, w.endpoint_id from webhooks w
    where w.secret is not null or w.old_secret is not null limit most
$$;

-- Data keys that another key-encryption key than `current` wraps, behind `after`.
create function knowlog.keys_wrapped_otherwise(current_key text, after uuid, most integer)
returns table (tenant_id uuid, wrapped bytea, wrapped_by text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select k.tenant_id, k.wrapped, k.wrapped_by
    from (select i.tenant_id, i.wrapped, i.wrapped_by from installation_keys i
          union all select d.tenant_id, d.wrapped, d.wrapped_by from data_keys d) k
    where k.wrapped_by <> current_key and (after is null or k.tenant_id > after)
    order by k.tenant_id limit most
$$;

-- Put a data key into another wrapping, unless it is in another one by now.
create function knowlog.rewrap_key(id uuid, old bytea, new bytea, new_key text) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with installation as (
        update installation_keys k set wrapped = new, wrapped_by = new_key
        where k.tenant_id = id and k.wrapped = old returning 1),
    tenant as (
        update data_keys k set wrapped = new, wrapped_by = new_key
        where k.tenant_id = id and k.wrapped = old returning 1)
    select exists (select from installation) or exists (select from tenant)
$$;

-- For `knowlog doctor` and the operator: how many data keys each key-encryption key wraps, with one of them to try; and how
-- many webhooks have a secret in the clear.
create function knowlog.secret_health()
returns table (wrapped_by text, data_keys bigint, tenant_id uuid, wrapped bytea, unsealed bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with k as (select i.tenant_id, i.wrapped, i.wrapped_by from installation_keys i
               union all select d.tenant_id, d.wrapped, d.wrapped_by from data_keys d),
    clear as (select count(*) as count from webhooks w where w.secret is not null or w.old_secret is not null)
    select g.wrapped_by, g.count, one.tenant_id, one.wrapped, clear.count
    from clear left join (select k.wrapped_by, count(*) as count from k group by 1) g on true
    left join lateral (select k.tenant_id, k.wrapped from k where k.wrapped_by = g.wrapped_by limit 1) one on true
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'unsealed_webhooks(integer)', 'keys_wrapped_otherwise(text, uuid, integer)', 'rewrap_key(uuid, bytea, bytea, text)',
    'secret_health()']);
