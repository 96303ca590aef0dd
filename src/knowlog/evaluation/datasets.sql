-- name: insert_dataset
-- A new dataset, unless the name is taken.
insert into datasets (tenant_id, dataset_id, collection_id, name, origin, digest, question_count, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, name) do nothing returning 1

-- name: insert_questions
-- Its questions, in their order.
insert into dataset_questions (tenant_id, dataset_id, position, question_id, question, truth)
select tenant(), $1, q.position, q.question_id, q.question, q.truth
from unnest($2::int[], $3::text[], $4::text[], $5::jsonb[]) as q (position, question_id, question, truth)

-- name: count_datasets
-- How many datasets the tenant has.
select count(*) from datasets where tenant_id = tenant()

-- name: list_datasets
-- Datasets in order of name, from behind `$1`, within some collections if `$2` names any.
select d.dataset_id, d.collection_id, c.name as collection, d.name, d.origin, d.digest, d.question_count, d.created_at,
       d.created_by
from datasets d join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
where d.tenant_id = tenant() and ($1::text is null or d.name > $1) and ($2::uuid[] is null or d.collection_id = any($2))
order by d.name limit $3

-- name: find_dataset
-- One dataset by id or by name, within some collections if `$2` names any.
select d.dataset_id, d.collection_id, c.name as collection, d.name, d.origin, d.digest, d.question_count, d.created_at,
       d.created_by
from datasets d join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
where d.tenant_id = tenant() and ($1 = d.name or $1 = d.dataset_id::text)
  and ($2::uuid[] is null or d.collection_id = any($2))
order by ($1 = d.name) desc limit 1

-- name: delete_dataset
-- A dataset goes, with its questions and its runs.
delete from datasets where tenant_id = tenant() and dataset_id = $1

-- name: questions
-- Questions of a dataset in their order, from behind position `$2`.
select position, question_id, question, truth from dataset_questions
where tenant_id = tenant() and dataset_id = $1 and position > $2 order by position limit $3

-- name: present
-- Which of some external ids are documents of a collection that answer questions.
select external_id from documents
where tenant_id = tenant() and collection_id = $1 and external_id = any($2::text[]) and version is not null

-- name: texts
-- Texts of a collection's documents, those named by `$2` or all, from behind `$3`, a few at a time.
select d.document_id, d.external_id, d.title, d.version, v.text
from documents d join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.version
where d.tenant_id = tenant() and d.collection_id = $1 and ($2::text[] is null or d.external_id = any($2))
  and ($3::uuid is null or d.document_id > $3)
order by d.document_id limit $4

-- name: chunk_spans
-- The spans of the chunks that some documents of a collection have in an index.
select d.external_id, c.start_offset, c.end_offset
from documents d join chunks c on c.tenant_id = d.tenant_id and c.document_id = d.document_id and c.version = d.version
where d.tenant_id = tenant() and d.collection_id = $1 and d.external_id = any($2::text[])
  and c.collection_id = coalesce($3, live_index($1))

-- name: keep_questions
-- The tenant wants its questions kept, for so many days (null: until it says otherwise).
insert into question_keeping (tenant_id, agreed_by, keep_days) values (tenant(), $1, $2)
on conflict (tenant_id) do update set keep_days = excluded.keep_days

-- name: forget_questions
-- The tenant wants that no more, and what was kept goes.
with stopped as (delete from question_keeping where tenant_id = tenant())
delete from asked_questions where tenant_id = tenant()

-- name: keeping
-- Since when questions are kept, and on whose word; nothing where they are not.
select since, agreed_by, keep_days, (select count(*) from asked_questions a where a.tenant_id = tenant()) as question_count,
       (select count(*) from feedback f where f.tenant_id = tenant()) as feedback_count
from question_keeping where tenant_id = tenant()

-- name: kept_questions
-- Different questions that were asked of a collection, newest first.
select question, max(asked_at) as asked_at from asked_questions
where tenant_id = tenant() and collection_id = $1 group by question order by 2 desc limit $2
