-- What waits behind an earlier event of its subject, as a delivery behind one that is tried again in hours, is nothing that a
-- worker could take: it is for later, however long ago it was asked for.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.due_work()
returns table (type text, due bigint, later bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select e.type, count(*) filter (where x.is_due), count(*) filter (where not x.is_due),
           coalesce(greatest(0, extract(epoch from clock_timestamp() - min(e.due_at) filter (where x.is_due))), 0)::double precision
    from events e join tenants t using (tenant_id) cross join lateral (
        select e.due_at <= clock_timestamp() and not exists (
            select from events earlier
            where earlier.tenant_id = e.tenant_id and earlier.subject = e.subject and earlier.position < e.position
              and earlier.state in ('waiting', 'running')) as is_due offset 0) x
    where e.state = 'waiting' and t.suspended_at is null
      and not exists (select from places p
                      where p.tenant_id = '00000000-0000-0000-0000-000000000000' and p.placed_id = t.tenant_id)
    group by e.type
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
