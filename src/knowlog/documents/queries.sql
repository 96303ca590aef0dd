-- name: insert_collection
-- A new collection.
insert into collections (tenant_id, collection_id, name, profile) values (tenant(), $1, $2, $3)
returning collection_id, name, profile, profile_version, revision, created_at, updated_at, 0::bigint as document_count,
          collection_embedding(collection_id) as embedding, null::jsonb as rechunking

-- name: find_collection
-- One collection by id or by name, if it is within the scope ($2 is null for all).
select collection_id, name, profile, profile_version, revision, created_at, updated_at,
       case when $3 then (select count(*) from documents d where d.tenant_id = tenant() and d.collection_id = c.collection_id)
       else 0 end as document_count,
       collection_embedding(collection_id) as embedding, collection_rechunking(collection_id) as rechunking
from collections c
where tenant_id = tenant() and ($1 = name or $1 = collection_id::text) and ($2::uuid[] is null or collection_id = any($2))
order by ($1 = name) desc limit 1

-- name: find_collection_id
-- The id of one collection, named by itself or by its name, if it is within the scope ($2 is null for all).
select collection_id from collections
where tenant_id = tenant() and ($1 = name or $1 = collection_id::text) and ($2::uuid[] is null or collection_id = any($2))
order by ($1 = name) desc limit 1

-- name: hold_collection
-- Whoever deletes the collection waits for this transaction; nothing if somebody has just deleted it. Whether it is closed
-- to the caller, who then sees single documents of it.
select collection_id = any(closed_collections()) as closed
from collections where tenant_id = tenant() and collection_id = $1 for key share

-- name: resolve_collections
-- Collections within the scope by id or name; all of them when $1 is null.
select collection_id, name, profile, coalesce(index_id, collection_id) as index_id, embedding_key from collections
where tenant_id = tenant() and ($1::text[] is null or name = any($1) or collection_id::text = any($1))
  and ($2::uuid[] is null or collection_id = any($2))
order by collection_id

-- name: list_collections
-- Collections within the scope in order of name, from behind `$2`.
select collection_id, name, profile, profile_version, revision, created_at, updated_at,
       (select count(*) from documents d where d.tenant_id = tenant() and d.collection_id = c.collection_id) as document_count,
       collection_embedding(collection_id) as embedding, collection_rechunking(collection_id) as rechunking
from collections c
where tenant_id = tenant() and ($1::uuid[] is null or collection_id = any($1)) and ($2::text is null or name > $2)
order by name limit $3

-- name: update_collection
-- Rename, or give another profile, which makes a new version of it, if the revision is still the one that was read.
update collections
set name = coalesce($2, name), profile = coalesce($3, profile),
    profile_version = profile_version + (coalesce($3, profile) <> profile)::int,
    chunking_version = chunking_version + (coalesce($3, profile) -> 'chunking' is distinct from profile -> 'chunking')::int,
    revision = revision + (coalesce($3, profile) <> profile or coalesce($2, name) <> name)::int, updated_at = now()
where tenant_id = tenant() and collection_id = $1 and ($4::int is null or revision = $4)
returning collection_id, name, profile, profile_version, revision, created_at, updated_at,
          (select count(*) from documents d where d.tenant_id = tenant() and d.collection_id = collections.collection_id) as document_count,
          collection_embedding(collection_id) as embedding, collection_rechunking(collection_id) as rechunking

-- name: lock_chunking
-- How the documents of a collection are cut; nobody changes that until this transaction ends.
select profile -> 'chunking' from collections where tenant_id = tenant() and collection_id = $1 for no key update

-- name: ask_rechunking
-- All documents of a collection are to be cut anew, from the first on; workers see to it.
with asked as (
    insert into rechunkings as r (tenant_id, collection_id)
    select tenant(), $1
    where exists (select from documents d where d.tenant_id = tenant() and d.collection_id = $1)
    on conflict (tenant_id, collection_id) do update
    set after_document = '00000000-0000-0000-0000-000000000000', looked_at = '-infinity', started_at = clock_timestamp()
    returning 1)
