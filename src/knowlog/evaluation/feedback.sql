-- name: keep_question
-- A question that was asked of one collection, named by name or id, if the tenant wants it kept; with what ids of its answers
-- are made.
insert into asked_questions (tenant_id, question_id, collection_id, question, answered, cited)
select tenant(), $1, c.collection_id, $3, $4, $5
from question_keeping k, collections c
where k.tenant_id = tenant() and c.tenant_id = tenant() and ($2 = c.name or $2 = c.collection_id::text)
order by ($2 = c.name) desc limit 1
returning (select log_key from tenants where tenant_id = tenant())

-- name: key
-- With what ids of the tenant's answers are made.
select log_key from tenants where tenant_id = tenant()

-- name: give
-- What somebody thinks of an answer; what they thought of it before is replaced.
insert into feedback (tenant_id, feedback_id, question_id, member_id, given_by, thumb, correction, comment)
select tenant(), $1, a.question_id, $3, $4, $5, $6, $7 from asked_questions a
where a.tenant_id = tenant() and a.question_id = $2
on conflict (tenant_id, question_id) do update
set thumb = excluded.thumb, correction = excluded.correction, comment = excluded.comment, given_at = now()
returning feedback_id

-- name: list
-- Feedback, newest first: of one giver ($1) or of all, within some collections ($2), of one collection ($3), of one thumb ($4),
-- from behind a moment and an id ($5, $6).
select f.feedback_id, a.collection_id, c.name as collection, a.question, a.answered, a.asked_at, f.thumb, f.correction,
       f.comment, f.given_by, f.given_at
from feedback f
join asked_questions a on a.tenant_id = f.tenant_id and a.question_id = f.question_id
join collections c on c.tenant_id = a.tenant_id and c.collection_id = a.collection_id
where f.tenant_id = tenant() and ($1::text is null or f.given_by = $1)
  and ($2::uuid[] is null or a.collection_id = any($2)) and ($3::uuid is null or a.collection_id = $3)
  and ($4::text is null or f.thumb = $4)
  and ($5::timestamptz is null or (f.given_at, f.feedback_id) < ($5, $6::uuid))
order by f.given_at desc, f.feedback_id desc limit $7

-- name: find
-- One of them, if `$2` gave it (or null: whoever did), within some collections ($3).
select f.feedback_id, a.collection_id, c.name as collection, a.question, a.answered, a.asked_at, f.thumb, f.correction,
       f.comment, f.given_by, f.given_at
from feedback f
join asked_questions a on a.tenant_id = f.tenant_id and a.question_id = f.question_id
join collections c on c.tenant_id = a.tenant_id and c.collection_id = a.collection_id
where f.tenant_id = tenant() and f.feedback_id = $1 and ($2::text is null or f.given_by = $2)
  and ($3::uuid[] is null or a.collection_id = any($3))

-- name: delete
-- It goes; the question stays.
delete from feedback where tenant_id = tenant() and feedback_id = $1

-- name: said
-- Different questions of a collection on whose answers something was said, the newest word first, with all that was said of
-- each. `cited`: the quotes of the answer, as far as their documents are as they were.
select a.question, max(f.given_at) as given_at, jsonb_agg(jsonb_build_object(
    'thumb', f.thumb, 'correction', f.correction, 'answered', a.answered, 'cited', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'document', d.external_id, 'text', substr(v.text, q.start_offset + 1, q.end_offset - q.start_offset))), '[]')
        from jsonb_to_recordset(a.cited) as q (document_id uuid, version integer, start_offset integer, end_offset integer)
        join documents d on d.tenant_id = tenant() and d.document_id = q.document_id and d.version = q.version
        join versions v on v.tenant_id = tenant() and v.document_id = d.document_id and v.version = d.version)
    ) order by f.given_at desc) as said
from feedback f join asked_questions a on a.tenant_id = f.tenant_id and a.question_id = f.question_id
where f.tenant_id = tenant() and a.collection_id = $1
group by a.question order by 2 desc limit $2
