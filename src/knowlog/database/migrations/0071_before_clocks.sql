-- A worker whose clock is off says so, for `knowlog doctor`, which runs on another machine: how many seconds it is ahead (less
-- than 0: behind), moved by 2^30 so that it is positive, and the second of the word. Kept as the value of a sequence: there is
-- one for the installation, and a sequence is no tenant's row.
create sequence knowlog.clock_off minvalue 0 start 0;
grant select, update on sequence knowlog.clock_off to knowlog_definer;
create function knowlog.announce_clock(ahead_s double precision) returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select setval('knowlog.clock_off', ((1073741824 + least(1e9, greatest(-1e9, ahead_s)))::bigint << 32)
                                       | extract(epoch from clock_timestamp())::bigint)
$$;
-- What was said within `fresh`; null where nothing was.
create function knowlog.clock_ahead_s(fresh interval) returns double precision
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (c.last_value >> 32)::double precision - 1073741824 from knowlog.clock_off c
    where (c.last_value & 4294967295) > extract(epoch from clock_timestamp() - fresh)
$$;
select knowlog.give_to_definer('knowlog_system', array[
    'announce_clock(double precision)', 'clock_ahead_s(interval)']);
