-- name: lengths
-- Chunks and their total length in lexemes for each collection, changes that are not folded in yet included.
select collection_id, sum(chunk_count)::bigint as chunk_count, sum(total_length)::bigint as total_length
from (select collection_id, chunk_count, total_length from collection_statistics
      where tenant_id = tenant() and collection_id = any($1::uuid[])
      union all
      select collection_id, chunk_count, total_length from statistics_changes
      where tenant_id = tenant() and collection_id = any($1::uuid[])) as known
group by collection_id

-- name: insert_chunk
-- Store one chunk.
insert into chunks (tenant_id, collection_id, document_id, version, ordinal, start_offset, end_offset, page, headings,
                    text, pages, page_starts, sections, context, token_count, parent_ordinal)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
returning chunk_id

-- name: insert_terms
-- Store the terms of chunks and what each weighs.
insert into chunk_terms (tenant_id, chunk_id, collection_id, document_id, length, terms, weights)
select tenant(), n.chunk_id, n.collection_id, n.document_id, n.length, n.terms::integer[], n.weights
from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::sparsevec[])
     as n (chunk_id, collection_id, document_id, length, terms, weights)

-- name: append_change
-- Report what was added to a collection; folded into its statistics later.
insert into statistics_changes (tenant_id, collection_id, chunk_count, total_length, terms, counts)
values (tenant(), $1, $2, $3, $4::text::integer[], $5::text::integer[])

-- name: delete_terms
-- Delete the terms of documents' chunks and report what that takes from the statistics.
with gone as (
    delete from chunk_terms using chunks
    where chunks.tenant_id = tenant() and chunks.document_id = any($1::uuid[])
      and chunk_terms.tenant_id = tenant() and chunk_terms.chunk_id = chunks.chunk_id
    returning chunk_terms.collection_id, length, terms),
by_term as (
    select collection_id, term, count(*)::integer as holding
    from gone, unnest(terms) as term group by collection_id, term),
listed as (
    select collection_id, array_agg(term) as terms, array_agg(-holding) as counts from by_term group by collection_id),
totals as (
    select collection_id, -count(*)::integer as chunk_count, -sum(length) as total_length
    from gone group by collection_id),
reported as (
    insert into statistics_changes (tenant_id, collection_id, chunk_count, total_length, terms, counts)
    select tenant(), t.collection_id, t.chunk_count, t.total_length, coalesce(l.terms, '{}'), coalesce(l.counts, '{}')
    from totals t left join listed l using (collection_id))
select 1

-- name: delete_chunks
-- Delete the chunks of documents, and with them their vectors in this database.
with gone as (delete from chunks where tenant_id = tenant() and document_id = any($1::uuid[]) returning 1)
select count(*) from gone

-- name: statistics
-- What the collections know of some terms. A small collection's unfolded changes count too, a sample of them if many.
with folded as (
    select coalesce(sum(chunk_count), 0) as chunk_count, coalesce(sum(total_length), 0) as total_length
    from collection_statistics where tenant_id = tenant() and collection_id = any($1::uuid[])),
fresh as materialized (
    select chunk_count, total_length, terms, counts from statistics_changes
    where tenant_id = tenant() and collection_id = any($1::uuid[]) and (select f.chunk_count < 1000 from folded f)
    order by collection_id, change_id limit 64),
holding as (
    select term, chunk_count from term_statistics
    where tenant_id = tenant() and collection_id = any($1::uuid[]) and term = any($2::integer[])
    union all
    select term, holding from fresh, unnest(fresh.terms, fresh.counts) as u(term, holding)
    where term = any($2::integer[]))
select (f.chunk_count + coalesce((select sum(chunk_count) from fresh), 0))::bigint as chunk_count,
       coalesce((select json_object_agg(term, total) from (
                     select term, sum(chunk_count) as total from holding group by term) as summed), '{}')::text as holding,
       (select unlimited() or sees_all()) as whole
from folded f

-- name: seen_statistics
-- The same, of what the caller may see; nothing if that is more than $3 chunks.
select chunk_count, holding::text from seen_statistics($1, $2, $3)

