-- name: origin_known
-- Whether the person of an e-mail address has signed in from here.
select exists (select from sign_in_origins o join people p using (tenant_id, person_id)
               where o.tenant_id = tenant() and p.email = $1 and o.origin = $2)

-- name: know_origin
-- They have now.
insert into sign_in_origins (person_id, origin) values ($1, $2)
on conflict (tenant_id, person_id, origin) do update set seen_at = now()

-- name: charge_failure
-- Count one more, after what has been forgotten meanwhile; never above $3. Returns how many there are.
insert into sign_in_failures as f (bucket, level, at) values ($1, 1, clock_timestamp())
on conflict (tenant_id, bucket) do update
set level = least($3, greatest(0, f.level - extract(epoch from clock_timestamp() - f.at) * $2::double precision) + 1),
    at = clock_timestamp()
returning level

-- name: refund_failure
-- It was none.
update sign_in_failures set level = greatest(0, level - 1) where tenant_id = tenant() and bucket = $1

-- name: forget_failures
-- None of them counts any more.
delete from sign_in_failures where tenant_id = tenant() and bucket = $1

-- name: find_person
-- Who has an e-mail address.
select person_id, email, password_hash, totp_since is not null as second_factor
from people where tenant_id = tenant() and email = $1

-- name: get_person
-- One person.
select person_id, email, password_hash, totp_since is not null as second_factor
from people where tenant_id = tenant() and person_id = $1

-- name: set_password
-- Another password.
update people set password_hash = $2, password_changed_at = now() where tenant_id = tenant() and person_id = $1

-- name: second_factor
-- What a code is checked against; the row is locked, so that a code is good once.
select totp_sealed, totp_since, totp_step, recovery_hashes from people
where tenant_id = tenant() and person_id = $1 for update

-- name: propose_totp
-- A secret that is not in force until its first code was given.
update people set totp_sealed = $2, totp_step = 0 where tenant_id = tenant() and person_id = $1 and totp_since is null
returning 1

-- name: enforce_totp
-- From now on a code is asked for.
update people set totp_since = now(), totp_step = $2, recovery_hashes = $3
where tenant_id = tenant() and person_id = $1 and totp_since is null

-- name: use_step
-- The code of this step, and those before, are used up.
update people set totp_step = $2 where tenant_id = tenant() and person_id = $1

-- name: use_recovery_code
-- A recovery code is used up.
update people set recovery_hashes = array_remove(recovery_hashes, $2)
where tenant_id = tenant() and person_id = $1 and $2 = any(recovery_hashes) returning 1

-- name: drop_totp
-- No code is asked for any more.
update people set totp_sealed = null, totp_since = null, totp_step = 0, recovery_hashes = '{}'
where tenant_id = tenant() and person_id = $1

-- name: insert_reset
-- A link with which a password can be set anew; its secret comes into being when it is mailed.
insert into password_resets (reset_id, person_id, expires_at) values ($1, $2, now() + $3)

-- name: add_reset_secret
-- A link is about to be mailed. Returns to whom, while it can be used.
update password_resets r set secret_hashes = (array_append(secret_hashes, $2::bytea))[greatest(1, cardinality(secret_hashes) - 3):]
from people p
where r.tenant_id = tenant() and r.reset_id = $1 and r.used_at is null and r.expires_at > now()
  and p.tenant_id = tenant() and p.person_id = r.person_id
returning p.email, r.expires_at

-- name: use_reset
-- The link is used up. Returns whose it is.
update password_resets set used_at = now()
where tenant_id = tenant() and reset_id = $1 and $2 = any(secret_hashes) and used_at is null and expires_at > now()
returning person_id

-- name: drop_resets
-- A person's other links are of no use any more.
update password_resets set used_at = now() where tenant_id = tenant() and person_id = $1 and used_at is null

-- name: newest_signing_key
-- The key that signs, unless it is too old.
select key_id, sealed from signing_keys where tenant_id = tenant() and created_at > now() - $1::interval
order by created_at desc limit 1

-- name: insert_signing_key
-- A new one.
insert into signing_keys (key_id, public_key, sealed) values ($1, $2, $3)

-- name: drop_signing_keys
-- Those that are so old are forgotten, and what they signed is worth nothing.
delete from signing_keys where tenant_id = tenant() and created_at <= now() - $1::interval

-- name: lock_signing_keys
-- One process makes a key.
select pg_advisory_xact_lock(hashtext('knowlog.signing_keys'))
