-- Search: the lexical leg and the statistics it rests on.

-- The terms of each chunk, numbered by collection so that the posting lists of collections and tenants do not mix, and
-- their BM25 weights (decision 0003). A table of its own: a candidate costs one narrow row, which the text would
-- triple. Rows up to a page in size stay whole and uncompressed.
create table knowlog.chunk_terms (
    tenant_id     uuid not null,
    chunk_id      bigint not null,
    collection_id uuid not null,
    document_id   uuid not null,
    length        integer not null,
    terms         integer[] not null,
    weights       sparsevec not null,
    primary key (tenant_id, chunk_id),
    foreign key (tenant_id, chunk_id) references knowlog.chunks on delete cascade
) with (toast_tuple_target = 8160);
alter table knowlog.chunk_terms alter column terms set storage main, alter column weights set storage main;
create index chunk_terms_terms on knowlog.chunk_terms using gin (terms) with (fastupdate = off);
grant select, insert, update, delete on knowlog.chunk_terms to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- Vectors stay in their row too, whatever their dimensions.
alter table knowlog.vectors set (toast_tuple_target = 8160);
alter table knowlog.vectors alter column embedding set storage main;

-- The name that the HNSW index of a collection has, if it has one.
create function knowlog.near_index(collection uuid, key text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select 'vectors_near_' || replace(collection::text, '-', '') || '_' || left(md5(key), 8)
$$;

create function knowlog.has_near_index(collection uuid, key text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (select from pg_index where indexrelid = to_regclass('knowlog.' || knowlog.near_index(collection, key))
                   and indisvalid)
$$;

-- The dense leg. Runs as the caller, under the policies. A collection with an index of its own is asked through it: the
-- predicate must be literal for the planner to see that the index serves. With a filter that leaves few documents, or
-- with `exact`, and in every other collection, all vectors are compared.
create function knowlog.dense_search(
    collections uuid[], key text, query public.halfvec, most integer, filter jsonpath, exact boolean)
returns table (chunk_id bigint, score double precision)
language plpgsql stable
set search_path = pg_catalog, knowlog, public, pg_temp
set hnsw.ef_search = 100 set hnsw.iterative_scan = 'relaxed_order' set hnsw.max_scan_tuples = 200000
as $$
declare
    few constant integer := 8000;
    id uuid;
    documents uuid[];
    scanned uuid[] := '{}';
    parts text[] := '{}';
    dimensions constant integer := vector_dims(query);
begin
    foreach id in array collections loop
        if exact or not has_near_index(id, key) then
            scanned := scanned || id;
            continue;
        end if;
        if filter is not null then
            documents := array(select d.document_id from documents d
                               where d.tenant_id = tenant() and d.collection_id = id and d.metadata @@ filter
                               limit few + 1);
            if cardinality(documents) <= few then
                parts := parts || format(
                    '(select v.chunk_id, v.embedding <#> $1 as distance from chunks c join vectors v using (tenant_id, chunk_id)
                      where c.tenant_id = tenant() and c.document_id = any(%L::uuid[]) and v.embedding_key = $2
                      order by 2, 1 limit $3)', documents);
                continue;
            end if;
        end if;
        parts := parts || format(
            '(select v.chunk_id, v.embedding::halfvec(%s) <#> $1 as distance from vectors v
              where v.tenant_id = tenant() and v.collection_id = %L and v.embedding_key = %L %s
              order by v.embedding::halfvec(%1$s) <#> $1 limit $3)', dimensions, id, key,
            case when filter is not null then
                'and exists (select from documents d where d.tenant_id = v.tenant_id and d.document_id = v.document_id
                             and d.metadata @@ $5)' else '' end);
    end loop;
    if cardinality(scanned) > 0 then
        parts := parts || format(
            '(select v.chunk_id, v.embedding <#> $1 as distance from vectors v
              where v.tenant_id = tenant() and v.collection_id = any($4) and v.embedding_key = $2 %s
              order by 2, 1 limit $3)',
            case when filter is not null then
                'and v.document_id in (select d.document_id from documents d where d.tenant_id = tenant()
                                       and d.collection_id = any($4) and d.metadata @@ $5)' else '' end);
    end if;
    if cardinality(parts) = 0 then
        return;
    end if;
    return query execute 'select near.chunk_id, -near.distance from (' || array_to_string(parts, ' union all ')
        || ') near order by near.distance, near.chunk_id limit $3' using query, key, most, scanned, filter;
end $$;
revoke all on function knowlog.dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean) from public;
grant execute on function knowlog.dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean) to knowlog_app;