-- name: insert_vectors
-- Store vectors.
insert into vectors (tenant_id, embedding_key, collection_id, chunk_id, document_id, content_hash, embedding)
select tenant(), $1, n.* from unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::halfvec[])
     as n (collection_id, chunk_id, document_id, content_hash, embedding)
on conflict (tenant_id, collection_id, embedding_key, chunk_id)
do update set embedding = excluded.embedding, content_hash = excluded.content_hash

-- name: dense_search
-- The chunks nearest to a vector.
select chunk_id, score from dense_search($1, $2, $3, $4, $5, $6, $7)

-- name: dense_scores
-- How near some chunks are to a vector.
select chunk_id, -(embedding <#> $3) as score from vectors
where tenant_id = tenant() and collection_id = any($1::uuid[]) and embedding_key = $2 and chunk_id = any($4::bigint[])

-- name: chunk_vectors
-- The vectors of some chunks.
select chunk_id, embedding from vectors
where tenant_id = tenant() and collection_id = any($1::uuid[]) and embedding_key = $2 and chunk_id = any($3::bigint[])

-- name: seen_documents
-- Those of some documents that the caller may see; null when that is all of them anyway.
select case when not unlimited() then array(
    select document_id from documents where tenant_id = tenant() and document_id = any($1::uuid[])) end

-- name: delete_vectors
-- Delete the vectors of documents, count them.
with gone as (
    delete from vectors using chunks
    where chunks.tenant_id = tenant() and chunks.document_id = any($1::uuid[])
      and vectors.tenant_id = tenant() and vectors.chunk_id = chunks.chunk_id
    returning 1)
select count(*) from gone

-- name: known_vectors
-- The vectors of texts that were embedded before.
select distinct on (content_hash) content_hash, embedding from vectors
where tenant_id = tenant() and embedding_key = $1 and content_hash = any($2::uuid[])
order by content_hash

-- name: count_vectors
-- How many vectors a collection has.
select count(*) from vectors where tenant_id = tenant() and collection_id = $1 and embedding_key = $2

-- name: holding_vectors
-- Those of some chunks that have a vector.
select chunk_id from vectors
where tenant_id = tenant() and collection_id = $1 and embedding_key = $2 and chunk_id = any($3::bigint[])

-- name: drop_others
-- Delete a share of a collection's vectors with other keys, count them. Two ranges, so that the primary key serves.
with chosen as materialized (
    select embedding_key, chunk_id from (
        (select embedding_key, chunk_id from vectors
         where tenant_id = tenant() and collection_id = $1 and embedding_key < $2 limit $3)
        union all
        (select embedding_key, chunk_id from vectors
         where tenant_id = tenant() and collection_id = $1 and embedding_key > $2 limit $3)) as others limit $3),
gone as (
    delete from vectors v using chosen c
    where v.tenant_id = tenant() and v.collection_id = $1 and v.embedding_key = c.embedding_key
      and v.chunk_id = c.chunk_id
    returning 1)
select count(*) from gone

-- name: fold_statistics
-- Fold changes into the statistics.
select fold_statistics($1)

-- name: large_collections
-- Collections that are large enough for an index of their own, with the keys and dimensions of their vectors.
select collection_id, embedding_key, dimensions from large_collections($1)

-- name: near_indexes
-- The HNSW indexes that there are.
select c.relname as name, i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relnamespace = 'knowlog'::regnamespace and starts_with(c.relname, 'vectors_near_')

-- name: lexical_search
-- The chunks with the highest BM25 score.
select chunk_id, score from lexical_search($1, $2, $3, $4, $5, $6, $7, $8)

-- name: lexical_scores
-- The BM25 scores of some chunks.
select chunk_id, -(weights <#> $1) as score from chunk_terms where tenant_id = tenant() and chunk_id = any($2::bigint[])

-- name: near_index
-- The statement that builds the HNSW index of a collection; literals, because the planner must recognise them.
select format('create index concurrently %I on knowlog.vectors using hnsw ((embedding::halfvec(%s)) halfvec_ip_ops)'
              ' with (m = 24, ef_construction = 200) where collection_id = %L and embedding_key = %L',
              knowlog.near_index($1, $2), $3::integer, $1::uuid, $2::text)
