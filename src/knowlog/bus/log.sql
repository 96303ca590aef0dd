-- name: newest
-- Events, newest first, from before $1. $2 types; $3 subject, $4 collections within which one sees; null: any. Behind $5
-- alone. A document's collection is in its events; events of before that name it by the document.
-- The tenant is in the comparisons, so that its own index is read and nobody reads past others' events.
select e.event_id, e.tenant_id, e.type, e.subject, e.data, e.created_at, e.position
from events e
where e.tenant_id = tenant() and e.position < $1 and e.position > $5
  and e.type = any($2) and ($3::uuid is null or e.subject = $3)
  and ($4::text[] is null or e.data ->> 'collection_id' = any($4) or exists (
    select from documents d
    where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($4)))
order by e.position desc limit $6

-- name: oldest
-- The same, oldest first.
select e.event_id, e.tenant_id, e.type, e.subject, e.data, e.created_at, e.position
from events e
where e.tenant_id = tenant() and e.position < $1 and e.position > $5
  and e.type = any($2) and ($3::uuid is null or e.subject = $3)
  and ($4::text[] is null or e.data ->> 'collection_id' = any($4) or exists (
    select from documents d
    where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($4)))
order by e.position limit $6

-- name: one
-- One event, if it is within the collections ($2) and of these types ($3).
select e.event_id, e.tenant_id, e.type, e.subject, e.data, e.created_at, e.position
from events e
where e.tenant_id = tenant() and e.event_id = $1 and e.type = any($3)
  and ($2::text[] is null or e.data ->> 'collection_id' = any($2) or exists (
    select from documents d
    where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($2)))

-- name: key
-- With what the tenant's cursors are made.
select log_key from tenants where tenant_id = tenant()

-- name: end
-- The position of the last event that is seen; 0 where there is none.
select end_of_log()

-- name: writers
-- Transactions that have appended to the tenant's log and have not ended.
select writers_of_log()
