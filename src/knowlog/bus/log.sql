-- name: newest
-- Events, newest first, from before ($1, $2). $3 types; $4 subject, $5 collections within which one sees; null: any.
-- Behind ($6, $7) alone. A document's collection is in its events; events of before that name it by the document.
-- The tenant is in the comparisons, so that its own index is read and nobody reads past others' events.
select e.event_id, e.tenant_id, e.type, e.subject, e.data, e.created_at, e.xid::text as xid, e.position
from events e
where e.tenant_id = tenant() and (e.tenant_id, e.xid, e.position) < (tenant(), $1::text::xid8, $2)
  and (e.tenant_id, e.xid, e.position) > (tenant(), $6::text::xid8, $7)
  and e.type = any($3) and ($4::uuid is null or e.subject = $4)
  and ($5::text[] is null or e.data ->> 'collection_id' = any($5) or exists (
    select from documents d
    where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($5)))
order by e.xid desc, e.position desc limit $8

-- name: oldest
-- The same, oldest first, and only what no transaction that still runs can come before: whoever goes on behind the last
-- of these misses none.
select e.event_id, e.tenant_id, e.type, e.subject, e.data, e.created_at, e.xid::text as xid, e.position
from events e
where e.tenant_id = tenant() and (e.tenant_id, e.xid, e.position) < (tenant(), $1::text::xid8, $2)
  and (e.tenant_id, e.xid, e.position) > (tenant(), $6::text::xid8, $7)
  and e.xid < pg_snapshot_xmin(pg_current_snapshot())
  and e.type = any($3) and ($4::uuid is null or e.subject = $4)
  and ($5::text[] is null or e.data ->> 'collection_id' = any($5) or exists (
    select from documents d
    where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($5)))
order by e.xid, e.position limit $8

-- name: one
-- One event, if it is within the collections ($2) and of these types ($3).
select e.event_id, e.tenant_id, e.type, e.subject, e.data, e.created_at, e.xid::text as xid, e.position
from events e
where e.tenant_id = tenant() and e.event_id = $1 and e.type = any($3)
  and ($2::text[] is null or e.data ->> 'collection_id' = any($2) or exists (
    select from documents d
    where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($2)))

-- name: present
-- Where the log is at this moment: what commits later lies behind it.
select pg_snapshot_xmin(pg_current_snapshot())::text as xid
