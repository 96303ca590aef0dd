-- How many documents are in each state but indexed, over all tenants: for metrics. Read from documents_by_state.
create function knowlog.unfinished_documents() returns table (state text, documents bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select d.state, count(*) from documents d where d.state <> 'indexed' group by d.state
$$;

select knowlog.give_to_definer('knowlog_system', array['unfinished_documents()']);
