-- Single sign-on: the OpenID providers by which members of a tenant sign in to it.

-- A sign-on of a tenant: the provider (`issuer`), what it knows this tenant's knowlog by, and whom it may let in. The secret is
-- sealed. It gives no role above `admin`; `roles` is value of the groups' claim -> role. While one is `enforced`, no session
-- of the tenant is opened with a password.
create table knowlog.sign_ons (
    tenant_id       uuid not null references knowlog.tenants on delete cascade,
    name            text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    issuer          text not null check (length(issuer) between 8 and 500),
    client_id       text not null check (length(client_id) between 1 and 500),
    sealed          bytea,
    scopes          text[] not null,
    domains         text[] not null check (cardinality(domains) > 0),
    trusts_emails   boolean not null,
    creates_members boolean not null,
    default_role    text check (default_role in ('admin', 'editor', 'reader')),
    roles           jsonb not null,
    groups_claim    text not null,
    session_hours   integer not null check (session_hours between 1 and 720),
    enforced        boolean not null default false,
    created_at      timestamptz not null default now(),
    created_by      text not null,
    last_used_at    timestamptz,
    primary key (tenant_id, name)
);

-- The groups that a sign-on fills: those of its members are in the group who have the value in their claim.
create table knowlog.sign_on_groups (
    tenant_id uuid not null,
    sign_on   text not null,
    value     text not null check (length(value) between 1 and 200),
    group_id  uuid not null,
    primary key (tenant_id, sign_on, value),
    foreign key (tenant_id, sign_on) references knowlog.sign_ons on delete cascade,
    foreign key (tenant_id, group_id) references knowlog.groups on delete cascade
);
create index sign_on_groups_of_group on knowlog.sign_on_groups (tenant_id, group_id);

-- Which account of the provider is which member. Found by the provider's own name of the account, never by an address.
create table knowlog.sign_on_identities (
    tenant_id    uuid not null,
    sign_on      text not null,
    subject      text not null check (length(subject) between 1 and 255),
    member_id    uuid not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    primary key (tenant_id, sign_on, subject),
    unique (tenant_id, sign_on, member_id),
    foreign key (tenant_id, sign_on) references knowlog.sign_ons on delete cascade,
    foreign key (tenant_id, member_id) references knowlog.members on delete cascade
);
create index sign_on_identities_of_member on knowlog.sign_on_identities (tenant_id, member_id);

-- Sign-ins that have been begun: good once, for minutes, in one browser. Hashes alone.
create table knowlog.sign_on_attempts (
    tenant_id    uuid not null,
    state_hash   bytea not null,
    sign_on      text not null,
    browser_hash bytea not null,
    redirect_uri text not null,
    return_to    text,
    expires_at   timestamptz not null,
    primary key (tenant_id, state_hash),
    foreign key (tenant_id, sign_on) references knowlog.sign_ons on delete cascade
);
create index sign_on_attempts_expired on knowlog.sign_on_attempts (tenant_id, expires_at);

grant select, insert, update, delete on knowlog.sign_ons, knowlog.sign_on_groups, knowlog.sign_on_identities,
    knowlog.sign_on_attempts to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- The tenants that a person is a member of, the one first into which they came last with their password. A tenant's sign-on
-- may say that anybody was there a moment ago: what it says leads nobody's password into that tenant, nor their mail.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.memberships(person uuid)
returns table (tenant_id uuid, tenant text, member_id uuid, role text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select m.tenant_id, t.name, m.member_id, m.role from members m join tenants t using (tenant_id)
    where m.person_id = person and m.disabled_at is null
    order by (select max(s.last_used_at) from sessions s
              where s.tenant_id = m.tenant_id and s.member_id = m.member_id and s.method = 'password') desc nulls last,
             m.created_at, m.tenant_id
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;

-- For `knowlog doctor`: the providers of all tenants, with what it takes to see whether a secret opens.
create function knowlog.sign_on_health(most integer)
returns table (tenant_id uuid, tenant text, name text, issuer text, enforced boolean, sealed bytea, wrapped bytea,
               wrapped_by text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select s.tenant_id, t.name, s.name, s.issuer, s.enforced, s.sealed, k.wrapped, k.wrapped_by
    from sign_ons s join tenants t using (tenant_id) left join data_keys k using (tenant_id)
    where t.suspended_at is null
    order by s.last_used_at desc nulls last, s.tenant_id, s.name limit most
$$;
select knowlog.give_to_definer('knowlog_system', array['sign_on_health(integer)']);