-- Take at most `most` reports of change out of the queue and add them to the statistics they speak of. One caller works
-- at a time; the collections are locked first, as a deletion of theirs does.
create function knowlog.fold_statistics(most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    folded bigint;
begin
    if not pg_try_advisory_xact_lock(hashtext('knowlog.fold_statistics')) then
        return 0;
    end if;
    with locked as materialized (
        select c.tenant_id, c.collection_id from collections c
        where exists (select from statistics_changes s
                      where s.tenant_id = c.tenant_id and s.collection_id = c.collection_id)
        for key share skip locked),
    chosen as materialized (
        select s.tenant_id, s.collection_id, s.change_id
        from statistics_changes s join locked using (tenant_id, collection_id) limit most),
    taken as materialized (
        delete from statistics_changes s using chosen c
        where s.tenant_id = c.tenant_id and s.collection_id = c.collection_id and s.change_id = c.change_id
        returning s.tenant_id, s.collection_id, s.chunk_count, s.total_length, s.terms, s.counts),
    lengths as (
        insert into collection_statistics as known (tenant_id, collection_id, chunk_count, total_length)
        select tenant_id, collection_id, sum(chunk_count), sum(total_length) from taken group by 1, 2
        on conflict (tenant_id, collection_id) do update
        set chunk_count = known.chunk_count + excluded.chunk_count,
            total_length = known.total_length + excluded.total_length),
    holding as (
        insert into term_statistics as known (tenant_id, collection_id, term, chunk_count)
        select tenant_id, collection_id, term, sum(held)
        from taken, unnest(taken.terms, taken.counts) as u(term, held) group by 1, 2, 3 having sum(held) <> 0
        on conflict (tenant_id, collection_id, term) do update
        set chunk_count = known.chunk_count + excluded.chunk_count)
    select count(*) into folded from taken;
    return folded;
end $$;

-- Collections with at least so many chunks, and what kinds of vectors they have.
create function knowlog.large_collections(at_least bigint)
returns table (collection_id uuid, embedding_key text, dimensions integer)
language sql stable security definer set search_path = pg_catalog, knowlog, public, pg_temp as $$
    with recursive kinds as (
        select s.tenant_id, s.collection_id,
               (select min(v.embedding_key) from vectors v
                where v.tenant_id = s.tenant_id and v.collection_id = s.collection_id) as key
        from collection_statistics s where s.chunk_count >= at_least
        union all
        select k.tenant_id, k.collection_id,
               (select min(v.embedding_key) from vectors v
                where v.tenant_id = k.tenant_id and v.collection_id = k.collection_id and v.embedding_key > k.key)
        from kinds k where k.key is not null)
    select k.collection_id, k.key, (select vector_dims(v.embedding) from vectors v
        where v.tenant_id = k.tenant_id and v.collection_id = k.collection_id and v.embedding_key = k.key limit 1)
    from kinds k where k.key is not null
$$;
select knowlog.give_to_definer('knowlog_system', array['fold_statistics(integer)', 'large_collections(bigint)']);

-- The lexical leg: the chunks with the highest BM25 score. SECURITY DEFINER, because under a policy the planner may not
-- use a GIN index; so the tenant is named here, and nothing but this transaction's tenant can be.
--   asked     terms of the question's lexemes, rarest lexeme first; each has as many as there are collections
--   weights   of each lexeme: its count in the question times its inverse frequency
--   holding   in how many chunks each lexeme is
--   query     the weights of all terms
-- Unless `prune` is off, only chunks that hold one of the rarer lexemes are looked at, and all lexemes count for their
-- score. How many are needed is found in two steps: the chunks with the rarest lexemes give a tenth-best score; the
-- lexemes that could not reach it together, each at 0.7 of the most it can weigh, are left out (decision 0003).
create function knowlog.lexical_search(
    collections uuid[], asked integer[], weights real[], holding bigint[], query public.sparsevec, most integer,
    prune boolean, filter jsonpath)
returns table (chunk_id bigint, score double precision)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    all_below constant bigint := 6000;
    first_step constant bigint := 1000;
    at_most constant bigint := 20000;
    reach constant double precision := 0.7 * 2.2;
    owner constant uuid := tenant();
    width constant integer := cardinality(collections);
    lexemes constant integer := cardinality(weights);
    read integer := 0;
    used integer := 0;
    postings bigint := 0;
    left_out double precision := 0;
    needed integer := lexemes;
    ids bigint[] := '{}';
    scores double precision[] := '{}';
begin
    prune := prune and (select sum(h) from unnest(holding) h) > all_below;
    while used < lexemes and (not prune or used = 0 or postings < first_step) loop
        used := used + 1;
        postings := postings + holding[used];
    end loop;
    while read < used loop
        select array_agg(best.id order by best.bm25 desc, best.id), array_agg(best.bm25 order by best.bm25 desc, best.id)
        into ids, scores
        from (select * from unnest(ids, scores) as known(id, bm25)
              union
              (select c.chunk_id, -(c.weights <#> query) from chunk_terms c
               where c.tenant_id = owner and c.collection_id = any(collections)
                 and c.terms && asked[read * width + 1 : used * width]
                 and (filter is null or exists (
                      select from documents d
                      where d.tenant_id = owner and d.document_id = c.document_id and d.metadata @@ filter))
               order by 2 desc, 1 limit most)
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
select knowlog.give_to_definer('knowlog_app', array[
    'lexical_search(uuid[], integer[], real[], bigint[], public.sparsevec, integer, boolean, jsonpath)']);
