-- Old events are forgotten, oldest first, at most `most` at a time: what is recorded only, done or cancelled. Transactions
-- begin about in the order of their numbers, so that the walk may end when it has met `most` young events; it needs no
-- index of its own, which every event would pay for. Sorting the whole table instead is never right here.
create function knowlog.forget_events(older_than interval, most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp set enable_sort = off as $$
declare
    e record;
    gone bigint := 0;
    young bigint := 0;
begin
    for e in select x.tenant_id, x.event_id, x.state, x.created_at, x.finished_at from events x
             order by x.xid, x.position loop
        exit when gone >= most or young >= most;
        if e.created_at >= now() - older_than then
            young := young + 1;
        elsif e.state in ('none', 'done', 'cancelled')
           and coalesce(e.finished_at, e.created_at) < now() - older_than then
            delete from events x where x.tenant_id = e.tenant_id and x.event_id = e.event_id
                and x.state in ('none', 'done', 'cancelled');
            gone := gone + 1;
        end if;
    end loop;
    return gone;
end $$;

select knowlog.give_to_definer('knowlog_system', array['forget_events(interval, integer)']);
