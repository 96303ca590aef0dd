-- Who may see a document: lists of subjects (members and groups), kept with the document or with its collection.
--   audience null      the document inherits from its collection; a collection without a list is open to the tenant
--   audience '{...}'   only principals that stand for one of these, and those that see everything
-- A subject is an id and nothing else: one that no longer exists opens nothing.
alter table knowlog.collections add column audience uuid[];
alter table knowlog.documents add column audience uuid[];
alter table knowlog.deletion_receipts add column audience uuid[];
alter table knowlog.events add column audience uuid[];
alter table knowlog.api_keys add column groups uuid[] not null default '{}';

create index documents_listed on knowlog.documents (tenant_id, collection_id, document_id) where audience is not null;
create index documents_inheriting on knowlog.documents (tenant_id, collection_id, document_id) where audience is null;
create index collections_listed on knowlog.collections (tenant_id) where audience is not null;
create index deletion_receipts_of_document on knowlog.deletion_receipts (tenant_id, document_id);
create index vectors_by_document on knowlog.vectors (tenant_id, document_id);
create index chunk_terms_by_document on knowlog.chunk_terms (tenant_id, document_id);

-- The same lists the other way round, kept by a trigger: which documents name a subject. Read by index alone, as far as
-- one likes, which no index on arrays can do.
create table knowlog.document_subjects (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    subject       uuid not null,
    collection_id uuid not null,
    document_id   uuid not null,
    primary key (tenant_id, subject, collection_id, document_id)
);
grant select, insert, update, delete on knowlog.document_subjects to knowlog_definer;
select knowlog.protect_tables();

create function knowlog.list_subjects() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    if tg_op <> 'INSERT' and old.audience is not null then
        delete from document_subjects s
        where s.tenant_id = old.tenant_id and s.subject = any(old.audience) and s.collection_id = old.collection_id
          and s.document_id = old.document_id;
    end if;
    if tg_op <> 'DELETE' and new.audience is not null then
        insert into document_subjects (tenant_id, subject, collection_id, document_id)
        select distinct new.tenant_id, u.subject, new.collection_id, new.document_id from unnest(new.audience) u (subject);
    end if;
    return null;
end $$;
create trigger documents_named after insert on knowlog.documents
for each row when (new.audience is not null) execute function knowlog.list_subjects();
create trigger documents_renamed after update of audience on knowlog.documents
for each row when (old.audience is distinct from new.audience) execute function knowlog.list_subjects();
create trigger documents_forgotten after delete on knowlog.documents
for each row when (old.audience is not null) execute function knowlog.list_subjects();
select knowlog.give_to_definer('knowlog_app', array['list_subjects()']);

-- A name that is taken by a document that one may not see is free for one's own: the shadow tells the two apart.
alter table knowlog.documents add column shadow integer not null default 0;
create unique index documents_identity on knowlog.documents (tenant_id, collection_id, external_id, shadow);
alter table knowlog.documents drop constraint documents_tenant_id_collection_id_external_id_key;

-- The subjects of this transaction; null when it sees everything. With none named the cast fails, and so does the query.
create function knowlog.subjects() returns uuid[] language sql stable parallel safe
as $$ select nullif(pg_catalog.current_setting('knowlog.subjects'), '*')::pg_catalog.uuid[] $$;

-- Whether this transaction sees everything, whatever lists there are.
create function knowlog.unlimited() returns boolean language sql stable parallel safe
as $$ select pg_catalog.current_setting('knowlog.subjects') = '*' $$;

-- Whether there is nothing that this transaction may not see: a tenant without lists pays for two looks at empty indexes.
-- (Where there are lists, a scan of the table could pass over many rows before it meets the first one.)
create function knowlog.sees_all() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
begin
    return unlimited()
        or not exists (select from documents d where d.tenant_id = owner and d.audience is not null)
       and not exists (select from collections c where c.tenant_id = owner and c.audience is not null);
end $$;

-- The collections whose list names none of the subjects.
create function knowlog.closed_collections() returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
begin
    return array(select c.collection_id from collections c
                 where c.tenant_id = owner and c.audience is not null and not c.audience && mine);
