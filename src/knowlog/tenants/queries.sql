-- name: key_of
-- A key that is valid at this moment, asked without a transaction.
select * from knowlog.key_of($1, $2)

-- name: find_key
-- A key that is valid at this moment, by the hash of its secret.
select key_id, role, collections, groups,
       (last_used_at is null or last_used_at < now() - interval '1 minute')
           and current_setting('transaction_read_only') = 'off' as used_again,
       exists (select from tenants t where t.tenant_id = tenant() and t.suspended_at is not null) as suspended
from api_keys
where tenant_id = tenant() and secret_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())

-- name: touch_key
-- Remember that a key is in use, to the minute.
update api_keys set last_used_at = now() where tenant_id = tenant() and key_id = $1

-- name: is_held
-- Whether nothing of the tenant can be written at this moment.
select current_setting('transaction_read_only') = 'on'

-- name: refuse_key
-- A key that was revoked or has expired is offered; no row for any other secret, nor when that was so within the hour.
update api_keys set refused_at = now()
where tenant_id = tenant() and secret_hash = $1 and (refused_at is null or refused_at < now() - interval '1 hour')
returning key_id, case when revoked_at is null then 'expired' else 'revoked' end as because

-- name: insert_key
-- Keep a new key; the secret itself is kept nowhere.
insert into api_keys (tenant_id, key_id, name, secret_hash, hint, role, collections, created_by, expires_at, groups)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9)
returning key_id, name, hint, role, collections, groups, created_at, created_by, expires_at, revoked_at, last_used_at

-- name: list_keys
-- All keys of the tenant, oldest first, revoked ones too.
select key_id, name, hint, role, collections, groups, created_at, created_by, expires_at, revoked_at, last_used_at
from api_keys where tenant_id = tenant() order by created_at, key_id

-- name: get_key
-- One key.
select key_id, name, hint, role, collections, groups, created_at, created_by, expires_at, revoked_at, last_used_at
from api_keys where tenant_id = tenant() and key_id = $1

-- name: revoke_key
-- From now on the key opens nothing. Revoking twice keeps the first time.
update api_keys set revoked_at = coalesce(revoked_at, now()) where tenant_id = tenant() and key_id = $1
returning key_id, name, hint, role, collections, groups, created_at, created_by, expires_at, revoked_at, last_used_at

-- name: missing_collections
-- Those of the given collections that the tenant does not have.
select given.id from unnest($1::uuid[]) as given (id)
where not exists (select from collections c where c.tenant_id = tenant() and c.collection_id = given.id)

-- name: get_tenant
-- The tenant of this transaction.
select tenant_id, name, created_at, (select count(*) from documents d where d.tenant_id = t.tenant_id) as document_count,
       weight, suspended_at, suspended_because
from tenants t where tenant_id = tenant()

-- name: other_owner
-- Whether the tenant keeps an owner when the key or member $1 is gone: a valid key without a deadline or limit, or a member.
-- The rows are locked, so that two changes at once cannot take the last two.
select exists (select from api_keys where tenant_id = tenant() and key_id <> $1 and role = 'owner' and revoked_at is null
               and expires_at is null and collections is null for update)
    or exists (select from members where tenant_id = tenant() and member_id <> $1 and role = 'owner'
               and disabled_at is null for update)
