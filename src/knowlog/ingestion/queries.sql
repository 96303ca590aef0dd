-- name: lock_documents
-- The documents of a batch, locked in one order, with what an indexing must know of them.
select d.document_id, d.collection_id, c.profile, d.external_id, d.title, d.title_given, d.version, d.latest
from documents d join collections c using (tenant_id, collection_id)
where d.tenant_id = tenant() and d.document_id = any($1) order by d.document_id for update of d

-- name: read_sources
-- What is to be indexed: the file of each named version, if that is still the latest.
select d.document_id, v.version, d.collection_id, c.profile, c.chunking_version, c.embedding_key, coalesce(c.index_id, c.collection_id) as index_id, d.external_id, d.title, d.title_given, d.latest,
       v.blob, v.filename, v.media_type
from unnest($1::uuid[], $2::int[]) as wanted (document_id, version)
join documents d on d.tenant_id = tenant() and d.document_id = wanted.document_id
join collections c on c.tenant_id = tenant() and c.collection_id = d.collection_id
join versions v on v.tenant_id = tenant() and v.document_id = d.document_id and v.version = wanted.version

-- name: set_states
-- Progress, for whoever watches; only of versions that are still the latest. Locked in the order in which all lock them.
with held as materialized (
    select d.document_id from documents d where d.tenant_id = tenant() and d.document_id = any($1::uuid[])
    order by d.document_id for no key update),
changed as (
    update documents d set state = $3, attempts = p.attempts, updated_at = now()
    from unnest($1::uuid[], $2::int[], $4::int[]) as p (document_id, version, attempts)
    where d.tenant_id = tenant() and d.document_id = p.document_id and d.latest = p.version
      and d.state in ('received', 'parsing', 'embedding') and (select count(*) from held) > 0
    returning d.document_id)
select pg_notify('knowlog_progress', tenant() || ':' || document_id) from changed

-- name: store_text
-- The text that was read from a version.
update versions v set text = t.text, structure = t.structure, media_type = t.media_type
from unnest($1::uuid[], $2::int[], $3::text[], $4::jsonb[], $5::text[]) as t (document_id, version, text, structure, media_type)
where v.tenant_id = tenant() and v.document_id = t.document_id and v.version = t.version

-- name: switch_version
-- From this moment the new version answers questions.
with switched as (
    update documents d
    set version = n.version, state = 'indexed', reason = null, attempts = n.attempts, chunking_version = n.cut_by,
        revision = d.revision + (d.version is distinct from n.version)::int,
        title = case when d.title_given then d.title else n.title end, updated_at = now()
    from unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::int[])
         as n (document_id, version, title, attempts, cut_by)
    where d.tenant_id = tenant() and d.document_id = n.document_id
    returning d.document_id)
select pg_notify('knowlog_progress', tenant() || ':' || document_id) from switched

-- name: drop_old_versions
-- Versions before the given ones go, and their originals with them.
delete from versions v using unnest($1::uuid[], $2::int[]) as n (document_id, version)
where v.tenant_id = tenant() and v.document_id = n.document_id and v.version < n.version
returning v.document_id, v.blob

-- name: fail_document
-- The latest version could not be indexed; an older one goes on answering.
with failed as (
    update documents set state = $3, reason = $4, attempts = $5, updated_at = now()
    where tenant_id = tenant() and document_id = $1 and latest = $2
    returning document_id)
select pg_notify('knowlog_progress', tenant() || ':' || document_id) from failed

-- name: lock_document
-- A document that is to be deleted, if it is within the scope.
select d.document_id, d.external_id, d.collection_id, c.name as collection, coalesce(d.audience, c.audience) as audience
from documents d join collections c using (tenant_id, collection_id)
where d.tenant_id = tenant() and d.document_id = $1 and ($2::uuid[] is null or d.collection_id = any($2))
  and ($3::int is null or d.revision = $3)
for update of d

-- name: count_document
-- What there is of a document that is locked: who waited for the lock does not see in the same statement what was written
-- meanwhile.
select (select count(*) from versions where tenant_id = tenant() and document_id = $1) as versions,
       (select count(*) from chunks where tenant_id = tenant() and document_id = $1) as chunks,
       (select count(*) from vectors x join chunks k using (tenant_id, chunk_id)
        where k.tenant_id = tenant() and k.document_id = $1) as vectors,
       (select coalesce(sum(size_bytes), 0)::bigint from versions where tenant_id = tenant() and document_id = $1) as size_bytes,
       summaries_resting_on(array[$1::uuid]) as summaries,
       quotes_in_threads(array[$1::uuid]) as thread_quotes

