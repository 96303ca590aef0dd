-- name: append
-- Write events into the outbox, in the transaction of the change they report, and tell the workers of which type they are.
with written as (
    insert into events (tenant_id, event_id, type, subject, data, state)
    select tenant(), e.event_id, $2, e.subject, e.data, $3
    from unnest($1::uuid[], $4::uuid[], $5::jsonb[]) as e (event_id, subject, data)
    returning 1)
select pg_notify('knowlog_work', $2) from written limit 1

-- name: complete
-- The work is done, as far as it is still ours. Each event is looked up by its key, also in a burst, while the planner does
-- not know yet how much a tenant has waiting, and would read all of it: it gets no use of the index of what is unfinished
-- (`|| ''`), and takes the events that are held for one (what was begun was begun once at least).
update events e set state = 'done', finished_at = clock_timestamp(), lease_until = null, reason = null
from unnest($1::uuid[], $3::int[]) as held (event_id, attempts)
where e.tenant_id = tenant() and e.event_id = held.event_id and e.state || '' = 'running' and e.worker = $2
  and e.attempts = held.attempts and held.attempts between 1 and 2147483647
returning e.event_id

-- name: done_by
-- Which of these events a worker has completed.
select event_id from events
where tenant_id = tenant() and event_id = any($1::uuid[]) and state = 'done' and worker = $2

-- name: still_ours
-- Whether work is still this worker's; who cancels it meanwhile waits for what is being written.
select true from events
where tenant_id = tenant() and event_id = $1 and worker = $2 and attempts = $3 and state = 'running'
for share

-- name: fail
-- Give up the work, if it is still ours: for good, or for a while, by the database's clock.
update events
set state = case when $4::interval is null then 'failed' else 'waiting' end,
    due_at = coalesce(clock_timestamp() + $4, due_at), reason = $5, lease_until = null, announced_at = null,
    finished_at = case when $4::interval is null then clock_timestamp() end
where tenant_id = tenant() and event_id = $1 and state = 'running' and worker = $2 and attempts = $3
returning 1

-- name: release
-- Hand work back unharmed, as a worker does that is told to stop: the attempt does not count.
update events set state = 'waiting', lease_until = null, attempts = attempts - 1, announced_at = null
where tenant_id = tenant() and event_id = $1 and state = 'running' and worker = $2 and attempts = $3
returning 1

-- name: retry
-- Put dead work back into the queue, with its attempts forgotten, and wake the workers.
with again as (
    update events
    set state = 'waiting', attempts = 0, reason = null, due_at = clock_timestamp(), started_at = null, finished_at = null,
        announced_at = null
    where tenant_id = tenant() and event_id = any($1::uuid[]) and state in ('failed', 'cancelled')
    returning event_id)
select event_id, pg_notify('knowlog_work', '') from again

-- name: cancel
-- Nobody may do this work any more.
update events set state = 'cancelled', reason = $2, lease_until = null, finished_at = clock_timestamp()
where tenant_id = tenant() and event_id = $1 and state in ('waiting', 'running')
returning event_id

-- name: get_job
-- One job.
select event_id as job_id, type as kind, subject, case when type like 'document.%' then subject end as document_id,
       (data ->> 'collection_id')::uuid as collection_id, (data ->> 'endpoint_id')::uuid as endpoint_id,
       state, attempts, reason, created_at, due_at, started_at, finished_at,
       round(1000 * extract(epoch from finished_at - started_at))::bigint as took_ms
from events where tenant_id = tenant() and event_id = $1 and state <> 'none'

-- name: list_jobs
-- Jobs, newest first, from before `$2`; with `$4`, those about these collections or their documents. `dead` are those that
-- failed and were not asked for anew: of the same subject, and where it is about one event, one letter or some bytes, of these.
select event_id as job_id, type as kind, subject, case when type like 'document.%' then subject end as document_id,
       (data ->> 'collection_id')::uuid as collection_id, (data ->> 'endpoint_id')::uuid as endpoint_id,
       state, attempts, reason, created_at, due_at, started_at, finished_at,
       round(1000 * extract(epoch from finished_at - started_at))::bigint as took_ms
from events e
where tenant_id = tenant() and state <> 'none'
  and ($1::text is null or state = case when $1 = 'dead' then 'failed' else $1 end)
  and ($2::uuid is null or event_id < $2)
  and ($4::uuid[] is null or subject = any($4) or exists (
    select from documents d where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id = any($4)))
  and ($5::text is null or type = $5) and ($6::uuid is null or subject = $6) and type <> all($7::text[])
  and ($1 is distinct from 'dead' or not exists (
    select from events later
    where later.tenant_id = tenant() and later.subject = e.subject and later.type = e.type and later.position > e.position
      and (later.data -> 'event_id', later.data -> 'letter', later.data -> 'blobs')
        is not distinct from (e.data -> 'event_id', e.data -> 'letter', e.data -> 'blobs')))
order by event_id desc limit $3

-- name: list_jobs_oldest
-- The same, oldest first, from behind `$2`.
select event_id as job_id, type as kind, subject, case when type like 'document.%' then subject end as document_id,
       (data ->> 'collection_id')::uuid as collection_id, (data ->> 'endpoint_id')::uuid as endpoint_id,
       state, attempts, reason, created_at, due_at, started_at, finished_at,
       round(1000 * extract(epoch from finished_at - started_at))::bigint as took_ms
from events e
where tenant_id = tenant() and state <> 'none'
  and ($1::text is null or state = case when $1 = 'dead' then 'failed' else $1 end)
  and ($2::uuid is null or event_id > $2)
  and ($4::uuid[] is null or subject = any($4) or exists (
    select from documents d where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id = any($4)))
  and ($5::text is null or type = $5) and ($6::uuid is null or subject = $6) and type <> all($7::text[])
  and ($1 is distinct from 'dead' or not exists (
    select from events later
    where later.tenant_id = tenant() and later.subject = e.subject and later.type = e.type and later.position > e.position
      and (later.data -> 'event_id', later.data -> 'letter', later.data -> 'blobs')
        is not distinct from (e.data -> 'event_id', e.data -> 'letter', e.data -> 'blobs')))
order by event_id limit $3

-- name: latest_job_of
-- The newest job of a subject.
select event_id from events where tenant_id = tenant() and subject = $1 and state <> 'none' order by position desc limit 1

-- name: notify
-- Tell whoever watches that something about subjects changed.
select pg_notify('knowlog_progress', said) from unnest($1::text[]) as said

-- name: work_by_minute
-- Jobs of the last hour by the minute in which they ended, of those with an id from `$1` on.
select date_trunc('minute', finished_at) as at, count(*) filter (where state = 'done') as done,
       count(*) filter (where state = 'failed') as failed,
       round((percentile_cont(0.5) within group (order by took))::numeric, 1)::float8 as p50_ms,
       round((percentile_cont(0.95) within group (order by took))::numeric, 1)::float8 as p95_ms
from (
    select finished_at, state, coalesce(1000 * extract(epoch from finished_at - started_at), 0)::float8 as took from events
    where tenant_id = tenant() and event_id >= $1 and state in ('done', 'failed') and finished_at > now() - interval '1 hour'
) ended
group by 1 order by 1
