-- People, the tenants that they are members of, and groups of members.
--
-- A person is somebody with an e-mail address, known to the installation; a member is a person in one tenant, with a role
-- there. What a tenant sees of a person is the member. Rows of people belong to no tenant: their tenant_id is all zeros, and
-- only transactions of no tenant and the functions below reach them, so that no tenant can read who else there is, or whether an address is known.

-- argon2id of the password; the sealed secret of a second factor, in force since `totp_since`, with the step of the last code
-- that was used, so that each is good once; and hashes of the recovery codes that are left.
create table knowlog.people (
    tenant_id  uuid not null default '00000000-0000-0000-0000-000000000000'
               check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    person_id  uuid not null,
    email      text not null check (email = lower(email) and length(email) between 3 and 254),
    created_at timestamptz not null default now(),
    password_hash       text,
    password_changed_at timestamptz,
    totp_sealed         bytea,
    totp_since          timestamptz,
    totp_step           bigint not null default 0,
    recovery_hashes     bytea[] not null default '{}',
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

-- A session of a member: every call of an access token looks here. The refresh token has a part that stays (the family) and
-- one that changes with each use; a former one that is offered again ends the session.
create table knowlog.sessions (
    tenant_id     uuid not null,
    session_id    uuid not null,
    member_id     uuid not null,
    method        text not null check (method in ('password', 'sign_on')),
    agent         text not null check (length(agent) <= 200),
    address       text not null check (length(address) <= 64),
    family_hash   bytea not null,
    refresh_hash  bytea not null,
    previous_hash bytea,
    rotated_at    timestamptz,
    created_at    timestamptz not null default now(),
    last_used_at  timestamptz not null default now(),
    expires_at    timestamptz not null,
    ended_at      timestamptz,
    end_reason    text,
    primary key (tenant_id, session_id),
    foreign key (tenant_id, member_id) references knowlog.members on delete cascade
);
create index sessions_of_member on knowlog.sessions (tenant_id, member_id);

-- An invitation is bound to an address and a role. A hash for each link that was sent: a mail may be sent twice.
create table knowlog.invitations (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    invitation_id uuid not null,
    email         text not null,
    role          text not null check (role in ('owner', 'admin', 'editor', 'reader')),
    secret_hashes bytea[] not null default '{}',
    created_at    timestamptz not null default now(),
    created_by    text not null,
    expires_at    timestamptz not null,
    sent_at       timestamptz,
    failure       text,
    accepted_at   timestamptz,
    withdrawn_at  timestamptz,
    primary key (tenant_id, invitation_id)
);

-- The rest belongs to no tenant. Keys that sign access tokens, the private half sealed; links with which a password is set
-- anew; how many wrong passwords came from where and for whom; and from where a person has signed in.
create table knowlog.signing_keys (
    tenant_id  uuid not null default '00000000-0000-0000-0000-000000000000'
               check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    key_id     uuid not null,
    public_key bytea not null check (length(public_key) = 32),
    sealed     bytea not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, key_id)
);
create table knowlog.password_resets (
    tenant_id     uuid not null default '00000000-0000-0000-0000-000000000000'
                  check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    reset_id      uuid not null,
    person_id     uuid not null,
    secret_hashes bytea[] not null default '{}',
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    used_at       timestamptz,
    primary key (tenant_id, reset_id),
    foreign key (tenant_id, person_id) references knowlog.people on delete cascade
);
create table knowlog.sign_in_failures (
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000'
              check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    bucket    bytea not null,
    level     double precision not null,
    at        timestamptz not null,
    primary key (tenant_id, bucket)
);
create table knowlog.sign_in_origins (
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000'
              check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    person_id uuid not null,
    origin    bytea not null,
    seen_at   timestamptz not null default now(),
    primary key (tenant_id, person_id, origin),
    foreign key (tenant_id, person_id) references knowlog.people on delete cascade
);

-- The application reaches the rows of no tenant in transactions of no tenant alone: a tenant's sees none of them.
grant select, insert, update, delete on knowlog.members, knowlog.groups, knowlog.group_members, knowlog.sessions,
    knowlog.invitations, knowlog.signing_keys, knowlog.password_resets, knowlog.sign_in_failures, knowlog.sign_in_origins
to knowlog_app, knowlog_definer;
grant select, update on knowlog.people to knowlog_app;
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

-- The public half of a key that signs access tokens; null when it was taken back.
create function knowlog.signing_key(id uuid) returns bytea
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select k.public_key from signing_keys k
    where k.tenant_id = '00000000-0000-0000-0000-000000000000' and k.key_id = id
$$;

-- Who accepts an invitation chooses their password with it, if they have none. In the transaction of a tenant that has them
-- as a member alone.
create function knowlog.set_first_password(member uuid, hash text) returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    update people p set password_hash = hash, password_changed_at = now()
    from members m
    where m.tenant_id = knowlog.tenant() and m.member_id = member and m.person_id = p.person_id and p.password_hash is null
$$;
select knowlog.give_to_definer('knowlog_app', array['signing_key(uuid)', 'set_first_password(uuid, text)']);

-- The tenants that a person is a member of, the one they were in last first.
create function knowlog.memberships(person uuid)
returns table (tenant_id uuid, tenant text, member_id uuid, role text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select m.tenant_id, t.name, m.member_id, m.role from members m join tenants t using (tenant_id)
    where m.person_id = person and m.disabled_at is null
    order by m.last_seen_at desc nulls last, m.created_at
$$;

-- Signed out everywhere, but for one session to be kept: every tenant's sessions of a person end, and their streams hear it.
create function knowlog.end_sessions_of_person(person uuid, kept uuid, reason text) returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with ended as (
        update sessions s set ended_at = now(), end_reason = reason
        from members m
        where m.person_id = person and s.tenant_id = m.tenant_id and s.member_id = m.member_id and s.ended_at is null
          and s.session_id is distinct from kept
        returning s.tenant_id, s.session_id)
    select count(pg_notify('knowlog_progress', e.tenant_id || ':' || e.session_id)) from ended e
$$;

-- What is of no use any more: sessions a month after their end, links that were not used, failures of long ago.
create function knowlog.forget_sign_ins(kept interval) returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    delete from sessions s where s.expires_at < now() - kept or s.ended_at < now() - kept;
    delete from invitations i where i.expires_at < now() - kept;
    delete from password_resets r where r.expires_at < now() - kept;
    delete from sign_in_failures f where f.at < now() - interval '1 day';
    delete from sign_in_origins o where o.seen_at < now() - kept;
$$;
select knowlog.give_to_definer('knowlog_system', array[
    'memberships(uuid)', 'end_sessions_of_person(uuid, uuid, text)', 'forget_sign_ins(interval)']);