-- name: document_blobs
-- Where the originals of a document lie.
select blob from versions where tenant_id = tenant() and document_id = $1

-- name: delete_document
-- The document and all that hangs on it.
delete from documents where tenant_id = tenant() and document_id = $1

-- name: stop_events
-- Work on a document that is gone is done.
update events set state = 'done', reason = 'The document was deleted.', finished_at = clock_timestamp(), lease_until = null
where tenant_id = tenant() and subject = $1 and state in ('waiting', 'running', 'failed') and type = 'document.received'

-- name: keep_receipt
-- The receipt of a deletion, for those who could see the document.
insert into deletion_receipts (tenant_id, receipt_id, document_id, receipt, audience) values (tenant(), $1, $2, $3, $4)

-- name: left_overs
-- Rows that still speak of a document; each count must be 0.
select (select count(*) from documents where tenant_id = tenant() and document_id = $1) as documents,
       (select count(*) from versions where tenant_id = tenant() and document_id = $1) as versions,
       (select count(*) from chunks where tenant_id = tenant() and document_id = $1) as chunks,
       (select count(*) from vectors where tenant_id = tenant() and document_id = $1) as vectors,
       summaries_resting_on(array[$1]) as summaries,
       quotes_in_threads(array[$1::uuid]) as thread_quotes

-- name: get_receipt
-- The receipt of a deleted document, if its collection is within the scope: that stands in the event of its end.
select receipt from deletion_receipts
where tenant_id = tenant() and document_id = $1
  and ($2::uuid[] is null
       or exists (select from events e where e.tenant_id = tenant() and e.subject = $1 and e.type = 'document.deleted'
                                         and (e.data ->> 'collection_id')::uuid = any($2)))
order by created_at desc limit 1

-- name: lock_whole_collection
-- A collection that is to be deleted: nothing comes into it any more.
select from collections where tenant_id = tenant() and collection_id = $1 for update

-- name: documents_within
-- The documents of a collection.
select document_id from documents where tenant_id = tenant() and collection_id = $1

-- name: size_of_documents
-- The bytes of all versions of documents.
select coalesce(sum(size_bytes), 0)::bigint from versions where tenant_id = tenant() and document_id = any($1)

-- name: count_collection
-- What there is of a collection and of the documents that it has, or had.
select (select count(*) from documents where tenant_id = tenant() and collection_id = $1) as documents,
       (select count(*) from versions where tenant_id = tenant() and document_id = any($2)) as versions,
       (select count(*) from chunks where tenant_id = tenant() and document_id = any($2)) as chunks,
       (select count(*) from vectors where tenant_id = tenant() and document_id = any($2)) as vectors,
       summaries_resting_on($2) as summaries,
       quotes_in_threads($2) as thread_quotes

-- name: probe_collection
-- A few chunks of a collection, by which to search for it.
select k.chunk_id, k.collection_id, v.embedding_key, k.text, v.content_hash
from chunks k join vectors v using (tenant_id, chunk_id)
where k.tenant_id = tenant() and k.collection_id = live_index($1)
order by k.chunk_id limit 3

-- name: chunk_ids
-- The chunks of a document.
select chunk_id from chunks where tenant_id = tenant() and document_id = $1

-- name: probe_chunks
-- A few chunks of a document, by which to search for it.
select k.collection_id, v.embedding_key, k.text, v.content_hash
from chunks k join vectors v using (tenant_id, chunk_id)
where k.tenant_id = tenant() and k.document_id = $1
order by length(k.text) desc limit 3

-- name: any_current
-- Whether any of these versions is still the latest of its document.
select exists (select from unnest($1::uuid[], $2::int[]) as n (document_id, version)
               join documents d on d.tenant_id = tenant() and d.document_id = n.document_id and d.latest = n.version)

-- name: unknown_blobs
-- Those of the given originals that no version knows, and no dead letter, and that are no pieces of an upload.
select given.blob from unnest($1::uuid[], $2::text[]) as given (document_id, blob)
where not exists (select from versions v
                  where v.tenant_id = tenant() and v.document_id = given.document_id and v.blob = given.blob)
  and not exists (select from dead_letters d
                  where d.tenant_id = tenant() and d.dead_letter_id = given.document_id and d.blob = given.blob)
  and given.blob not in (select pieces_among($1, $2))

-- name: adopt_key
-- The first thing that is embedded in a collection decides which key answers.
with undecided as (
    select collection_id from collections
    where tenant_id = tenant() and collection_id = any($1::uuid[]) and embedding_key is null
    order by collection_id for no key update)
