-- A heartbeat writes only leases of which much is gone: most work is done before, and each lease that is prolonged is a row that
-- is written anew. A worker beats four times in a lease, so that it may still miss one beat. What it has lost it is told at each,
-- as before.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.keep_leases(worker_name text, lease interval, event_ids uuid[]) returns setof uuid
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    with held as (
        select e.tenant_id, e.event_id from events e
        where e.event_id = any(event_ids) and e.state = 'running' and e.worker = worker_name
          and e.lease_until < clock_timestamp() + 0.7 * lease
        for update skip locked)
    update events e set lease_until = clock_timestamp() + lease from held h
    where e.tenant_id = h.tenant_id and e.event_id = h.event_id;
    return query
        select id from unnest(event_ids) id
        where not exists (select from events e
                          where e.event_id = id and e.state = 'running' and e.worker = worker_name);
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
