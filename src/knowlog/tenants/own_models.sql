-- name: get
-- The tenant's own language model, with what tells its key from another; the hint is empty where there is no key.
select m.model, m.url, m.alone, m.changed_at, m.changed_by, coalesce(s.hint, '') as hint, s.updated_at as key_changed_at
from own_models m left join secrets s on s.tenant_id = m.tenant_id and s.name = $1
where m.tenant_id = tenant()

-- name: put
-- Keep the tenant's own language model, in place of an older one.
insert into own_models (tenant_id, model, url, alone, changed_by) values (tenant(), $1, $2, $3, $4)
on conflict (tenant_id) do update
set model = excluded.model, url = excluded.url, alone = excluded.alone, changed_at = now(), changed_by = excluded.changed_by

-- name: remove
-- Forget it.
delete from own_models where tenant_id = tenant() returning 1
