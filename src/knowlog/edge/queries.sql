-- name: claim_key
-- Take an idempotency key for this transaction. A twin that is under way makes this wait for its end; one that has an
-- answer younger than $4 makes it return nothing.
insert into idempotency_keys (tenant_id, principal, key, request_hash) values (tenant(), $1, $2, $3)
on conflict (tenant_id, principal, key) do update
set request_hash = excluded.request_hash, status = null, response = null, created_at = now()
where idempotency_keys.created_at < now() - $4::interval
returning 1

-- name: is_answered
-- Whether a key has an answer younger than $3.
select response is not null and created_at >= now() - $3::interval from idempotency_keys
where tenant_id = tenant() and principal = $1 and key = $2

-- name: stored_answer
-- The answer that was given to a key.
select request_hash, status, response from idempotency_keys where tenant_id = tenant() and principal = $1 and key = $2

-- name: store_answer
-- Keep the answer for whoever repeats the request.
update idempotency_keys set status = $3, response = $4 where tenant_id = tenant() and principal = $1 and key = $2

-- name: lock_answer
-- The answer to a key that is claimed, null while there is none. A twin that is under way makes this wait.
select request_hash, response from idempotency_keys where tenant_id = tenant() and principal = $1 and key = $2 for update
