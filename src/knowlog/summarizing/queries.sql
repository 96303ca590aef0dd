-- name: seen
-- What a summary is made from: how many documents, and a digest of them and of their versions. `$1` collection, `$2` one
-- document or null; the span of time by `$3`, `$4`, or, with the member `$5` of the metadata, by the texts `$6`, `$7`.
select count(*) as documents,
       md5(string_agg(d.document_id || ':' || d.version, ',' order by d.document_id)) as made_from
from documents d
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.version
where d.tenant_id = tenant() and d.collection_id = $1 and ($2::uuid is null or d.document_id = $2)
  and case when $5::text is null
           then ($3::timestamptz is null or v.created_at >= $3) and ($4::timestamptz is null or v.created_at < $4)
           else d.metadata ->> $5 ~ '^\d{4}-\d\d-\d\d' and ($6::text is null or d.metadata ->> $5 >= $6 collate "C")
                and ($7::text is null or d.metadata ->> $5 < $7 collate "C") end

-- name: seen_documents
-- The same documents in the order of their ids, from behind `$8`, and as citations name them.
select d.document_id, d.version, c.name as collection, d.external_id, d.title
from documents d
join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.version
where d.tenant_id = tenant() and d.collection_id = $1 and ($2::uuid is null or d.document_id = $2)
  and case when $5::text is null
           then ($3::timestamptz is null or v.created_at >= $3) and ($4::timestamptz is null or v.created_at < $4)
           else d.metadata ->> $5 ~ '^\d{4}-\d\d-\d\d' and ($6::text is null or d.metadata ->> $5 >= $6 collate "C")
                and ($7::text is null or d.metadata ->> $5 < $7 collate "C") end
  and ($8::uuid is null or d.document_id > $8)
order by d.document_id limit $9

-- name: texts
-- The texts of versions.
select v.document_id, v.text, v.structure
from unnest($1::uuid[], $2::int[]) as w (document_id, version)
join versions v on v.tenant_id = tenant() and v.document_id = w.document_id and v.version = w.version
where v.text is not null

-- name: digests
-- What is kept of documents by a method.
select document_id, version, kept from document_digests
where tenant_id = tenant() and document_id = any($1::uuid[]) and method = $2

-- name: keep_digests
-- Keep what was found, of documents that are still there in that version.
insert into document_digests (tenant_id, document_id, version, method, kept)
select tenant(), n.document_id, n.version, $3, n.kept
from unnest($1::uuid[], $2::int[], $4::jsonb[]) as n (document_id, version, kept)
join documents d on d.tenant_id = tenant() and d.document_id = n.document_id and d.version = n.version
order by n.document_id
on conflict (tenant_id, document_id, method) do update
set version = excluded.version, kept = excluded.kept, made_at = now()

-- name: find_mine
-- The summary of the same wish that an asker has already, and whether something failed while it was made.
select summary_id, made_from, made_at, content -> 'degraded' <> '[]' as degraded from summaries
where tenant_id = tenant() and created_by = $1 and profile = $2
order by summary_id desc limit 1

-- name: job_open
-- Whether something is under way for a subject.
select exists (select from events where tenant_id = tenant() and subject = $1 and state in ('waiting', 'running'))

-- name: copy_summary
-- A summary that somebody else asked for in the same words, of exactly the documents that this asker sees, and whole.
with known as (
    select u.summary_id, u.content from summaries u
    where u.tenant_id = tenant() and u.profile = $2 and u.made_from = $3 and u.made_at is not null
      and u.content -> 'degraded' = '[]' limit 1),
made as (
    insert into summaries (tenant_id, summary_id, collection_id, document_id, wanted, profile, subjects, created_by,
                           made_from, content, made_at)
    select tenant(), $1, $4, $5, $6, $2, $7, $8, $3, k.content, clock_timestamp() from known k
    returning summary_id),
sources as (
    insert into summary_sources (tenant_id, summary_id, document_id, version)
    select tenant(), $1, s.document_id, s.version
    from summary_sources s join known k on k.summary_id = s.summary_id, made
    where s.tenant_id = tenant())
select 1 from made

-- name: insert_summary
-- A summary that waits for its job.
insert into summaries (tenant_id, summary_id, collection_id, document_id, batch_id, wanted, profile, subjects, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8)

-- name: begin_again
-- A summary waits to be made anew, for whom its asker stands now; what it said is not shown meanwhile.
update summaries set subjects = $2, content = null, made_from = null, made_at = null
where tenant_id = tenant() and summary_id = $1

-- name: hurry
-- What is under way for a summary is due at once.
with due as (
    update events set due_at = clock_timestamp() where tenant_id = tenant() and subject = $1 and state = 'waiting' returning 1)
select pg_notify('knowlog_work', '') from due limit 1

-- name: list_summaries
-- Summaries, newest first, from before `$1`; of the asker `$2`, of the collection `$3`, of the batch `$4`, the one `$5`, each
-- unless null; within some collections if `$6` names any. What a document has changed under is outdated, and not shown.
select f.summary_id, f.collection_id, c.name as collection, f.document_id, d.external_id, f.batch_id, f.state, f.reason,
       f.wanted, f.document_count, case when f.state = 'done' then f.content end as content, f.created_at, f.created_by, f.made_at