select pg_notify('knowlog_work', '') from asked

-- name: delete_collection
-- Remove a collection; everything in it goes with it. Returns for whom it was.
delete from collections where tenant_id = tenant() and collection_id = $1 returning audience

-- name: limit_event
-- Let those alone see an event for whom the thing was that it says is gone.
update events set audience = $2 where tenant_id = tenant() and event_id = $1

-- name: collection_blobs
-- Where the originals of a collection lie.
select v.blob from versions v join documents d using (tenant_id, document_id)
where v.tenant_id = tenant() and d.collection_id = $1

-- name: lock_documents
-- Documents by external id, locked in the order in which an indexing locks them, with the content of their latest version.
-- They are locked before it is looked up: who has waited for a newer version, which this cannot see yet, finds none, and
-- not the one before. Each is looked up by its key (`limit 1`), also in a burst, while the planner takes a tenant for
-- small, and would read all that it has for each document.
with locked as materialized (
    select tenant_id, document_id, external_id, shadow, latest, state, metadata from documents
    where tenant_id = tenant() and collection_id = $1 and external_id = any($2)
    order by document_id for update)
select d.document_id, d.external_id, d.shadow, d.latest, d.state, d.metadata, v.content_hash, v.filename, v.media_type
from locked d cross join lateral (
    select content_hash, filename, media_type from versions v
    where v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest limit 1) v

-- name: insert_documents
-- New documents; those that another transaction made meanwhile are left out.
insert into documents (tenant_id, document_id, collection_id, external_id, shadow, title, title_given, metadata, latest, state)
select tenant(), n.document_id, $1, n.external_id, n.shadow, n.title, n.title_given, n.metadata, 1, 'received'
from unnest($2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::jsonb[], shadows($1, $3::text[]))
     as n (document_id, external_id, title, title_given, metadata, shadow)
order by n.external_id
on conflict (tenant_id, collection_id, external_id, shadow) do nothing
returning document_id

-- name: renew_documents
-- A newer version has come in for these.
update documents d
set latest = d.latest + 1, state = 'received', reason = null, attempts = 0, revision = d.revision + 1,
    title = coalesce(n.title, d.title), title_given = d.title_given or n.title is not null,
    metadata = coalesce(n.metadata, d.metadata), updated_at = now()
from unnest($1::uuid[], $2::text[], $3::jsonb[]) as n (document_id, title, metadata)
where d.tenant_id = tenant() and d.document_id = n.document_id

-- name: insert_versions
-- The content that came in.
insert into versions (tenant_id, document_id, version, blob, content_hash, size_bytes, filename, media_type)
select tenant(), n.* from unnest($1::uuid[], $2::int[], $3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::text[])
     as n (document_id, version, blob, content_hash, size_bytes, filename, media_type)

-- name: documents_by_id
-- Documents with their latest version's file.
select d.document_id, d.collection_id, c.name as collection, d.external_id, d.title, d.metadata, d.version, d.latest,
       d.state, d.reason, d.attempts, d.revision, v.filename, v.media_type, v.size_bytes, d.created_at, d.updated_at
from documents d
join collections c using (tenant_id, collection_id)
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest
where d.tenant_id = tenant() and d.document_id = any($1) and ($2::uuid[] is null or d.collection_id = any($2))

-- name: list_documents
-- Documents in order of creation, from behind ($3, $4).
select d.document_id, d.collection_id, c.name as collection, d.external_id, d.title, d.metadata, d.version, d.latest,
       d.state, d.reason, d.attempts, d.revision, v.filename, v.media_type, v.size_bytes, d.created_at, d.updated_at
