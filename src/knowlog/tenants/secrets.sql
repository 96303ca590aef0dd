-- name: list
-- Names and hints of the tenant's secrets.
select name, hint, created_at, updated_at, updated_by from secrets where tenant_id = tenant() order by name

-- name: count
-- How many secrets the tenant has, besides the one of this name.
select count(*) from secrets where tenant_id = tenant() and name <> $1

-- name: put
-- Keep a secret, in place of an older one of its name.
insert into secrets (tenant_id, name, sealed, hint, updated_by) values (tenant(), $1, $2, $3, $4)
on conflict (tenant_id, name) do update
set sealed = excluded.sealed, hint = excluded.hint, updated_at = now(), updated_by = excluded.updated_by
returning name, hint, created_at, updated_at, updated_by

-- name: sealed
-- One secret, as it is stored.
select sealed from secrets where tenant_id = tenant() and name = $1

-- name: remove
-- Forget a secret.
delete from secrets where tenant_id = tenant() and name = $1 returning 1
