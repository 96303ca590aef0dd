-- For `knowlog doctor`: what workers could take now, and what waits for a later try or a later moment. One row for each type.
create function knowlog.due_work()
returns table (type text, due bigint, later bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select e.type, count(*) filter (where e.due_at <= clock_timestamp()),
           count(*) filter (where e.due_at > clock_timestamp()),
           greatest(0, extract(epoch from clock_timestamp() - min(e.due_at)))::double precision
    from events e where e.state = 'waiting' group by e.type
$$;
select knowlog.give_to_definer('knowlog_system', array['due_work()']);