end $$;

-- Those of them that hold a document whose own list names one of the subjects.
create function knowlog.reached_collections() returns uuid[]
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select coalesce(array_agg(closed.id), '{}') from unnest(closed_collections()) closed (id)
    where exists (select from document_subjects s
                  where s.tenant_id = tenant() and s.subject = any(subjects()) and s.collection_id = closed.id)
$$;

-- The shadow of each name: of the document that has it and may be seen, else the one under which the next would stand.
create function knowlog.shadows(collection uuid, names text[]) returns integer[]
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select array_agg((select coalesce(min(d.shadow) filter (
                                 where unlimited() or case when d.audience is null then d.collection_id <> all (closed.ids)
                                                           else d.audience && subjects() end),
                             max(d.shadow) + 1, 0)
                      from documents d
                      where d.tenant_id = tenant() and d.collection_id = collection and d.external_id = n.name)
                     order by n.place)
    from unnest(names) with ordinality n (name, place), (select closed_collections()) closed (ids)
$$;
select knowlog.give_to_definer('knowlog_app', array[
    'sees_all()', 'closed_collections()', 'reached_collections()', 'shadows(uuid, text[])']);

-- No query of the application can forget it. What hangs on a document is seen by those who see the document: looked up by
-- its key, row by row. (An EXISTS could be planned as a hash of all documents.)
create policy audience on knowlog.documents as restrictive to knowlog_app using (
    (select knowlog.unlimited() or knowlog.sees_all())
    or case when audience is null then collection_id <> all ((select knowlog.closed_collections())::uuid[])
            else audience && (select knowlog.subjects()) end);
create policy audience on knowlog.collections as restrictive to knowlog_app using (
    (select knowlog.unlimited() or knowlog.sees_all())
    or collection_id <> all ((select knowlog.closed_collections())::uuid[])
    or collection_id = any ((select knowlog.reached_collections())::uuid[]));
do $$
declare
    name text;
begin
    foreach name in array array['versions', 'chunks', 'chunk_terms', 'vectors'] loop
        execute format(
            'create policy audience on knowlog.%1$I as restrictive to knowlog_app using (
                 (select knowlog.unlimited() or knowlog.sees_all())
                 or (select true from knowlog.documents d
                     where d.tenant_id = %1$I.tenant_id and d.document_id = %1$I.document_id))', name);
    end loop;
end $$;

-- How far a change of model is counts a collection's chunks: for those who see all of them.
create or replace function knowlog.collection_embedding(collection uuid) returns jsonb
language sql stable set search_path = pg_catalog, knowlog, pg_temp as $$
    select jsonb_build_object('key', c.embedding_key, 'building', case when b.tenant_id is not null then
               jsonb_build_object('key', b.embedding_key, 'done', least(b.done, b.total), 'total', b.total,
                                  'reason', b.reason) end)
    from collections c left join embedding_builds b
      on b.tenant_id = c.tenant_id and b.collection_id = c.collection_id and not b.switched and b.embedding_key <> ''
         and (unlimited() or sees_all())
    where c.tenant_id = tenant() and c.collection_id = collection
$$;

-- Of a document that is gone, those know who could see it at the end: its list stands in the receipt. Of a collection that
-- is gone, in the event. Other events are of admins.
create policy audience on knowlog.deletion_receipts as restrictive to knowlog_app using (
    (select knowlog.unlimited()) or audience is null or audience && (select knowlog.subjects()));
create policy audience on knowlog.events as restrictive to knowlog_app using (
    (select knowlog.unlimited())
    or case when type like 'document.%' then
                (select true from knowlog.documents d
                 where d.tenant_id = events.tenant_id and d.document_id = events.subject)
                or exists (select from knowlog.deletion_receipts r
                           where r.tenant_id = events.tenant_id and r.document_id = events.subject)
            when type = 'collection.deleted' then audience is null or audience && (select knowlog.subjects())
            when type like 'collection.%' then
                exists (select from knowlog.collections c
                        where c.tenant_id = events.tenant_id and c.collection_id = events.subject)
            else false end);

