-- name: list_sign_ons
-- The tenant's sign-ons by name; with `$1`, that one.
select s.name, s.issuer, s.client_id, s.sealed is not null as has_secret, s.scopes, s.domains, s.trusts_emails,
       s.creates_members, s.default_role, s.roles, s.groups_claim, s.session_hours, s.enforced, s.created_at, s.created_by,
       s.last_used_at,
       coalesce((select jsonb_object_agg(o.value, g.name) from sign_on_groups o join groups g using (tenant_id, group_id)
                 where o.tenant_id = tenant() and o.sign_on = s.name), '{}') as groups
from sign_ons s where s.tenant_id = tenant() and ($1::text is null or s.name = $1)
order by s.name

-- name: insert_sign_on
-- A new one.
insert into sign_ons (tenant_id, name, issuer, client_id, sealed, scopes, domains, trusts_emails, creates_members,
                      default_role, roles, groups_claim, session_hours, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: update_sign_on
-- Change one.
update sign_ons
set client_id = $2, sealed = coalesce($3, sealed), scopes = $4, domains = $5, trusts_emails = $6, creates_members = $7,
    default_role = $8, roles = $9, groups_claim = $10, session_hours = $11, enforced = $12
where tenant_id = tenant() and name = $1

-- name: lock_sign_on
-- One change at a time.
select from sign_ons where tenant_id = tenant() and name = $1 for update

-- name: count_sign_ons
-- How many the tenant has.
select count(*) from sign_ons where tenant_id = tenant()

-- name: delete_sign_on
-- It goes, with what it knows of accounts.
delete from sign_ons where tenant_id = tenant() and name = $1

-- name: sealed_secret
-- The secret of one, as it is stored.
select sealed from sign_ons where tenant_id = tenant() and name = $1

-- name: end_its_sessions
-- The sessions of members who came by this sign-on.
update sessions s set ended_at = now(), end_reason = 'the sign-on was removed'
from sign_on_identities i
where s.tenant_id = tenant() and s.method = 'sign_on' and s.ended_at is null
  and i.tenant_id = tenant() and i.sign_on = $1 and i.member_id = s.member_id
returning s.session_id

-- name: end_password_sessions
-- From now on people come by the sign-on alone.
update sessions set ended_at = now(), end_reason = 'sign-on is enforced'
where tenant_id = tenant() and method = 'password' and ended_at is null
returning session_id

-- name: forget_groups
-- It fills no group.
delete from sign_on_groups where tenant_id = tenant() and sign_on = $1

-- name: insert_group
-- It fills this group.
insert into sign_on_groups (tenant_id, sign_on, value, group_id) values (tenant(), $1, $2, $3)

-- name: filled_by_others
-- Which of these groups another sign-on fills.
select g.name from sign_on_groups o join groups g using (tenant_id, group_id)
where o.tenant_id = tenant() and o.group_id = any($2::uuid[]) and o.sign_on <> $1 limit 1

-- name: groups_of
-- The groups that it fills, by value.
select value, group_id from sign_on_groups where tenant_id = tenant() and sign_on = $1

-- name: insert_attempt
-- A sign-in begins; those that came to nothing are forgotten.
with over as (delete from sign_on_attempts where tenant_id = tenant() and expires_at < now())
insert into sign_on_attempts (tenant_id, state_hash, sign_on, browser_hash, redirect_uri, return_to, expires_at)
values (tenant(), $1, $2, $3, $4, $5, now() + $6::interval)

-- name: take_attempt
-- It is used up, by the browser that began it alone.
delete from sign_on_attempts
where tenant_id = tenant() and state_hash = $1 and sign_on = $2 and browser_hash = $3
returning redirect_uri, return_to, expires_at > now() as in_time

-- name: use_identity
-- Whose account it is.
update sign_on_identities set last_used_at = now() where tenant_id = tenant() and sign_on = $1 and subject = $2
returning member_id

-- name: insert_identity
-- The account is this member's; nothing where that has another account of this provider.
insert into sign_on_identities (tenant_id, sign_on, subject, member_id) values (tenant(), $1, $2, $3)
on conflict do nothing

-- name: note_use
-- It works.
update sign_ons set last_used_at = now()
where tenant_id = tenant() and name = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')

-- name: use_logout_token
-- It is good once. No row for one that was used before.
with over as (delete from sign_on_logouts where tenant_id = tenant() and expires_at < now())
insert into sign_on_logouts (tenant_id, sign_on, token_hash, expires_at)
values (tenant(), $1, $2, now() + $3::interval)
on conflict do nothing
returning true

-- name: end_provider_sessions
-- The sessions that are over at the provider: those of its account `$2` (null: whoever it is), in its session `$3` (null: in
-- any). A session of which the provider has not said in which of its own it was opened ends with any of its account's.
update sessions s set ended_at = now(), end_reason = 'signed out at the provider'
where s.tenant_id = tenant() and s.method = 'sign_on' and s.ended_at is null
  and (s.sign_on = $1 or s.sign_on is null and $2::text is not null)
  and (s.provider_session = $3::text or $3 is null or s.provider_session is null and $2 is not null)
  and ($2 is null or exists (select from sign_on_identities i
                             where i.tenant_id = tenant() and i.sign_on = $1 and i.subject = $2 and i.member_id = s.member_id))
returning s.session_id
