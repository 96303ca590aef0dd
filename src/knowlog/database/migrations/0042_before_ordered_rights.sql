-- The documents that may be seen come in the order of their ids. An index that is asked for thousands of keys sorts them first,
-- calling a function for each comparison; here they are sorted by what a sort knows of their type.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.seen_documents(collections uuid[], most integer) returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
    closed constant uuid[] := closed_collections();
    open constant uuid[] := array(select o.id from unnest(collections) o (id) where o.id <> all (closed));
    seen constant uuid[] := array(
        select w.document_id from (
            select u.document_id from (
                select s.document_id from document_subjects s
                where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = any(collections)
                union all
                select d.document_id from documents d
                where d.tenant_id = owner and d.collection_id = any(open) and d.audience is null) u
            limit most + 1) w
        order by 1);
begin
    return case when cardinality(seen) <= most then seen end;
end $$;

-- As it was (0036), but for this: documents that were looked up come as they are. They are still the result of a subquery,
-- because the planner weighs each element of an array that it is given.
create or replace function knowlog.dense_search(
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
              where v.tenant_id = $6 and v.document_id = any((select $9)::uuid[]) and v.embedding_key = $2
              order by 2, 1 limit $3)'::text;
    end if;
    if cardinality(parts) = 0 then
        return;
    end if;
    return query execute 'select near.chunk_id, -near.distance from (' || array_to_string(parts, ' union all ')
        || ') near order by near.distance, near.chunk_id limit $3'
        using query, key, most, scanned, filter, owner, subjects(), closed_collections(), chosen;
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
