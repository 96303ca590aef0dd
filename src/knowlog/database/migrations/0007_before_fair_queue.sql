-- The queue, fair between tenants; the log that can be followed; announcements to a broker; cancelled work.

alter table knowlog.tenants add column weight integer not null default 1 check (weight between 1 and 1000);

-- `xid` is the transaction that wrote the event. Positions are given before a transaction commits, so that a higher one
-- may be seen first; whoever follows the log in the order of (xid, position), and only below the oldest transaction
-- that still runs, misses none. `announced_at` is when a broker was last told of waiting work.
alter table knowlog.events
    add column xid xid8 not null default pg_current_xact_id(),
    add column announced_at timestamptz,
    drop constraint events_state_check,
    add constraint events_state_check check (state in ('waiting', 'running', 'done', 'failed', 'cancelled', 'none'));
create index events_log on knowlog.events (tenant_id, xid, position);
create index events_followed on knowlog.events (xid, position);

-- Rows of a queue change often: clean up early, so that claims do not wade through what is done.
alter table knowlog.events set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

drop index knowlog.events_queue, knowlog.events_running;
create index events_waiting on knowlog.events (tenant_id, position) where state = 'waiting';
create index events_unfinished on knowlog.events (tenant_id, subject, position) where state in ('waiting', 'running');
create index events_leased on knowlog.events (lease_until) where state = 'running';

-- The functions of the queue keep to indexes and loops, whatever the planner believes of a table that was empty a moment
-- ago: a burst of 20,000 events before the first ANALYZE made claims thirty times slower.

-- Tenants with waiting work, at most `most`, in a circle from behind `after`: one index probe each.
create function knowlog.waiting_tenants(after uuid, most integer) returns table (tenant_id uuid, weight integer)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with recursive behind as (
        (select e.tenant_id, 1 as n from events e where e.state = 'waiting' and e.tenant_id > after
         order by e.tenant_id limit 1)
        union all
        select (select e.tenant_id from events e where e.state = 'waiting' and e.tenant_id > b.tenant_id
                order by e.tenant_id limit 1), b.n + 1
        from behind b where b.tenant_id is not null and b.n < most),
    before as (
        (select e.tenant_id, 1 as n from events e where e.state = 'waiting' order by e.tenant_id limit 1)
        union all
        select (select e.tenant_id from events e where e.state = 'waiting' and e.tenant_id > b.tenant_id
                order by e.tenant_id limit 1), b.n + 1
        from before b where b.tenant_id is not null and b.tenant_id <= after and b.n < most),
    circle as (
        select b.tenant_id, b.n from behind b where b.tenant_id is not null
        union all
        select b.tenant_id, b.n + most from before b where b.tenant_id <= after)
    select c.tenant_id, t.weight from circle c join tenants t using (tenant_id) order by c.n limit most
$$;

-- Lock up to `most` events that are ready: waiting and due, of one of `types`, with nothing earlier of their subject
-- unfinished, and not announced for `quiet`. Tenants get shares by weight, in a circle from behind `after`, and what one
-- does not use goes to those with more; those in `skip` get none. Oldest first within a tenant. Not callable from outside.
create function knowlog.pick_ready(most integer, types text[], skip uuid[], after uuid, quiet interval)
returns table (tenant_id uuid, event_id uuid, weight integer)
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    room integer := most;
    rest bigint;
    turn record;
    took bigint;
begin
    for turn in
        with tenant_weights as materialized (
            select w.tenant_id, w.weight from waiting_tenants(after, most) w where w.tenant_id <> all(skip))
        select w.tenant_id, w.weight, sum(w.weight) over () as all_weights, few.available
        from tenant_weights w cross join lateral (
            select count(*) as available
            from (select from events e where e.tenant_id = w.tenant_id and e.state = 'waiting' limit most) e) few
        order by few.available::numeric / w.weight, w.tenant_id
    loop
        exit when room <= 0;
        rest := coalesce(rest, turn.all_weights);
        return query
            select e.tenant_id, e.event_id, turn.weight
            from events e
            where e.tenant_id = turn.tenant_id and e.state = 'waiting' and e.due_at <= clock_timestamp()
              and e.type = any(types)
              and (quiet is null or e.announced_at is null or e.announced_at < clock_timestamp() - quiet)
              and e.position = (
                  select first.position from events first
                  where first.tenant_id = e.tenant_id and first.subject = e.subject
                    and first.state in ('waiting', 'running')
                  order by first.position limit 1)
            order by e.position limit ceil(room::numeric * turn.weight / rest) for update of e skip locked;
        get diagnostics took = row_count;
        room := room - took;
        rest := rest - turn.weight;
    end loop;
end $$;

