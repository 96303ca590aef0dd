-- name: insert_run
-- A run that waits for its job.
insert into runs (tenant_id, run_id, dataset_id, job_id, label, wanted, seed, digest, question_count, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: count_runs
-- How many runs a dataset has.
select count(*) from runs where tenant_id = tenant() and dataset_id = $1

-- name: list_runs
-- Runs, newest first, from before `$1`; of one dataset if `$2` names one, within some collections if `$3` names any.
select r.run_id, r.dataset_id, d.name as dataset, d.origin, d.collection_id, c.name as collection, r.job_id, r.label,
       case when r.finished_at is not null then 'done' else coalesce(e.state, 'failed') end as state, e.reason, r.wanted,
       r.seed, r.digest, r.question_count, r.done, r.code_version, r.profile_version, r.made_with, r.figures,
       r.created_at, r.created_by, r.finished_at
from runs r
join datasets d on d.tenant_id = r.tenant_id and d.dataset_id = r.dataset_id
join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
left join events e on e.tenant_id = r.tenant_id and e.event_id = r.job_id
where r.tenant_id = tenant() and ($1::uuid is null or r.run_id < $1) and ($2::uuid is null or r.dataset_id = $2)
  and ($3::uuid[] is null or d.collection_id = any($3))
order by r.run_id desc limit $4

-- name: find_run
-- One run, within some collections if `$2` names any.
select r.run_id, r.dataset_id, d.name as dataset, d.origin, d.collection_id, c.name as collection, r.job_id, r.label,
       case when r.finished_at is not null then 'done' else coalesce(e.state, 'failed') end as state, e.reason, r.wanted,
       r.seed, r.digest, r.question_count, r.done, r.code_version, r.profile_version, r.made_with, r.figures,
       r.created_at, r.created_by, r.finished_at
from runs r
join datasets d on d.tenant_id = r.tenant_id and d.dataset_id = r.dataset_id
join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
left join events e on e.tenant_id = r.tenant_id and e.event_id = r.job_id
where r.tenant_id = tenant() and r.run_id = $1 and ($2::uuid[] is null or d.collection_id = any($2))

-- name: delete_run
-- A run goes, with what was measured.
delete from runs where tenant_id = tenant() and run_id = $1

-- name: progress
-- So many questions of a run are measured.
update runs set done = $2 where tenant_id = tenant() and run_id = $1 and finished_at is null

-- name: finish_run
-- All that was measured, at once.
update runs
set done = question_count, code_version = $2, profile_version = $3, made_with = $4, figures = $5,
    finished_at = clock_timestamp()
where tenant_id = tenant() and run_id = $1 and finished_at is null returning 1

-- name: insert_results
-- What was measured on each question.
insert into run_results (tenant_id, run_id, position, question_id, scores, detail)
select tenant(), $1, r.position, r.question_id, r.scores, r.detail
from unnest($2::int[], $3::text[], $4::jsonb[], $5::jsonb[]) as r (position, question_id, scores, detail)

-- name: results
-- What was measured on each question, from behind position `$2`.
select position, question_id, scores, detail from run_results
where tenant_id = tenant() and run_id = $1 and position > $2 order by position limit $3
