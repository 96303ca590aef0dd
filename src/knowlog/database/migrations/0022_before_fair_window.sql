-- Announcements in fair windows: each queue has one of its own, and a tenant at most a quarter of it, so that one tenant's
-- slow deliveries keep neither another's nor anybody's documents waiting.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.announce_events(
    most integer, types text[], window_size integer, quiet interval, after uuid)
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz,
               weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with told as materialized (
        select e.tenant_id, count(*) as waiting from events e
        where e.state = 'waiting' and e.announced_at >= clock_timestamp() - quiet and e.type = any(types)
        group by e.tenant_id),
    room as materialized (
        select greatest(0, least(most, window_size - coalesce(sum(t.waiting), 0)))::integer as free,
               coalesce(array_agg(t.tenant_id) filter (where t.waiting >= greatest(1, window_size / 4)), '{}') as full_up
        from told t),
    picked as materialized (
        select x.* from room, pick_expired(most, types, '{}', quiet) x
        union all
        select r.* from room, pick_ready(least(room.free, greatest(1, window_size / 4)), types, room.full_up, after, quiet) r
        where room.free > 0)
    update events e set announced_at = clock_timestamp()
    from picked p
    where e.tenant_id = p.tenant_id and e.event_id = p.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at, p.weight
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