update collections c set embedding_key = $2 from undecided u
where c.tenant_id = tenant() and c.collection_id = u.collection_id and c.embedding_key is null

-- name: answering_keys
-- The keys under which collections answer, and the indexes that do, held until this transaction ends.
select collection_id, embedding_key, coalesce(index_id, collection_id) as index_id from collections
where tenant_id = tenant() and collection_id = any($1::uuid[]) order by collection_id for share

-- name: live_index
-- The index that answers for a collection.
select live_index($1)

-- name: count_chunks
-- The index that answers for a collection, and how many chunks it has.
select l.index_id, (select count(*) from chunks where tenant_id = tenant() and collection_id = l.index_id) as chunks
from (select live_index($1) as index_id) l

-- name: page_of_chunks
-- The next chunks that a rebuild looks at.
select chunk_id, collection_id as index_id from chunks
where tenant_id = tenant() and collection_id = live_index($1)
  and chunk_id > (select after_chunk from embedding_builds where tenant_id = tenant() and collection_id = $1)
order by chunk_id limit $2

-- name: chunks_to_embed
-- What is embedded of some chunks.
select k.chunk_id, k.collection_id as index_id, k.document_id, k.headings || coalesce(k.context, '{}') as above, k.text, d.title, d.metadata
from chunks k join documents d on d.tenant_id = k.tenant_id and d.document_id = k.document_id
where k.tenant_id = tenant() and k.chunk_id = any($1::bigint[]) and d.collection_id = $2
order by k.chunk_id

-- name: hold_collection
-- Nobody deletes a collection until this transaction ends. Taken first, as a deletion does.
select 1 from collections where tenant_id = tenant() and collection_id = $1 for key share

-- name: hold_chunks
-- Those of some chunks that are still there, and stay so until this transaction ends; the lists of their documents too, which
-- a vector that is written holds (migration 0075), and in another order.
select k.chunk_id from documents d join chunks k on k.tenant_id = d.tenant_id and k.document_id = d.document_id
where d.tenant_id = tenant() and k.chunk_id = any($1::bigint[])
order by d.document_id, k.chunk_id for share of d for key share of k

-- name: count_build
-- How far a rebuild is.
update embedding_builds set done = $4, total = $5, lease_until = clock_timestamp() + $3
where tenant_id = tenant() and collection_id = $1 and worker = $2 returning 1

-- name: progress_build
-- A slice more is done.
update embedding_builds set done = done + $4, reason = case when $4 > 0 then null else reason end,
       lease_until = clock_timestamp() + $3
where tenant_id = tenant() and collection_id = $1 and worker = $2 returning 1

-- name: advance_build
-- All chunks up to this one were looked at.
update embedding_builds set after_chunk = $4, lease_until = clock_timestamp() + $3
where tenant_id = tenant() and collection_id = $1 and worker = $2 returning 1

-- name: restart_pass
-- Something is missing still: look at all chunks again.
update embedding_builds set after_chunk = 0, lease_until = clock_timestamp() + $3
where tenant_id = tenant() and collection_id = $1 and worker = $2 returning 1

-- name: switch_build
-- The new key answers; what is left of others is to be dropped.
update embedding_builds set switched = true, reason = null, lease_until = clock_timestamp() + $3
where tenant_id = tenant() and collection_id = $1 and worker = $2 returning 1

-- name: lock_collection
-- A collection, locked against indexers but not against questions.
select embedding_key from collections where tenant_id = tenant() and collection_id = $1 for no key update

-- name: switch_collection
-- From this moment the new key answers questions.
update collections set embedding_key = $2
where tenant_id = tenant() and collection_id = $1 and embedding_key is distinct from $2

-- name: release_build
-- Hand a collection back until later.
update embedding_builds set lease_until = clock_timestamp() + $3, worker = null, reason = coalesce($4, reason)
where tenant_id = tenant() and collection_id = $1 and worker = $2

-- name: finish_build
-- Nothing is left to do.
delete from embedding_builds where tenant_id = tenant() and collection_id = $1 and worker = $2

-- name: indexing_since
-- Documents, and the state of their indexing if that was asked for since the rebuild of their collection began.
select d.document_id, d.latest, v.size_bytes,
       (select e.state from events e
        where e.tenant_id = tenant() and e.subject = d.document_id and e.type = 'document.received'
          and (e.created_at >= b.started_at or e.state in ('waiting', 'running'))
        order by e.position desc limit 1) as state
from documents d
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest
join embedding_builds b on b.tenant_id = d.tenant_id and b.collection_id = d.collection_id
where d.tenant_id = tenant() and d.document_id = any($1::uuid[]) and d.collection_id = $2
order by d.document_id for update of d
