-- What a worker said of its clock is forgotten when the database's clock, by which it was said, has been set back since.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.clock_ahead_s(fresh interval) returns double precision
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (c.last_value >> 32)::double precision - 1073741824 from knowlog.clock_off c
    where (c.last_value & 4294967295)
          between extract(epoch from clock_timestamp() - fresh) and extract(epoch from clock_timestamp()) + 1
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
