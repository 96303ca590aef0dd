-- Take over what dead workers have left, without waiting for a broker to tell of it.
create function knowlog.claim_orphans(worker_name text, lease interval, most integer, types text[], held uuid[])
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz,
               weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with picked as materialized (select * from pick_expired(most, types, held, null))
    update events e
    set state = 'running', worker = worker_name, attempts = e.attempts + 1, announced_at = null,
        lease_until = clock_timestamp() + lease
    from picked p
    where e.tenant_id = p.tenant_id and e.event_id = p.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at, p.weight
$$;
select knowlog.give_to_definer('knowlog_system', array['claim_orphans(text, interval, integer, text[], uuid[])']);
