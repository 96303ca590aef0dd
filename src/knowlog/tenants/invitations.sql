-- name: await_invitation
-- Until this transaction ends, nobody else invites the address $1; who did is seen from the next statement on.
select pg_advisory_xact_lock(1231976038, hashtext(tenant() || $1))

-- name: insert_invitation
-- An invitation; those to the same address that are open are withdrawn. Its secret comes into being when it is mailed.
with before as (
    update invitations set withdrawn_at = now()
    where tenant_id = tenant() and email = $2 and accepted_at is null and withdrawn_at is null)
insert into invitations (tenant_id, invitation_id, email, role, created_by, expires_at)
values (tenant(), $1, $2, $3, $4, now() + $5)

-- name: list_invitations
-- Invitations that can be accepted, newest first.
select invitation_id, email, role, created_at, created_by, expires_at, sent_at, failure
from invitations
where tenant_id = tenant() and accepted_at is null and withdrawn_at is null and expires_at > now()
  and ($1::uuid is null or invitation_id = $1)
order by invitation_id desc

-- name: withdraw_invitation
-- It cannot be accepted any more.
update invitations set withdrawn_at = now()
where tenant_id = tenant() and invitation_id = $1 and accepted_at is null and withdrawn_at is null and expires_at > now()
returning email

-- name: open_invitation
-- The invitation that a link opens, as long as it does.
select i.invitation_id, i.email, i.role, i.created_by, t.name as tenant, i.expires_at
from invitations i join tenants t using (tenant_id)
where tenant_id = tenant() and invitation_id = $1 and $2 = any(secret_hashes)
  and accepted_at is null and withdrawn_at is null and expires_at > now()

-- name: accept_invitation
-- A link is good once.
update invitations set accepted_at = now()
where tenant_id = tenant() and invitation_id = $1 and $2 = any(secret_hashes)
  and accepted_at is null and withdrawn_at is null and expires_at > now()
returning invitation_id

-- name: add_invitation_secret
-- A link is about to be mailed. Returns to whom, while it can be accepted.
update invitations i
set secret_hashes = (array_append(secret_hashes, $2::bytea))[greatest(1, cardinality(secret_hashes) - 3):]
from tenants t
where i.tenant_id = tenant() and t.tenant_id = i.tenant_id and invitation_id = $1
  and accepted_at is null and withdrawn_at is null and expires_at > now()
returning i.email, i.role, t.name as tenant, i.expires_at

-- name: note_sending
-- How the mailing went.
update invitations set sent_at = case when $2::text is null then now() else sent_at end, failure = $2
where tenant_id = tenant() and invitation_id = $1

-- name: first_password
-- The password of a person who has none.
select set_first_password($1, $2)