from documents d
join collections c using (tenant_id, collection_id)
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest
where d.tenant_id = tenant() and d.collection_id = $1 and ($2::text is null or d.state = $2)
  and ($3::timestamptz is null or (d.created_at, d.document_id) > ($3, $4))
  and ($6::jsonb is null or d.metadata @> $6)
  and ($8::jsonpath is null or d.document_id = any(array(select matching_documents(array[$1], $8, null))))
  and ($7::text is null or d.external_id = $7)
order by d.created_at, d.document_id limit $5

-- name: count_states
-- How many documents of a collection are in each state.
select state, count(*) from documents where tenant_id = tenant() and collection_id = $1 group by state

-- name: version_text
-- A slice of a version's text: [$3, $4) in code points.
select substr(v.text, $3 + 1, $4 - $3) as text, length(v.text) as length, v.version, v.structure
from versions v
where v.tenant_id = tenant() and v.document_id = $1 and v.version = $2 and v.text is not null

-- name: grids
-- Where sheets lie in the texts of versions that have any.
select v.document_id, v.version, v.structure->'grids' as grids
from unnest($1::uuid[], $2::integer[]) as wanted (document_id, version)
join versions v on v.tenant_id = tenant() and v.document_id = wanted.document_id and v.version = wanted.version
where v.structure ? 'grids'

-- name: text_bytes
-- How large a version's text is, which is known without reading it.
select octet_length(text) from versions where tenant_id = tenant() and document_id = $1 and version = $2

-- name: version_blob
-- Where the bytes of a version lie.
select blob, filename, media_type, size_bytes from versions
where tenant_id = tenant() and document_id = $1 and version = $2

-- name: patch_document
-- New title or metadata, if the revision is still the one that was read. A document with a new title is to be indexed
-- again: it goes back to the beginning, unless it has failed, and its version answers meanwhile.
with known as (
    select document_id, title, state from documents
    where tenant_id = tenant() and document_id = $1 and ($2::int is null or revision = $2) for update)
update documents d
set title = coalesce($3, d.title), title_given = d.title_given or $3 is not null, metadata = coalesce($4, d.metadata),
    revision = d.revision + 1, updated_at = now(),
    state = case when $3 <> d.title and d.state = 'indexed' then 'received' else d.state end
from known k
where d.tenant_id = tenant() and d.document_id = k.document_id
returning d.title <> k.title and k.state <> 'failed' as retitled

-- name: retry_document
-- A failed document goes back to the beginning.
update documents set state = 'received', reason = null, attempts = 0, revision = revision + 1, updated_at = now()
where tenant_id = tenant() and document_id = $1 and state = 'failed'
returning latest

-- name: relabel_document
-- Title or metadata given with bytes that are there already. With a new title it is to be indexed again, as above.
with known as (
    select document_id, title, state from documents
    where tenant_id = tenant() and document_id = $1
      and (title <> coalesce($2, title) or metadata <> coalesce($3, metadata)) for update)
update documents d
set title = coalesce($2, d.title), title_given = d.title_given or $2 is not null, metadata = coalesce($3, d.metadata),
    revision = d.revision + 1, updated_at = now(),
    state = case when $2 <> d.title and d.state = 'indexed' then 'received' else d.state end
from known k
where d.tenant_id = tenant() and d.document_id = k.document_id
returning d.title <> k.title and k.state <> 'failed' as retitled

-- name: withdraw_documents
-- Documents of this transaction that must be sorted out anew.
delete from documents where tenant_id = tenant() and document_id = any($1)

-- name: count_waiting
-- How many documents of the tenant are not indexed yet, at most `$1`.
select count(*) from (
    select from documents
    where tenant_id = tenant() and state <> 'indexed' and state in ('received', 'parsing', 'embedding') limit $1) waiting

-- name: count_waiting_in
-- How many documents of collections that the caller may see are not indexed yet, at most `$2`.
select count(*) from (
    select from documents
    where tenant_id = tenant() and state <> 'indexed' and state in ('received', 'parsing', 'embedding')
        and collection_id = any($1) limit $2) waiting
