-- name: call
-- Who is calling, for the policies: until it is said, no thread is there.
select set_config('knowlog.principal', $1, true)

-- name: count
-- How many threads the caller has.
select count(*) from threads where tenant_id = tenant()

-- name: create
-- A thread of the caller's.
insert into threads (tenant_id, thread_id, owner, member_id, key_id, title) values (tenant(), $1, knowlog.principal(), $2, $3, $4)
returning thread_id, title, turn_count, created_at, updated_at

-- name: list
-- The caller's threads, the one with the newest question first, from behind a moment and an id ($1, $2).
select thread_id, title, turn_count, created_at, updated_at from threads
where tenant_id = tenant() and owner = knowlog.principal()
  and ($1::timestamptz is null or (updated_at, thread_id) < ($1, $2::uuid))
order by updated_at desc, thread_id desc limit $3

-- name: find
-- One of them.
select thread_id, title, turn_count, created_at, updated_at from threads where tenant_id = tenant() and thread_id = $1

-- name: rename
-- Another title.
update threads set title = $2 where tenant_id = tenant() and thread_id = $1
returning thread_id, title, turn_count, created_at, updated_at

-- name: delete
-- The thread, with all that was asked and answered.
delete from threads where tenant_id = tenant() and thread_id = $1 returning thread_id

-- name: history
-- The newest questions of a thread, the newest first.
select question from turns where tenant_id = tenant() and thread_id = $1 order by turn desc limit $2

-- name: next_turn
-- The number of the next turn; who asks next waits until it is stored. The first question is the title, unless there is one.
update threads set turn_count = turn_count + 1, updated_at = clock_timestamp(), title = coalesce(title, $2)
where tenant_id = tenant() and thread_id = $1 and turn_count < $3 returning turn_count

-- name: add_turn
-- A question with how it was answered.
insert into turns (tenant_id, thread_id, turn, question, standalone, status, statement_count, confidence, rung, pattern, degraded,
                   notes)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: add_citations
-- The quotes of its answer whose versions are still there; they stay until this is stored.
with quoted as (
    select q.* from jsonb_to_recordset($3) as q (
        statement integer, citation integer, document_id uuid, version integer, start_offset integer, end_offset integer,
        quote text, pages integer[], headings text[], score double precision, context text, cells text, flagged boolean)),
held as (
    select v.document_id, v.version from versions v
    where v.tenant_id = tenant() and (v.document_id, v.version) in (select document_id, version from quoted)
    order by v.document_id, v.version for key share of v)
insert into turn_citations (tenant_id, thread_id, turn, statement, citation, document_id, version, start_offset, end_offset, quote,
                            pages, headings, score, context, cells, flagged)
select tenant(), $1, $2, q.statement, q.citation, q.document_id, q.version, q.start_offset, q.end_offset, q.quote, q.pages,
       q.headings, q.score, q.context, q.cells, q.flagged
from quoted q join held h using (document_id, version)

-- name: add_statements
-- Its statements, as far as what they rest on is stored.
insert into turn_statements (tenant_id, thread_id, turn, statement, text, score, answers, rests_on)
select tenant(), $1, $2, s.statement, s.text, s.score, s.answers, s.rests_on
from jsonb_to_recordset($3) as s (statement integer, text text, score double precision, answers boolean, rests_on integer)
where s.rests_on = (select count(*) from turn_citations c
                    where c.tenant_id = tenant() and c.thread_id = $1 and c.turn = $2 and c.statement = s.statement
                      and c.citation <= s.rests_on)

-- name: turns
-- What was asked, in its order.
select turn, question, standalone, status, statement_count, confidence, rung, pattern, degraded, notes, asked_at
from turns where tenant_id = tenant() and thread_id = $1 order by turn

-- name: statements
-- What was answered, of what the caller may see.
select turn, statement, text, score, answers, rests_on from turn_statements
where tenant_id = tenant() and thread_id = $1 order by turn, statement

-- name: citations
-- The quotes of it, of documents that the caller may see, within some collections ($2).
select c.turn, c.statement, c.citation, c.quote, c.document_id, c.version, l.name as collection, d.external_id, d.title,
       c.start_offset, c.end_offset, c.pages, c.headings, c.score, c.context, c.cells, c.flagged
from turn_citations c
join documents d on d.tenant_id = tenant() and d.document_id = c.document_id
join collections l on l.tenant_id = tenant() and l.collection_id = d.collection_id
where c.tenant_id = tenant() and c.thread_id = $1 and ($2::uuid[] is null or d.collection_id = any($2))
order by c.turn, c.statement, c.citation
