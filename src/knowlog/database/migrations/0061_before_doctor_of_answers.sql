-- What `knowlog doctor` asks about conversations, summaries and tenants' own language models, over all tenants and naming none.

-- How many threads there are; how many of them should have gone, and for how long; and how long ago a worker last did what is
-- done once an hour, of which forgetting threads is a part (null: never).
create function knowlog.thread_overview(keep_days integer)
returns table (threads bigint, overdue bigint, overdue_s double precision, cleaned_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(t.thread_id), count(*) filter (where t.updated_at < term.ends),
           coalesce(greatest(0, extract(epoch from term.ends - min(t.updated_at))), 0)::double precision,
           (select extract(epoch from clock_timestamp()) - nullif(h.last_value, 0) from turn_hourly h)::double precision
    from (select now() - make_interval(days => keep_days) as ends) term left join threads t on true
    group by term.ends
$$;

-- Summaries that wait for a worker, with the longest wait; that failed for good; that are outdated, are to be renewed by
-- themselves, and for which no work is under way; and batches that failed.
create function knowlog.summary_overview()
returns table (summaries bigint, waiting bigint, oldest_s double precision, failed bigint, outdated bigint, batches_failed bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with latest as (
        select distinct on (e.tenant_id, e.subject) e.tenant_id, e.subject, e.state, e.due_at from events e
        where e.type in ('summary.requested', 'summary_batch.requested')
        order by e.tenant_id, e.subject, e.position desc),
    kept as (
        select u.tenant_id, u.summary_id, u.made_at, u.wanted, l.state, l.due_at
        from summaries u left join latest l on l.tenant_id = u.tenant_id and l.subject = u.summary_id),
    waits as (
        select l.due_at from latest l
        where l.state = 'waiting'
          and not exists (select from tenants n where n.tenant_id = l.tenant_id and n.suspended_at is not null))
    select (select count(*) from kept), (select count(*) from waits),
           coalesce((select greatest(0, extract(epoch from clock_timestamp() - min(w.due_at))) from waits w), 0)::double precision,
           (select count(*) from kept k where k.made_at is null and k.state = 'failed'),
           (select count(*) from kept k
            where k.made_at is not null and coalesce((k.wanted ->> 'renewed')::boolean, false)
              and coalesce(k.state, 'done') not in ('waiting', 'running')
              and exists (select from summary_sources s
                          join documents d on d.tenant_id = s.tenant_id and d.document_id = s.document_id
                          where s.tenant_id = k.tenant_id and s.summary_id = k.summary_id and d.version <> s.version)),
           (select count(*) from summary_batches b join latest l on l.tenant_id = b.tenant_id and l.subject = b.batch_id
            where b.finished_at is null and b.stopped is null and l.state = 'failed')
$$;

-- Where tenants' own language models stand, and of how many tenants.
create function knowlog.own_model_places()
returns table (url text, tenants bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select m.url, count(*) from own_models m group by m.url order by m.url
$$;
select knowlog.give_to_definer('knowlog_system', array[
    'thread_overview(integer)', 'summary_overview()', 'own_model_places()']);
