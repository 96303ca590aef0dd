-- name: hold_collection
-- Nobody deletes a collection until this transaction ends. Taken first, as a deletion does.
select 1 from collections where tenant_id = tenant() and collection_id = $1 for key share

-- name: lock_rechunking
-- How far a collection is, and which of the documents that were asked for last are not done; nothing while another looks.
select r.after_document,
       array(select distinct e.subject from events e
             where e.tenant_id = tenant() and e.subject = any(r.asked) and e.type = 'document.received'
               and e.state in ('waiting', 'running')) as unfinished
from rechunkings r where r.tenant_id = tenant() and r.collection_id = $1 for update skip locked

-- name: next_outdated
-- The next documents whose chunks are not of the present profile, if they answer by their latest version, or if an indexing
-- that runs may have read the profile of before. What waits for its first indexing will read the present one.
select d.document_id, d.latest, v.size_bytes
from documents d
join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest
where d.tenant_id = tenant() and d.collection_id = $1 and d.document_id > $2
  and d.chunking_version is distinct from c.chunking_version
  and (d.state = 'indexed' or (d.state <> 'failed' and exists (
        select from events e where e.tenant_id = tenant() and e.subject = d.document_id
                               and e.type = 'document.received' and e.state = 'running')))
order by d.document_id limit $3 for update of d

-- name: put_back
-- They wait to be indexed; their chunks answer meanwhile.
with waiting as (
    update documents set state = 'received', reason = null, attempts = 0, updated_at = now()
    where tenant_id = tenant() and document_id = any($1::uuid[]) and state = 'indexed'
    returning document_id)
select pg_notify('knowlog_progress', tenant() || ':' || document_id) from waiting

-- name: advance
-- All documents up to this one were looked at.
update rechunkings set after_document = $2, asked = $3 where tenant_id = tenant() and collection_id = $1

-- name: finish
-- Nothing is left to ask for. How many documents are of the present profile, and how many are left with older chunks.
with done as (delete from rechunkings where tenant_id = tenant() and collection_id = $1)
select count(*) filter (where d.chunking_version = c.chunking_version) as document_count,
       count(*) filter (where d.chunking_version is distinct from c.chunking_version) as left_count
from documents d join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
where d.tenant_id = tenant() and d.collection_id = $1 and d.version is not null
