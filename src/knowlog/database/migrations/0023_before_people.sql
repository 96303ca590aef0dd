-- People, the tenants that they are members of, and groups of members.
--
-- A person is somebody with an e-mail address, known to the installation; a member is a person in one tenant, with a role
-- there. What a tenant sees of a person is the member. Rows of people belong to no tenant: their tenant_id is all zeros, and
-- only the functions below reach them, so that no tenant can read who else there is, or whether an address is known.

create table knowlog.people (
    tenant_id  uuid not null default '00000000-0000-0000-0000-000000000000'
               check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    person_id  uuid not null,
    email      text not null check (email = lower(email) and length(email) between 3 and 254),
    created_at timestamptz not null default now(),
    primary key (tenant_id, person_id),
    unique (tenant_id, email)
);

-- The address stands here too, for the tenant's own lists. A member that is disabled keeps its place and its groups, and
-- opens nothing.
create table knowlog.members (
    tenant_id    uuid not null references knowlog.tenants on delete cascade,
    member_id    uuid not null,
    person_id    uuid not null,
    email        text not null,
    name         text not null check (length(name) between 1 and 200),
    role         text not null check (role in ('owner', 'admin', 'editor', 'reader')),
    created_at   timestamptz not null default now(),
    created_by   text not null,
    disabled_at  timestamptz,
    last_seen_at timestamptz,
    primary key (tenant_id, member_id),
    unique (tenant_id, person_id),
    unique (tenant_id, email)
);
create index members_of_person on knowlog.members (person_id);

create table knowlog.groups (
    tenant_id  uuid not null references knowlog.tenants on delete cascade,
    group_id   uuid not null,
    name       text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default now(),
    created_by text not null,
    primary key (tenant_id, group_id),
    unique (tenant_id, name)
);

create table knowlog.group_members (
    tenant_id uuid not null,
    group_id  uuid not null,
    member_id uuid not null,
    primary key (tenant_id, group_id, member_id),
    foreign key (tenant_id, group_id) references knowlog.groups on delete cascade,
    foreign key (tenant_id, member_id) references knowlog.members on delete cascade
);
create index groups_of_member on knowlog.group_members (tenant_id, member_id);

grant select, insert, update, delete on knowlog.members, knowlog.groups, knowlog.group_members to knowlog_app, knowlog_definer;
grant select, insert, update, delete on knowlog.people to knowlog_definer;
select knowlog.protect_tables();

-- The person of an address, made if there is none: the answer does not tell which. The row is locked until the caller's
-- transaction ends, so that a person whose last member is being removed is not lost under it.
create function knowlog.person_of(address text, fresh uuid) returns uuid
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    insert into people (person_id, email) values (fresh, address)
    on conflict (tenant_id, email) do update set email = excluded.email
    returning person_id
$$;
select knowlog.give_to_definer('knowlog_app', array['person_of(text, uuid)']);

-- Nobody is remembered who is a member nowhere. The lock makes this wait for a transaction that makes them one again.
create function knowlog.forget_person() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform from people p where p.person_id = old.person_id for update;
    delete from people p
    where p.person_id = old.person_id and not exists (select from members m where m.person_id = old.person_id);
    return null;
end $$;
create trigger members_forgotten after delete on knowlog.members
for each row execute function knowlog.forget_person();
select knowlog.give_to_definer('knowlog_definer', array['forget_person()']);
