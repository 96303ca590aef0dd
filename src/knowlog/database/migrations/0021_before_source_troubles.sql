-- For `knowlog doctor`: the sources that are not read, with the cause, and those with dead letters.
create function knowlog.source_troubles(most integer)
returns table (tenant text, name text, trouble text, dead bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select t.name, s.name, case when s.state = 'active' then s.trouble end, letters.count
    from sources s join tenants t on t.tenant_id = s.tenant_id
    cross join lateral (
        select count(*) from dead_letters d
        where d.tenant_id = s.tenant_id and d.source_id = s.source_id and d.replayed_at is null) letters
    where letters.count > 0 or (s.state = 'active' and s.trouble is not null)
    order by t.name, s.name limit most
$$;
select knowlog.give_to_definer('knowlog_system', array['source_troubles(integer)']);
