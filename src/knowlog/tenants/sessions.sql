-- name: insert_session
-- A session opens. It ends after $8, and before that where it is not refreshed for $11.
insert into sessions (tenant_id, session_id, member_id, method, agent, address, family_hash, refresh_hash, expires_at,
                      ends_at, sign_on, provider_session)
select tenant(), $1, m.member_id, $3, $4, $5, $6, $7, now() + least($8::interval, $11::interval), now() + $8, $9, $10
from members m where m.tenant_id = tenant() and m.member_id = $2 and m.disabled_at is null
returning session_id

-- name: session_rights
-- What a call with an access token may do at this moment: no row once the session has ended, or the member is gone. With the
-- public half of the key that is said to have signed it.
select s.member_id, m.role, signing_key($2) as public_key,
       array(select g.group_id from group_members g where g.tenant_id = tenant() and g.member_id = m.member_id) as groups,
       s.last_used_at < now() - interval '1 minute' and current_setting('transaction_read_only') = 'off' as used_again,
       exists (select from tenants t where t.tenant_id = tenant() and t.suspended_at is not null) as suspended
from sessions s join members m using (tenant_id, member_id)
where tenant_id = tenant() and s.session_id = $1 and s.ended_at is null and s.expires_at > now() and m.disabled_at is null

-- name: touch_session
-- Remember that it is in use, to the minute.
with used as (
    update sessions set last_used_at = now() where tenant_id = tenant() and session_id = $1 returning member_id)
update members m set last_seen_at = now() from used u where m.tenant_id = tenant() and m.member_id = u.member_id

-- name: refreshable
-- What a refresh token is compared with; the row is locked, so that each is good once.
select s.member_id, s.family_hash, s.refresh_hash, s.previous_hash, s.method,
       s.rotated_at > now() - $2::interval as rotated_just_now, s.expires_at
from sessions s join members m using (tenant_id, member_id)
where tenant_id = tenant() and s.session_id = $1 and s.ended_at is null and s.expires_at > now() and m.disabled_at is null
for update of s

-- name: rotate_session
-- The refresh token gives way to the next, and the session goes on for $3, as long as it may.
update sessions
set previous_hash = refresh_hash, refresh_hash = $2, rotated_at = now(), last_used_at = now(),
    expires_at = least(coalesce(ends_at, expires_at), now() + $3::interval)
where tenant_id = tenant() and session_id = $1

-- name: end_session
-- Nothing opens by it any more. Returns whether it was open.
update sessions set ended_at = now(), end_reason = $2 where tenant_id = tenant() and session_id = $1 and ended_at is null
returning session_id

-- name: end_sessions_of_member
-- All of a member's.
update sessions set ended_at = now(), end_reason = $2 where tenant_id = tenant() and member_id = $1 and ended_at is null
returning session_id

-- name: list_sessions
-- The open sessions of a member, the one used last first.
select session_id, method, agent, address, created_at, last_used_at, expires_at
from sessions
where tenant_id = tenant() and member_id = $1 and ended_at is null and expires_at > now()
order by last_used_at desc, session_id

-- name: person_of_session
-- Whose session it is, and how it was opened.
select m.person_id, s.method from sessions s join members m using (tenant_id, member_id)
where tenant_id = tenant() and s.session_id = $1

-- name: lock_sign_ons
-- Whether passwords will do. None is enforced while the rows are locked.
select name, enforced from sign_ons where tenant_id = tenant() order by name for share