from (
    select u.*, e.reason,
           (select count(*) from summary_sources s where s.tenant_id = u.tenant_id and s.summary_id = u.summary_id)
               as document_count,
           case when u.made_at is null then coalesce(nullif(e.state, 'done'), 'failed')
                when exists (select from summary_sources s
                             left join documents d on d.tenant_id = s.tenant_id and d.document_id = s.document_id
                             where s.tenant_id = u.tenant_id and s.summary_id = u.summary_id
                               and d.version is distinct from s.version) then 'outdated'
                else 'done' end as state
    from summaries u
    left join lateral (
        select e.state, e.reason from events e where e.tenant_id = u.tenant_id and e.subject = u.summary_id
        order by e.position desc limit 1) e on true
    where u.tenant_id = tenant() and ($1::uuid is null or u.summary_id < $1) and ($2::text is null or u.created_by = $2)
      and ($3::uuid is null or u.collection_id = $3) and ($4::uuid is null or u.batch_id = $4)
      and ($5::uuid is null or u.summary_id = $5) and ($6::uuid[] is null or u.collection_id = any($6))
    order by u.summary_id desc limit $7) f
join collections c on c.tenant_id = f.tenant_id and c.collection_id = f.collection_id
left join documents d on d.tenant_id = f.tenant_id and d.document_id = f.document_id
order by f.summary_id desc

-- name: work_on
-- What a summary is to be made of, for a worker.
select summary_id, collection_id, document_id, wanted, subjects, created_by, made_from, made_at from summaries
where tenant_id = tenant() and summary_id = $1

-- name: hold_sources
-- How many of these documents are there in these versions; until the transaction ends none of them is deleted.
select count(*) from (
    select from documents d
    join unnest($1::uuid[], $2::int[]) as s (document_id, version) on s.document_id = d.document_id and s.version = d.version
    where d.tenant_id = tenant()
    for key share of d) held

-- name: finish_summary
-- What was made.
update summaries set content = $2, made_from = $3, made_at = clock_timestamp()
where tenant_id = tenant() and summary_id = $1 returning 1

-- name: drop_sources
-- What it rested on before.
delete from summary_sources where tenant_id = tenant() and summary_id = $1

-- name: insert_sources
-- What it rests on.
insert into summary_sources (tenant_id, summary_id, document_id, version)
select tenant(), $1, s.document_id, s.version from unnest($2::uuid[], $3::int[]) as s (document_id, version)

-- name: delete_summary
-- A summary goes.
delete from summaries where tenant_id = tenant() and summary_id = $1

-- name: stop_work
-- Work for something that is gone is done.
update events set state = 'done', reason = 'What it was for was deleted.', finished_at = clock_timestamp(), lease_until = null
where tenant_id = tenant() and subject = $1 and state in ('waiting', 'running')

-- name: count_mine
-- How many summaries an asker has.
select count(*) from summaries where tenant_id = tenant() and created_by = $1

-- name: insert_batch
-- A batch that waits for its job.
insert into summary_batches (tenant_id, batch_id, collection_id, wanted, subjects, total, most_documents, most_tokens, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8)

-- name: list_batches
-- Batches, newest first, from before `$1`; of the asker `$2`, the one `$3`, each unless null; within some collections.
select b.batch_id, b.collection_id, c.name as collection,
       case when b.finished_at is not null then 'done' when b.stopped is not null then 'stopped'
            else coalesce(nullif(e.state, 'done'), 'failed') end as state,
       coalesce(b.stopped, case when b.finished_at is null then e.reason end) as reason, b.wanted, b.total, b.done, b.reused,
       b.failed, b.llm_tokens, b.most_tokens, b.most_documents, b.created_at, b.created_by, b.finished_at
from summary_batches b
join collections c on c.tenant_id = b.tenant_id and c.collection_id = b.collection_id
left join lateral (
    select e.state, e.reason from events e where e.tenant_id = b.tenant_id and e.subject = b.batch_id
    order by e.position desc limit 1) e on true
where b.tenant_id = tenant() and ($1::uuid is null or b.batch_id < $1) and ($2::text is null or b.created_by = $2)
  and ($3::uuid is null or b.batch_id = $3) and ($4::uuid[] is null or b.collection_id = any($4))
order by b.batch_id desc limit $5

-- name: batch_work
-- How far a batch is, for a worker.
select batch_id, collection_id, wanted, subjects, created_by, done, llm_tokens, most_tokens, most_documents, after_document
from summary_batches where tenant_id = tenant() and batch_id = $1 and stopped is null and finished_at is null

-- name: note_document
-- One more document of a batch is done.
update summary_batches
set done = done + 1, reused = reused + $3, failed = failed + $4, llm_tokens = llm_tokens + $5, after_document = $2
where tenant_id = tenant() and batch_id = $1

-- name: end_batch
-- A batch has ended, or stops for a reason.
update summary_batches set stopped = $2, finished_at = case when $2::text is null then clock_timestamp() end
where tenant_id = tenant() and batch_id = $1

-- name: resume_batch
-- A batch goes on, with more to spend, and with the rights that its asker has now.
update summary_batches set stopped = null, most_documents = $2, most_tokens = $3, subjects = $4
where tenant_id = tenant() and batch_id = $1
