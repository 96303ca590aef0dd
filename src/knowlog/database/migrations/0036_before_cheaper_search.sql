-- Of the search. The documents in collections that this transaction may see, read of indexes alone; null where they are more
-- than `most`. One that names several of the subjects may come several times.
create function knowlog.seen_documents(collections uuid[], most integer) returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
    closed constant uuid[] := closed_collections();
    open constant uuid[] := array(select o.id from unnest(collections) o (id) where o.id <> all (closed));
    seen constant uuid[] := array(
        select u.document_id from (
            select s.document_id from document_subjects s
            where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = any(collections)
            union all
            select d.document_id from documents d
            where d.tenant_id = owner and d.collection_id = any(open) and d.audience is null) u
        limit most + 1);
begin
    return case when cardinality(seen) <= most then seen end;
end $$;
select knowlog.give_to_definer('knowlog_app', array['seen_documents(uuid[], integer)']);

-- The functions of search, as they were (0024), but for this: documents that were looked up come as the result of a subquery,
-- because the planner weighs each element of an array that it is given; and where many may be seen, the scored chunks
-- are sorted once and looked up in their order until there are enough.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.seen_statistics(collections uuid[], asked integer[], most integer)
returns table (chunk_count bigint, holding json)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    owner constant uuid := tenant();
    documents uuid[];
begin
    documents := seen_documents(collections, most);
    if documents is null then
        return;
    end if;
    return query
        with seen as materialized (
            select c.terms from chunk_terms c
            where c.tenant_id = owner and c.document_id = any(array(select unnest(documents))) limit most + 1),
        known as (select count(*) as chunks from seen having count(*) <= most)
        select k.chunks, coalesce((select json_object_agg(h.term, h.held) from (
            select a.term, count(*) as held from seen c, unnest(asked) a (term)
            where a.term = any(c.terms) group by a.term) h), '{}')
        from known k;
end $$;

create or replace function knowlog.lexical_search(
    collections uuid[], asked integer[], weights real[], holding bigint[], query public.sparsevec, most integer,
    prune boolean, filter jsonpath)
returns table (chunk_id bigint, score double precision)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    all_below constant integer := 6000;
    few constant integer := 12000;
    first_step constant bigint := 1000;
    at_most constant bigint := 20000;
    reach constant double precision := 0.7 * 2.2;
    owner constant uuid := tenant();
    width constant integer := cardinality(collections);
    lexemes constant integer := cardinality(weights);
    narrow constant boolean := filter is not null or not sees_all();
    mine constant uuid[] := subjects();
    closed uuid[];
    documents uuid[];
    fresh bigint[];
    fresh_scores double precision[];
    read integer := 0;
    used integer := 0;
    postings bigint := 0;
    left_out double precision := 0;
    needed integer := lexemes;
    ids bigint[] := '{}';
    scores double precision[] := '{}';
