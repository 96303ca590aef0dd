-- name: data_key
-- The wrapped data key of this transaction's tenant, or of the installation.
select tenant_id, wrapped, wrapped_by from data_keys where tenant_id = tenant()
union all
select tenant_id, wrapped, wrapped_by from installation_keys where tenant_id = tenant()

-- name: insert_data_key
-- Keep a new data key, unless there is one.
with installation as (
    insert into installation_keys (tenant_id, wrapped, wrapped_by)
    select tenant(), $1::bytea, $2::text where tenant() = '00000000-0000-0000-0000-000000000000' on conflict do nothing)
insert into data_keys (tenant_id, wrapped, wrapped_by)
select tenant(), $1::bytea, $2::text where tenant() <> '00000000-0000-0000-0000-000000000000' on conflict do nothing

-- name: wrapped_otherwise
-- Data keys of all tenants that an older key wraps.
select tenant_id, wrapped, wrapped_by from keys_wrapped_otherwise($1, $2, $3)

-- name: count_otherwise
-- How many there are.
select count(*) from keys_wrapped_otherwise($1, null, null)

-- name: rewrap
-- Put one into its new wrapping.
select rewrap_key($1, $2, $3, $4)
