-- Provisioning: an identity provider keeps members and groups, by a key that may do this and nothing else.

alter table knowlog.api_keys drop constraint api_keys_role_check;
alter table knowlog.api_keys add constraint api_keys_role_check
    check (role in ('owner', 'admin', 'editor', 'reader', 'provisioner'));

-- What it says of a member, of this tenant's membership alone: its own name for them (null: the address stands for it), its
-- id, and names and addresses as they were said. Since when it keeps them.
alter table knowlog.members
    add column user_name      text check (length(user_name) between 1 and 254),
    add column external_id    text check (length(external_id) between 1 and 254),
    add column provided       jsonb,
    add column provisioned_at timestamptz,
    add column changed_at     timestamptz not null default now();
create unique index members_own_user_name on knowlog.members (tenant_id, lower(user_name));
-- What is looked up must stand in a column: under a policy no index serves a function of one, which may not be leakproof.
alter table knowlog.members add column user_key text generated always as (lower(coalesce(user_name, email))) stored;
create index members_user_key on knowlog.members (tenant_id, user_key);
create index members_external_id on knowlog.members (tenant_id, external_id) where external_id is not null;
create index members_provisioned on knowlog.members (tenant_id) where provisioned_at is not null;

alter table knowlog.groups
    add column external_id    text check (length(external_id) between 1 and 254),
    add column provisioned_at timestamptz,
    add column changed_at     timestamptz not null default now();
alter table knowlog.groups add column name_key text generated always as (lower(name)) stored;
create index groups_name_key on knowlog.groups (tenant_id, name_key);
create index groups_external_id on knowlog.groups (tenant_id, external_id) where external_id is not null;

set local role knowlog_definer;
update knowlog.members set changed_at = created_at;
update knowlog.groups set changed_at = created_at;
set local role none;

-- A membership may pass to the person of another address: who it was before is forgotten where it was their last. The
-- definer makes the trigger, because the function is its own and nobody else may name it.
grant trigger on knowlog.members to knowlog_definer;
set local role knowlog_definer;
create trigger members_passed_on after update of person_id on knowlog.members
for each row when (old.person_id is distinct from new.person_id) execute function knowlog.forget_person();
set local role none;
revoke trigger on knowlog.members from knowlog_definer;

-- Members that identity providers keep; tenants with such members and no key for it, so that leavers stay; and those of whose
-- keys the last will end within two weeks.
create function knowlog.provisioning_overview() returns table (members bigint, without_key bigint, ending bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with kept as (
        select m.tenant_id, count(*) as members from members m where m.provisioned_at is not null group by m.tenant_id),
    seen as (
        select k.tenant_id, k.members, (
            select max(coalesce(a.expires_at, 'infinity')) from api_keys a
            where a.tenant_id = k.tenant_id and a.role = 'provisioner' and a.revoked_at is null) as until
        from kept k)
    select coalesce(sum(s.members), 0)::bigint,
           count(*) filter (where s.until is null or s.until <= now()),
           count(*) filter (where s.until > now() and s.until <= now() + interval '14 days')
    from seen s
$$;
select knowlog.give_to_definer('knowlog_system', array['provisioning_overview()']);
