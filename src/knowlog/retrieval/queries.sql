-- name: documents_of
-- The documents of some chunks.
select chunk_id, document_id from chunks where tenant_id = tenant() and chunk_id = any($1::bigint[])

-- name: families
-- Those of some chunks that are parents or children, and of which family.
select chunk_id, collection_id, document_id, version, ordinal, parent_ordinal from chunks
where tenant_id = tenant() and chunk_id = any($1::bigint[]) and parent_ordinal is not null

-- name: members
-- Some parents and their children, in the order of the text.
select k.chunk_id, k.collection_id, k.document_id, k.version, k.ordinal, k.parent_ordinal, k.token_count
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::uuid[]) as wanted (document_id, version, parent_ordinal, index_id)
join chunks k on k.tenant_id = tenant() and k.document_id = wanted.document_id and k.version = wanted.version
             and k.parent_ordinal = wanted.parent_ordinal and k.collection_id = wanted.index_id
order by k.document_id, k.version, k.ordinal

-- name: stretches
-- The text of some stretches of versions, in the order given.
select substring(v.text from wanted.start_offset + 1 for wanted.end_offset - wanted.start_offset) as text
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[]) with ordinality
     as wanted (document_id, version, start_offset, end_offset, place)
join versions v on v.tenant_id = tenant() and v.document_id = wanted.document_id and v.version = wanted.version
order by wanted.place

-- name: passages
-- Everything that is shown of some chunks. A version that no longer answers is left out.
select k.chunk_id, k.document_id, k.version, c.name as collection, d.external_id, d.title, k.start_offset, k.end_offset,
       k.text, k.page, k.headings, d.metadata, coalesce(k.pages, s.pages, '{}') as pages,
       coalesce(k.page_starts, s.page_starts, '{}') as page_starts, k.sections, k.parent_ordinal
from chunks k
join documents d on d.tenant_id = k.tenant_id and d.document_id = k.document_id and d.version = k.version
join collections c on c.tenant_id = d.tenant_id and c.collection_id = d.collection_id
left join lateral (
    select array_agg((span->>0)::integer order by (span->>1)::integer) as pages,
           array_agg(greatest((span->>1)::integer, k.start_offset) order by (span->>1)::integer) as page_starts
    from versions v, jsonb_array_elements(v.structure->'pages') as listed(span)
    where k.pages is null and k.page is not null
      and v.tenant_id = tenant() and v.document_id = k.document_id and v.version = k.version
      and (span->>1)::integer < least(k.end_offset, (span->>2)::integer) and (span->>2)::integer > k.start_offset
) s on true
where k.tenant_id = tenant() and k.chunk_id = any($1::bigint[])

-- name: answering
-- Which index answers for each collection, and which model's vectors are in it; null where nothing is embedded yet.
select collection_id, coalesce(index_id, collection_id) as index_id, embedding_key
from collections where tenant_id = tenant() and collection_id = any($1::uuid[])

-- name: chunks_of
-- Those of some chunks that belong to some indexes.
select chunk_id from chunks
where tenant_id = tenant() and chunk_id = any($1::bigint[]) and collection_id = any($2::uuid[])

-- name: beside
-- The chunks that stand near some chunks, in the same cut of the same documents, in the order of the text.
select distinct k.document_id, k.ordinal, k.chunk_id
from chunks own
join chunks k on k.tenant_id = tenant() and k.document_id = own.document_id and k.version = own.version
             and k.collection_id = own.collection_id and k.ordinal between own.ordinal - $2 and own.ordinal + $2
where own.tenant_id = tenant() and own.chunk_id = any($1::bigint[])
order by k.document_id, k.ordinal limit $3
