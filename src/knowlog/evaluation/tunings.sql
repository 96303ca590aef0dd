-- name: insert_tuning
-- A tuning that waits for its job.
insert into tunings (tenant_id, tuning_id, dataset_id, job_id, wanted, profile, profile_version, seed, digest, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: tunings
-- Tunings, newest first, from before `$1`; one if `$2` names it, within some collections if `$3` names any.
select t.tuning_id, t.dataset_id, d.name as dataset, d.origin, d.collection_id, c.name as collection, t.job_id,
       case when t.finished_at is not null then 'done' else coalesce(e.state, 'failed') end as state,
       case when t.finished_at is null then e.reason end as reason, t.wanted, t.profile, t.profile_version, t.seed, t.digest,
       t.done, t.total, t.doing, t.code_version, t.report, t.switch_id, t.created_at, t.created_by, t.started_at, t.finished_at
from tunings t
join datasets d on d.tenant_id = t.tenant_id and d.dataset_id = t.dataset_id
join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
left join events e on e.tenant_id = t.tenant_id and e.event_id = t.job_id
where t.tenant_id = tenant() and ($1::uuid is null or t.tuning_id < $1) and ($2::uuid is null or t.tuning_id = $2)
  and ($3::uuid[] is null or d.collection_id = any($3))
order by t.tuning_id desc limit $4

-- name: hold_collection
-- Who asks for a tuning of a collection waits here for who has asked just before, and then sees that one.
select 1 from collections where tenant_id = tenant() and collection_id = $1 for no key update

-- name: open_tunings
-- How many tunings a dataset has, and how many of its collection wait or run.
select (select count(*) from tunings t where t.tenant_id = tenant() and t.dataset_id = $1) as kept,
       (select count(*) from tunings t
        join datasets d on d.tenant_id = t.tenant_id and d.dataset_id = t.dataset_id
        join events e on e.tenant_id = t.tenant_id and e.event_id = t.job_id
        where t.tenant_id = tenant() and d.collection_id = $2 and t.finished_at is null
          and e.state in ('waiting', 'running')) as open

-- name: delete_tuning
-- A tuning goes, with its report.
delete from tunings where tenant_id = tenant() and tuning_id = $1

-- name: start_tuning
-- Its time runs from its first start. Returns when that was.
update tunings set started_at = coalesce(started_at, clock_timestamp())
where tenant_id = tenant() and tuning_id = $1 returning started_at

-- name: progress_tuning
-- How many trials are done, of how many, and what is being done.
update tunings set done = $2, total = $3, doing = $4 where tenant_id = tenant() and tuning_id = $1 and finished_at is null

-- name: finish_tuning
-- All that was found, at once.
update tunings set done = total, doing = null, code_version = $2, report = $3, finished_at = clock_timestamp()
where tenant_id = tenant() and tuning_id = $1 and finished_at is null

-- name: note_switch
-- The switch by which a tuning was applied last.
update tunings set switch_id = $2 where tenant_id = tenant() and tuning_id = $1

-- name: end_indexes
-- Indexes of trials are needed no more; the one that may be applied is kept for a day.
update indexes i set expires_at = clock_timestamp() + case when i.index_id = $2 then interval '1 day' else interval '0' end
where i.tenant_id = tenant() and i.index_id = any($1::uuid[]) and i.expires_at is not null

-- name: documents_to_try
-- The documents of a collection that answer: ids and names, in an order that depends on the seed alone.
select document_id, external_id from documents
where tenant_id = tenant() and collection_id = $1 and version is not null
order by md5(external_id || $2), document_id limit 200000

-- name: chunks_of_index
-- How many chunks an index has of some documents.
select count(*) from chunks
where tenant_id = tenant() and collection_id = $1 and document_id = any($2::uuid[])