-- The functions of search belong to the definer, under whom no policy holds: they look at tenant and lists themselves.
set local role knowlog_definer;
drop function knowlog.matching_documents(uuid[], jsonpath, integer);
drop function knowlog.lexical_search(uuid[], integer[], real[], bigint[], public.sparsevec, integer, boolean, jsonpath);
reset role;
drop function knowlog.dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean);

-- The documents of collections that this transaction may see and whose metadata satisfy a filter (null: any), at most
-- `most` (null: all). One that names several of the subjects may come several times.
create function knowlog.matching_documents(collections uuid[], filter jsonpath, most integer)
returns table (document_id uuid)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
    closed uuid[];
begin
    if sees_all() then
        return query select d.document_id from documents d
            where d.tenant_id = owner and d.collection_id = any(collections)
              and (filter is null or d.metadata @@ filter) limit most;
        return;
    end if;
    closed := closed_collections();
    return query select u.document_id from (
        (select s.document_id from document_subjects s
         where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = any(collections)
           and (filter is null or s.document_id in (
                select d.document_id from documents d
                where d.tenant_id = owner and d.collection_id = any(collections) and d.metadata @@ filter)) limit most)
        union all
        (select d.document_id from documents d
         where d.tenant_id = owner and d.audience is null
           and d.collection_id = any(array(select o.id from unnest(collections) o (id) where o.id <> all (closed)))
           and (filter is null or d.metadata @@ filter) limit most)) u limit most;
end $$;

-- Whether there are more than `most` documents in collections that this transaction may see. Reads indexes alone.
create function knowlog.sees_more(collections uuid[], most integer) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
    closed constant uuid[] := closed_collections();
    open constant uuid[] := array(select o.id from unnest(collections) o (id) where o.id <> all (closed));
begin
    return exists (select from document_subjects s
                   where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = any(collections) offset most)
        or exists (select from documents d
                   where d.tenant_id = owner and d.collection_id = any(open) and d.audience is null offset most);
end $$;

-- What BM25 must know of some terms, counted in what this transaction may see; no row when that is more than `most` chunks.
create function knowlog.seen_statistics(collections uuid[], asked integer[], most integer)
returns table (chunk_count bigint, holding json)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    owner constant uuid := tenant();
    documents uuid[];
begin
    if sees_more(collections, most) then
        return;
    end if;
    documents := array(select m.document_id from matching_documents(collections, null, null) m);
    return query
        with seen as materialized (
            select c.terms from chunk_terms c
            where c.tenant_id = owner and c.document_id = any(documents) limit most + 1),
        known as (select count(*) as chunks from seen having count(*) <= most)
        select k.chunks, coalesce((select json_object_agg(h.term, h.held) from (
            select a.term, count(*) as held from seen c, unnest(asked) a (term)
            where a.term = any(c.terms) group by a.term) h), '{}')
        from known k;
end $$;

-- The dense leg. A collection with an index of its own is asked through it: the predicate must be literal for the planner
-- to see that the index serves. Where a filter, or the lists, leave few documents, and with `exact`, and in every other
-- collection, all their vectors are compared. `seen` is a subquery that is never made a join: the index gives the order.
create function knowlog.dense_search(
    collections uuid[], key text, query public.halfvec, most integer, filter jsonpath, exact boolean)
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
        if filter is not null or narrow and not sees_more(array[id], few) then
            documents := array(select m.document_id from matching_documents(array[id], filter, few + 1) m);
            if cardinality(documents) <= few then
                chosen := chosen || documents;
                continue;
            end if;
        end if;
        if narrow then
            perform set_config('hnsw.ef_search', '300', true);  -- until the function ends: in one go, what would take two
        end if;
        parts := parts || format(
            '(select v.chunk_id, v.embedding::halfvec(%s) <#> $1 as distance from vectors v
              where v.tenant_id = $6 and v.collection_id = %L and v.embedding_key = %L %s
              order by v.embedding::halfvec(%1$s) <#> $1 limit $3)', dimensions, id, key, seen);
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
              where v.tenant_id = $6 and v.document_id = any($9) and v.embedding_key = $2
              order by 2, 1 limit $3)'::text;
    end if;
    if cardinality(parts) = 0 then
        return;
    end if;
    return query execute 'select near.chunk_id, -near.distance from (' || array_to_string(parts, ' union all ')
        || ') near order by near.distance, near.chunk_id limit $3'
        using query, key, most, scanned, filter, owner, subjects(), closed_collections(), chosen;