begin
    documents := case when filter is not null then array(
                               select m.document_id from matching_documents(collections, filter, few + 1) m)
                           when narrow then seen_documents(collections, few) end;
    if cardinality(documents) > few then
        documents := null;
    elsif cardinality(documents) <= all_below and (select count(*) from (
           select from chunk_terms c where c.tenant_id = owner and c.document_id = any(array(select unnest(documents)))
           limit all_below + 1) u) <= all_below then
        return query select c.chunk_id, -(c.weights <#> query) from chunk_terms c
            where c.tenant_id = owner and c.document_id = any(array(select unnest(documents))) and c.terms && asked
            order by 2 desc, 1 limit most;
        return;
    end if;
    closed := closed_collections();
    prune := prune and (select sum(h) from unnest(holding) h) > all_below;
    while used < lexemes and (not prune or used = 0 or postings < first_step) loop
        used := used + 1;
        postings := postings + holding[used];
    end loop;
    while read < used loop
        if narrow and documents is null then
            select coalesce(array_agg(u.chunk_id), '{}'), coalesce(array_agg(u.bm25), '{}') into fresh, fresh_scores
            from (select found.chunk_id, found.bm25 from (
                      select c.chunk_id, c.document_id, -(c.weights <#> query) as bm25 from chunk_terms c
                      where c.tenant_id = owner and c.collection_id = any(collections)
                        and c.terms && asked[read * width + 1 : used * width]
                      order by 3 desc, 1 offset 0) found
                  where (select true from documents d
                         where d.tenant_id = owner and d.document_id = found.document_id
                           and case when mine is null then true when d.audience is null then d.collection_id <> all (closed)
                                    else d.audience && mine end
                           and (filter is null or d.metadata @@ filter))
                  limit most) u;
        else
            select coalesce(array_agg(u.chunk_id), '{}'), coalesce(array_agg(u.bm25), '{}') into fresh, fresh_scores
            from (select c.chunk_id, -(c.weights <#> query) as bm25 from chunk_terms c
                  where c.tenant_id = owner and c.collection_id = any(collections)
                    and c.terms && asked[read * width + 1 : used * width]
                    and (documents is null or c.document_id in (select unnest(documents)))
                  order by 2 desc, 1 limit most) u;
        end if;
        select array_agg(best.id order by best.bm25 desc, best.id), array_agg(best.bm25 order by best.bm25 desc, best.id)
        into ids, scores
        from (select * from unnest(ids, scores) as known(id, bm25)
              union select * from unnest(fresh, fresh_scores)
              order by 2 desc, 1 limit most) as best;
        read := used;
        while needed > used and reach * (left_out + weights[needed]) < scores[least(10, most)] loop
            left_out := left_out + weights[needed];
            needed := needed - 1;
        end loop;
        while used < needed and postings + holding[used + 1] <= at_most loop
            used := used + 1;
            postings := postings + holding[used];
        end loop;
    end loop;
    return query select * from unnest(ids, scores);
end $$;
drop function knowlog.sees_more(uuid[], integer);
drop function knowlog.dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean);
reset role;
revoke create on schema knowlog from knowlog_definer;

-- `enough`: so many of the nearest will do where the caller sees a part of a collection that is searched by its index.
create function knowlog.dense_search(
    collections uuid[], key text, query public.halfvec, most integer, filter jsonpath, exact boolean,
    enough integer default null)
returns table (chunk_id bigint, score double precision)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set hnsw.ef_search = 140 set hnsw.iterative_scan = 'relaxed_order' set hnsw.max_scan_tuples = 200000
as $$
declare
    few constant integer := 12000;
    owner constant uuid := tenant();
    dimensions constant integer := vector_dims(query);
    narrow constant boolean := filter is not null or not sees_all();
    seen constant text := case when narrow then
        'and (select true from documents d where d.tenant_id = $6 and d.document_id = v.document_id
              and case when $7 is null then true when d.audience is null then d.collection_id <> all ($8)
                       else d.audience && $7 end
              and ($5 is null or d.metadata @@ $5))' else '' end;
    id uuid;
    documents uuid[];
    chosen uuid[] := '{}';
    scanned uuid[] := '{}';
    parts text[] := '{}';
begin
    foreach id in array collections loop
        if exact or not has_near_index(id, key) then
            scanned := scanned || id;
            continue;
        end if;
        documents := case when filter is not null then array(
                                   select m.document_id from matching_documents(array[id], filter, few + 1) m)
                               when narrow then seen_documents(array[id], few) end;
        if cardinality(documents) <= few then
            chosen := chosen || documents;
            continue;
        end if;
        if narrow then
            perform set_config('hnsw.ef_search', '160', true);  -- until the function ends
        end if;
        parts := parts || format(
            '(select v.chunk_id, v.embedding::halfvec(%s) <#> $1 as distance from vectors v
              where v.tenant_id = $6 and v.collection_id = %L and v.embedding_key = %L %s
              order by v.embedding::halfvec(%1$s) <#> $1 limit %5$s)', dimensions, id, key, seen,
            case when narrow then least(coalesce(enough, most), most) else most end);
    end loop;
    if cardinality(scanned) > 0 then
        parts := parts || format(
            '(select v.chunk_id, v.embedding <#> $1 as distance from vectors v
              where v.tenant_id = $6 and v.collection_id = any($4) and v.embedding_key = $2 %s
              order by 2, 1 limit $3)',
            case when narrow then
                'and v.document_id in (select m.document_id from matching_documents($4, $5, null) m)' else '' end);
    end if;
    if cardinality(chosen) > 0 then
        parts := parts ||
            '(select v.chunk_id, v.embedding <#> $1 as distance from vectors v
              where v.tenant_id = $6 and v.document_id = any(array(select unnest($9))) and v.embedding_key = $2
              order by 2, 1 limit $3)'::text;
    end if;
    if cardinality(parts) = 0 then
        return;
    end if;
    return query execute 'select near.chunk_id, -near.distance from (' || array_to_string(parts, ' union all ')
        || ') near order by near.distance, near.chunk_id limit $3'
        using query, key, most, scanned, filter, owner, subjects(), closed_collections(), chosen;
end $$;
select knowlog.give_to_definer('knowlog_app', array[
    'dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean, integer)']);
