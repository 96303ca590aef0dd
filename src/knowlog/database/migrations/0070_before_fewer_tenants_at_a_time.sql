-- A claim gives few tenants several events each, instead of one each to many: what a worker handles of one tenant together
-- costs one transaction. Where these few have nothing that can be done now, the claim looks further, as far as it did before.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;

-- Lock up to `most` events that are ready: waiting and due, of one of `types`, with nothing earlier of their subject
-- unfinished, and not announced for `quiet`. Tenants get shares by weight, in a circle from behind `after`, and what one
-- does not use goes to those with more; those in `skip` get none, and do not count. Oldest first within a tenant.
create or replace function knowlog.pick_ready(most integer, types text[], skip uuid[], after uuid, quiet interval)
returns table (tenant_id uuid, event_id uuid, weight integer)
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    room integer := most;
    reach integer;
    rest bigint;
    seen integer;
    turn record;
    took bigint;
begin
    foreach reach in array array[least(most, greatest(12, most / 4)), most] loop
        seen := 0;
        for turn in
            with tenant_weights as materialized (
                select w.tenant_id, w.weight
                from waiting_tenants(after, reach + cardinality(skip)) with ordinality as w (tenant_id, weight, n)
                where w.tenant_id <> all(skip) order by w.n limit reach)
            select w.tenant_id, w.weight, sum(w.weight) over () as all_weights, few.available
            from tenant_weights w cross join lateral (
                select count(*) as available
                from (select from events e where e.tenant_id = w.tenant_id and e.state = 'waiting' limit most) e) few
            order by few.available::numeric / w.weight, w.tenant_id
        loop
            exit when room <= 0;
            rest := case when seen = 0 then turn.all_weights else rest end;
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
            seen := seen + 1;
        end loop;
        exit when room < most or seen < reach or reach = most;
    end loop;
end $$;

-- Where the circle goes on behind the tenants of which a claim of `most` found nothing: null where they were all that wait.
create function knowlog.last_passed_by(after uuid, most integer, skip uuid[]) returns uuid
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select case when count(*) = most then (array_agg(x.tenant_id order by x.n))[most] end
    from (select w.tenant_id, w.n
          from waiting_tenants(after, most + cardinality(skip)) with ordinality as w (tenant_id, weight, n)
          where w.tenant_id <> all(skip) order by w.n limit most) x
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
select knowlog.give_to_definer('knowlog_system', array['last_passed_by(uuid, integer, uuid[])']);