end $$;

-- The lexical leg: the chunks with the highest BM25 score.
--   asked     terms of the question's lexemes, rarest lexeme first; each has as many as there are collections
--   weights   of each lexeme: its count in the question times its inverse frequency
--   holding   in how many chunks each lexeme is
--   query     the weights of all terms
-- Where a filter, or the lists, leave few chunks, all of them are scored. Else, unless `prune` is off, only chunks that hold
-- one of the rarer lexemes are looked at, and all lexemes count for their score. How many are needed is found in two steps:
-- the chunks with the rarest lexemes give a tenth-best score; the lexemes that could not reach it together, each at 0.7 of
-- the most it can weigh, are left out (decision 0003). Of what is scored, the best are looked up until enough of them may
-- be seen.
create function knowlog.lexical_search(
    collections uuid[], asked integer[], weights real[], holding bigint[], query public.sparsevec, most integer,
    prune boolean, filter jsonpath)
returns table (chunk_id bigint, score double precision)
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    all_below constant integer := 6000;
    few constant integer := 4000;
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
    looked_up integer;
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
    if filter is not null or narrow and not sees_more(collections, few) then
        documents := array(select m.document_id from matching_documents(collections, filter, few + 1) m);
        if cardinality(documents) > few then
            documents := null;
        elsif cardinality(documents) <= all_below and (select count(*) from (
               select from chunk_terms c where c.tenant_id = owner and c.document_id = any(documents)
               limit all_below + 1) u) <= all_below then
            return query select c.chunk_id, -(c.weights <#> query) from chunk_terms c
                where c.tenant_id = owner and c.document_id = any(documents) and c.terms && asked
                order by 2 desc, 1 limit most;
            return;
        end if;
    end if;
    closed := closed_collections();
    prune := prune and (select sum(h) from unnest(holding) h) > all_below;
    while used < lexemes and (not prune or used = 0 or postings < first_step) loop
        used := used + 1;
        postings := postings + holding[used];
    end loop;
    while read < used loop
        looked_up := case when narrow and documents is null then 4 * most else most end;
        loop
            select coalesce(array_agg(u.chunk_id), '{}'), coalesce(array_agg(u.bm25), '{}') into fresh, fresh_scores
            from (select found.chunk_id, found.bm25 from (
                      select c.chunk_id, c.document_id, -(c.weights <#> query) as bm25 from chunk_terms c
                      where c.tenant_id = owner and c.collection_id = any(collections)
                        and c.terms && asked[read * width + 1 : used * width]
                        and (documents is null or c.document_id in (select unnest(documents)))
                      order by 3 desc, 1 limit looked_up) found
                  where not narrow or documents is not null or (
                      select true from documents d
                      where d.tenant_id = owner and d.document_id = found.document_id
                        and case when mine is null then true when d.audience is null then d.collection_id <> all (closed)
                                 else d.audience && mine end
                        and (filter is null or d.metadata @@ filter))
                  order by 2 desc, 1 limit most) u;
            exit when not narrow or documents is not null or looked_up is null or cardinality(fresh) >= most;
            looked_up := case when looked_up < 20 * most then 20 * most end;
        end loop;
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
select knowlog.give_to_definer('knowlog_app', array[
    'matching_documents(uuid[], jsonpath, integer)', 'sees_more(uuid[], integer)',
    'seen_statistics(uuid[], integer[], integer)',
    'dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean)',
    'lexical_search(uuid[], integer[], real[], bigint[], public.sparsevec, integer, boolean, jsonpath)']);
