-- A claim looks at few tenants at a time. Where none of these has anything that can be done now, as where all wait for their next
-- attempts, the circle goes on behind them: null where they were all that wait.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create function knowlog.last_passed_by(after uuid, most integer) returns uuid
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select case when count(*) = most then (array_agg(w.tenant_id order by w.n))[most] end
    from waiting_tenants(after, most) with ordinality as w (tenant_id, weight, n)
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
select knowlog.give_to_definer('knowlog_system', array['last_passed_by(uuid, integer)']);