-- Lock up to `most` events whose lease has run out: their worker is dead, or was paused too long. Those in `held` are
-- the caller's own. Not callable from outside.
create function knowlog.pick_expired(most integer, types text[], held uuid[], quiet interval)
returns table (tenant_id uuid, event_id uuid, weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    select e.tenant_id, e.event_id, t.weight
    from events e join tenants t using (tenant_id)
    where e.state = 'running' and e.lease_until < clock_timestamp() and e.type = any(types)
      and e.event_id <> all(held)
      and (quiet is null or e.announced_at is null or e.announced_at < clock_timestamp() - quiet)
    order by e.lease_until limit most for update of e skip locked
$$;

-- Take ready and orphaned events for `lease`. `skip` names tenants that the caller has enough of.
create function knowlog.claim_events(
    worker_name text, lease interval, most integer, types text[], held uuid[], skip uuid[], after uuid)
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz,
               weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with picked as materialized (
        select * from pick_expired(most, types, held, null)
        union all
        select * from pick_ready(most, types, skip, after, null))
    update events e
    set state = 'running', worker = worker_name, attempts = e.attempts + 1, announced_at = null,
        lease_until = clock_timestamp() + lease
    from picked p
    where e.tenant_id = p.tenant_id and e.event_id = p.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at, p.weight
$$;

-- Take the events that a broker has announced, as far as they still want doing: the same law, for named events. It waits
-- for locks, in one order: the announcement may be here before the transaction that published it has committed.
create function knowlog.claim_announced(worker_name text, lease interval, tenants uuid[], ids uuid[], held uuid[])
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz,
               weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with picked as materialized (
        select e.tenant_id, e.event_id, t.weight
        from unnest(tenants, ids) as announced(tenant_id, event_id)
        join events e using (tenant_id, event_id) join tenants t using (tenant_id)
        where e.event_id <> all(held)
          and case e.state when 'waiting' then e.due_at <= clock_timestamp()
                           when 'running' then e.lease_until < clock_timestamp() else false end
          and e.position = (
              select first.position from events first
              where first.tenant_id = e.tenant_id and first.subject = e.subject
                and first.state in ('waiting', 'running')
              order by first.position limit 1)
        order by e.tenant_id, e.event_id for update of e)
    update events e
    set state = 'running', worker = worker_name, attempts = e.attempts + 1, announced_at = null,
        lease_until = clock_timestamp() + lease
    from picked p
    where e.tenant_id = p.tenant_id and e.event_id = p.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at, p.weight
$$;

-- What the relay tells a broker: ready events that it was not told of for `quiet`, and those whose worker died. Kept
-- below `window` announcements that nobody has taken up, so that the broker's queues stay short and turns stay fair.
create function knowlog.announce_events(most integer, types text[], window_size integer, quiet interval, after uuid)
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz,
               weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with room as materialized (
        select greatest(0, least(most, window_size - (
            select count(*) from events e
            where e.state = 'waiting' and e.announced_at >= clock_timestamp() - quiet)))::integer as free),
    picked as materialized (
        select x.* from room, pick_expired(most, types, '{}', quiet) x
        union all
        select r.* from room, pick_ready(room.free, types, '{}', after, quiet) r where room.free > 0)
    update events e set announced_at = clock_timestamp()
    from picked p
    where e.tenant_id = p.tenant_id and e.event_id = p.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at, p.weight
$$;
create index events_announced on knowlog.events (announced_at) where state = 'waiting' and announced_at is not null;

-- Heartbeat: prolong what a worker still holds, and return what it has lost: taken over, cancelled or deleted. What is
-- about to be finished is locked by its own transaction and passed over; nobody can claim a locked event.
create function knowlog.keep_leases(worker_name text, lease interval, event_ids uuid[]) returns setof uuid
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    with held as (
        select e.tenant_id, e.event_id from events e
        where e.event_id = any(event_ids) and e.state = 'running' and e.worker = worker_name
        for update skip locked)
    update events e set lease_until = clock_timestamp() + lease from held h
    where e.tenant_id = h.tenant_id and e.event_id = h.event_id;
    return query
        select id from unnest(event_ids) id
        where not exists (select from events e
                          where e.event_id = id and e.state = 'running' and e.worker = worker_name);
end $$;
create index events_by_id on knowlog.events (event_id) where state = 'running';

-- Which workers hold leases; and the end of the leases of those that are known to be dead.
create function knowlog.working() returns setof text
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select distinct e.worker from events e where e.state = 'running'
$$;
create function knowlog.end_leases(workers text[]) returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with held as (
        select e.tenant_id, e.event_id from events e
        where e.state = 'running' and e.worker = any(workers) and e.lease_until > clock_timestamp()
        for update skip locked),
    ended as (
        update events e set lease_until = clock_timestamp() from held h
        where e.tenant_id = h.tenant_id and e.event_id = h.event_id
        returning 1)
    select count(*) from ended
$$;

-- Is there any work that is not done? Cheap where there is none.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.queue_depth()
returns table (waiting bigint, running bigint, failed bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (select count(*) from events e where e.state = 'waiting'),
           (select count(*) from events e where e.state = 'running'),
           (select count(*) from events e where e.state = 'failed'),
           coalesce((select extract(epoch from clock_timestamp() - min(e.created_at))
                     from events e where e.state = 'waiting'), 0)::double precision
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
create index events_failed on knowlog.events (tenant_id, position) where state = 'failed';

create function knowlog.set_tenant_weight(id uuid, new_weight integer) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with changed as (update tenants set weight = new_weight where tenant_id = id returning 1)
    select exists (select from changed)
$$;

-- Tenants with their weights. Older functions stay for processes of the version before this one.
create function knowlog.tenants_page(after_id uuid, most integer)
returns table (tenant_id uuid, name text, created_at timestamptz, document_count bigint, weight integer)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select t.tenant_id, t.name, t.created_at,
           (select count(*) from documents d where d.tenant_id = t.tenant_id), t.weight
    from tenants t where after_id is null or t.tenant_id > after_id
    order by t.tenant_id limit most
$$;
select knowlog.give_to_definer('knowlog_system', array[
    'claim_events(text, interval, integer, text[], uuid[], uuid[], uuid)',
    'claim_announced(text, interval, uuid[], uuid[], uuid[])',
    'announce_events(integer, text[], integer, interval, uuid)', 'keep_leases(text, interval, uuid[])',
    'set_tenant_weight(uuid, integer)', 'working()', 'end_leases(text[])', 'tenants_page(uuid, integer)']);
select knowlog.give_to_definer('knowlog_definer', array[
    'waiting_tenants(uuid, integer)', 'pick_ready(integer, text[], uuid[], uuid, interval)',
    'pick_expired(integer, text[], uuid[], interval)']);
