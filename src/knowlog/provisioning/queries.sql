-- name: users
-- Members as users: all, for conditions and pages to be put behind.
select u.member_id, u.email, u.name, u.role, u.created_at, u.changed_at, u.active, u.user_name, u.external_id,
       u.display_name, u.spoken, u.emails, u.provisioned_at,
       (select coalesce(jsonb_agg(jsonb_build_array(g.group_id, g.name) order by g.group_id), '[]')
        from group_members j join groups g on g.tenant_id = j.tenant_id and g.group_id = j.group_id
        where j.tenant_id = tenant() and j.member_id = u.member_id) as groups
from (select m.tenant_id, m.member_id, m.email, m.name, m.role, m.created_at, m.changed_at, m.disabled_at is null as active,
             coalesce(m.user_name, m.email) as user_name, m.user_key, m.external_id, m.provisioned_at, m.provided -> 'name' as spoken,
             case when m.provisioned_at is null or m.provided ? 'displayName' then m.name end as display_name,
             coalesce(m.provided -> 'emails', jsonb_build_array(
                 jsonb_build_object('value', m.email, 'type', 'work', 'primary', true))) as emails
      from members m) u
where u.tenant_id = tenant()

-- name: lock_user
-- Nobody else changes the member until this transaction ends.
select from members where tenant_id = tenant() and member_id = $1 for update

-- name: user_name_taken
-- Whether another member has this user name, or without one of its own an address that reads like it.
select exists (select from members
               where tenant_id = tenant() and user_key = lower($1) and member_id is distinct from $2)

-- name: insert_user
-- A person becomes a member by provisioning. No row for one who is one.
insert into members (tenant_id, member_id, person_id, email, name, role, created_by, user_name, external_id, provided,
                     provisioned_at, disabled_at)
values (tenant(), $1, person_of($2, $3), $2, $4, 'reader', $5, $6, $7, $8, now(), case when $9 then null else now() end)
on conflict do nothing
returning member_id

-- name: keep_user
-- What provisioning says of a member, besides whether it is disabled.
update members set name = $2, user_name = $3, external_id = $4, provided = $5, changed_at = now(),
                   provisioned_at = coalesce(provisioned_at, now())
where tenant_id = tenant() and member_id = $1

-- name: move_user
-- The membership passes to the person of another address. Who they were before is forgotten where this was the last.
update members set person_id = person_of($2, $3), email = $2 where tenant_id = tenant() and member_id = $1

-- name: withdraw_invitations
-- Links that would let somebody in again.
update invitations set withdrawn_at = now()
where tenant_id = tenant() and email = $1 and accepted_at is null and withdrawn_at is null and expires_at > now()
returning invitation_id

-- name: groups
-- Groups, for conditions and pages to be put behind. `state` tells when those who are in one change.
select u.group_id, u.name, u.external_id, u.created_at, u.changed_at,
       (select md5(coalesce(string_agg(j.member_id::text, ',' order by j.member_id), '')) || count(*) from group_members j
        where j.tenant_id = tenant() and j.group_id = u.group_id) as state
from groups u
where u.tenant_id = tenant()

-- name: count_in_groups
-- How many members some groups have together, at most one more than `$2`.
select count(*) from (select from group_members where tenant_id = tenant() and group_id = any($1::uuid[]) limit $2 + 1) j

-- name: in_groups
-- Who is in some groups.
select j.group_id, j.member_id from group_members j
where j.tenant_id = tenant() and j.group_id = any($1::uuid[])
order by j.group_id, j.member_id

-- name: ids_in_group
-- Who is in a group, by id alone.
select member_id from group_members where tenant_id = tenant() and group_id = $1

-- name: lock_group
-- Nobody else changes the group until this transaction ends.
select from groups where tenant_id = tenant() and group_id = $1 for update

-- name: insert_group
-- A group of provisioning, empty. No row where the name is taken.
insert into groups (tenant_id, group_id, name, created_by, external_id, provisioned_at)
values (tenant(), $1, $2, $3, $4, now())
on conflict do nothing
returning group_id

-- name: keep_group
-- What provisioning says of a group, besides its members.
update groups set name = $2, external_id = $3, changed_at = now(), provisioned_at = coalesce(provisioned_at, now())
where tenant_id = tenant() and group_id = $1
