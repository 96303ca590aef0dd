-- name: insert_member
-- A person becomes a member.
insert into members (tenant_id, member_id, person_id, email, name, role, created_by)
values (tenant(), $1, person_of($2, $3), $2, $4, $5, $6)
on conflict do nothing
returning member_id

-- name: get_member
-- One member, with the groups that it is in.
select member_id, email, name, role, created_at, created_by, disabled_at, last_seen_at, provisioned_at,
       array(select g.group_id from group_members g where g.tenant_id = tenant() and g.member_id = m.member_id
             order by g.group_id) as groups
from members m where tenant_id = tenant() and member_id = $1

-- name: member_by_email
-- Whether an address is a member's.
select member_id from members where tenant_id = tenant() and email = $1

-- name: list_members
-- Members in the order in which they came, from behind `$1`; with `$3`, those of one group.
select member_id, email, name, role, created_at, created_by, disabled_at, last_seen_at, provisioned_at,
       array(select g.group_id from group_members g where g.tenant_id = tenant() and g.member_id = m.member_id
             order by g.group_id) as groups
from members m
where tenant_id = tenant() and ($1::uuid is null or member_id > $1)
  and ($3::uuid is null or exists (
      select from group_members g where g.tenant_id = tenant() and g.group_id = $3 and g.member_id = m.member_id))
order by member_id limit $2

-- name: update_member
-- Change a member; what is null stays as it is.
update members set role = coalesce($2, role), name = coalesce($3, name), changed_at = now()
where tenant_id = tenant() and member_id = $1

-- name: switch_member
-- Disable a member, or enable it again; its sessions are over in any case.
with over as (
    update sessions set ended_at = now(), end_reason = 'disabled'
    where tenant_id = tenant() and member_id = $1 and ended_at is null)
update members set disabled_at = case when $2 then coalesce(disabled_at, now()) end, changed_at = now()
where tenant_id = tenant() and member_id = $1

-- name: delete_member
-- The person leaves the tenant; it is forgotten where this was the last.
delete from members where tenant_id = tenant() and member_id = $1

-- name: insert_group
-- A new group, empty.
insert into groups (tenant_id, group_id, name, created_by) values (tenant(), $1, $2, $3)

-- name: get_group
-- One group, by its id or its name; where one is named as another's id reads, that other.
select group_id, name, created_at, created_by,
       (select count(*) from group_members g where g.tenant_id = tenant() and g.group_id = o.group_id) as member_count
from groups o where tenant_id = tenant() and $1 in (name, group_id::text)
order by group_id::text = $1 desc limit 1

-- name: list_groups
-- Groups by name, from behind the name `$1`.
select group_id, name, created_at, created_by,
       (select count(*) from group_members g where g.tenant_id = tenant() and g.group_id = o.group_id) as member_count
from groups o where tenant_id = tenant() and ($1::text is null or name > $1)
order by name limit $2

-- name: rename_group
-- Another name.
update groups set name = $2, changed_at = now() where tenant_id = tenant() and group_id = $1

-- name: delete_group
-- The group goes; its members stay members of the tenant. Returns who was in it.
with gone as (delete from groups where tenant_id = tenant() and group_id = $1 returning group_id)
select g.member_id from group_members g join gone using (group_id) where g.tenant_id = tenant()

-- name: join_group
-- Members join a group. Returns those who were not in it.
with joined as (
    insert into group_members (tenant_id, group_id, member_id)
    select tenant(), $1, m.member_id from members m where m.tenant_id = tenant() and m.member_id = any($2::uuid[])
    on conflict do nothing returning member_id),
touched as (
    update groups set changed_at = now() where tenant_id = tenant() and group_id = $1 and exists (select from joined))
select member_id from joined

-- name: leave_group
-- Members leave a group. Returns those who were in it.
with gone as (
    delete from group_members where tenant_id = tenant() and group_id = $1 and member_id = any($2::uuid[])
    returning member_id),
touched as (
    update groups set changed_at = now() where tenant_id = tenant() and group_id = $1 and exists (select from gone))
select member_id from gone

-- name: members_among
-- Which of the given ids are members'.
select member_id from members where tenant_id = tenant() and member_id = any($1::uuid[])

-- name: member_rights
-- What a member may do at this moment; no row for one that is disabled or gone.
select role, array(select g.group_id from group_members g where g.tenant_id = tenant() and g.member_id = m.member_id) as groups
from members m where tenant_id = tenant() and member_id = $1 and disabled_at is null
