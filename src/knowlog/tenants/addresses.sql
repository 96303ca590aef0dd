-- name: insert_domain
-- Note a domain that the tenant says is its own; it proves nothing yet. Said twice, the first stays.
insert into domains (tenant_id, domain, token, created_by) values (tenant(), $1, $2, $3)
on conflict (tenant_id, domain) do nothing
returning domain, token, proven_by, proven_at, checked_at, problem, created_at, created_by

-- name: get_domain
-- One domain of the tenant.
select domain, token, proven_by, proven_at, checked_at, problem, created_at, created_by
from domains where tenant_id = tenant() and domain = $1

-- name: list_domains
-- The tenant's domains, by name.
select domain, token, proven_by, proven_at, checked_at, problem, created_at, created_by
from domains where tenant_id = tenant() order by domain

-- name: count_domains
-- How many domains the tenant has named.
select count(*) from domains where tenant_id = tenant()

-- name: note_proof
-- What a look at the domain has shown. A domain once proven stays so.
update domains
set checked_at = now(), problem = $3, proven_by = coalesce(proven_by, $2),
    proven_at = coalesce(proven_at, case when $2::text is not null then now() end)
where tenant_id = tenant() and domain = $1
returning domain, token, proven_by, proven_at, checked_at, problem, created_at, created_by

-- name: delete_domain
-- The tenant says no longer that the domain is its own.
delete from domains where tenant_id = tenant() and domain = $1 returning domain

-- name: insert_origin
-- Let pages of this origin call. Said twice, the first stays.
insert into origins (tenant_id, origin, created_by) values (tenant(), $1, $2)
on conflict (tenant_id, origin) do update set origin = excluded.origin
returning origin, created_at, created_by

-- name: list_origins
-- The origins whose pages may call, by name.
select origin, created_at, created_by from origins where tenant_id = tenant() order by origin

-- name: count_origins
-- How many origins the tenant has listed, but for this one.
select count(*) from origins where tenant_id = tenant() and origin <> $1

-- name: is_listed
-- Whether pages of this origin may call.
select exists (select from origins where tenant_id = tenant() and origin = $1)

-- name: delete_origin
-- Pages of this origin may call no longer.
delete from origins where tenant_id = tenant() and origin = $1 returning origin
