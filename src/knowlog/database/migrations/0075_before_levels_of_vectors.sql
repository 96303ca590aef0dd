-- Vectors of documents that have a list of their own, once more for each subject of it, and coarsely: what one who sees a part
-- of a large collection is compared with, in the order in which it is read, of an index alone (decision 0025). It says which
-- vectors are worth a look; whether they may be seen, the lists say, as ever. It is bounded: the vectors of a document whose own
-- list names many are not kept for each of them, or a list of the thousand that it may name would write a thousand times the
-- vectors, in the call that gives it. Who sees such a document is compared as before.

create function knowlog.names_many(audience uuid[]) returns boolean language sql immutable parallel safe
as $$ select pg_catalog.cardinality(audience) operator(pg_catalog.>) 8 $$;

-- Of each number of a vector of unit length, in three bits, on which of four levels it is: the bits in which two vectors differ
-- tell how far they are apart (the ten nearest of 11,000 are among 200, where signs alone want more than 1,000).
-- Null for a vector of so few numbers that this does not hold, or of more than an entry of an index has room for.
create function knowlog.levels_of(embedding public.halfvec) returns bit varying
language sql immutable parallel safe set search_path = pg_catalog, knowlog, public, pg_temp as $$
    select case when vector_dims(embedding) between 256 and 4000 then
               binary_quantize(embedding - step) || binary_quantize(embedding) || binary_quantize(embedding + step) end
    from (select array_fill((0.7 / sqrt(vector_dims(embedding)))::real, array[vector_dims(embedding)])::halfvec as step) s
$$;

create table knowlog.subject_vectors (
    tenant_id     uuid not null,
    subject       uuid not null,
    collection_id uuid not null,
    embedding_key text not null,
    chunk_id      bigint not null,
    levels        bit varying not null,
    primary key (tenant_id, subject, collection_id, embedding_key, chunk_id) include (levels),
    foreign key (tenant_id, collection_id, embedding_key, chunk_id) references knowlog.vectors on delete cascade
);
create index subject_vectors_by_chunk on knowlog.subject_vectors (tenant_id, chunk_id);
grant select, insert, update, delete on knowlog.subject_vectors to knowlog_definer;

-- The documents whose own list names many, by each of those: where there is one of the caller's, their levels are not all.
create table knowlog.widely_named (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    subject       uuid not null,
    collection_id uuid not null,
    document_id   uuid not null,
    primary key (tenant_id, subject, collection_id, document_id)
);
grant select, insert, update, delete on knowlog.widely_named to knowlog_definer;
select knowlog.protect_tables();

-- A vector is written. The lock makes a change of the list wait, which then finds the vector, or this wait for the change.
create function knowlog.level_vector() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, public, pg_temp
set enable_seqscan = off as $$
declare
    listed uuid[];
begin
    select d.audience into listed from documents d
    where d.tenant_id = new.tenant_id and d.document_id = new.document_id for share;
    insert into subject_vectors as s (tenant_id, subject, collection_id, embedding_key, chunk_id, levels)
    select distinct new.tenant_id, u.subject, new.collection_id, new.embedding_key, new.chunk_id, levels_of(new.embedding)
    from unnest(listed) u (subject) where levels_of(new.embedding) is not null and not names_many(listed)
    on conflict (tenant_id, subject, collection_id, embedding_key, chunk_id) do update set levels = excluded.levels;
    return null;
end $$;
create trigger vectors_levelled after insert or update of embedding on knowlog.vectors
for each row execute function knowlog.level_vector();

-- A document's list is changed: the vectors go from the subjects that it names no more, and come to the new ones. Vectors that
-- another transaction deletes are waited for before anything else, in the order in which they are deleted: the foreign key
-- would refuse the new list where it found them gone.
create function knowlog.level_document() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, public, pg_temp
set enable_seqscan = off as $$
declare
    before constant uuid[] := case when not names_many(old.audience) then old.audience end;
    after constant uuid[] := case when not names_many(new.audience) then new.audience end;
    added constant uuid[] := array(select unnest(after) except select unnest(before));
begin
    if cardinality(added) > 0 then
        perform from vectors v where v.tenant_id = new.tenant_id and v.document_id = new.document_id
        order by v.collection_id, v.embedding_key, v.chunk_id for key share;
    end if;
    delete from subject_vectors s using vectors v
    where v.tenant_id = old.tenant_id and v.document_id = old.document_id
      and s.tenant_id = v.tenant_id and s.collection_id = v.collection_id and s.embedding_key = v.embedding_key
      and s.chunk_id = v.chunk_id
      and s.subject = any(array(select unnest(before) except select unnest(after)));
    insert into subject_vectors (tenant_id, subject, collection_id, embedding_key, chunk_id, levels)
    select v.tenant_id, u.subject, v.collection_id, v.embedding_key, v.chunk_id, levels_of(v.embedding)
    from vectors v, unnest(added) u (subject)
    where v.tenant_id = new.tenant_id and v.document_id = new.document_id and levels_of(v.embedding) is not null
    on conflict do nothing;
    return null;
end $$;
create trigger documents_levelled after update of audience on knowlog.documents
for each row when (old.audience is distinct from new.audience) execute function knowlog.level_document();
select knowlog.give_to_definer('knowlog_app', array['level_vector()', 'level_document()']);

grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;

-- As before (0024), and the documents that name many.
create or replace function knowlog.list_subjects() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    if tg_op <> 'INSERT' and old.audience is not null then
        delete from document_subjects s
        where s.tenant_id = old.tenant_id and s.subject = any(old.audience) and s.collection_id = old.collection_id
          and s.document_id = old.document_id;
        delete from widely_named w
        where names_many(old.audience) and w.tenant_id = old.tenant_id and w.subject = any(old.audience)
          and w.collection_id = old.collection_id and w.document_id = old.document_id;
    end if;
    if tg_op <> 'DELETE' and new.audience is not null then
        insert into document_subjects (tenant_id, subject, collection_id, document_id)
        select distinct new.tenant_id, u.subject, new.collection_id, new.document_id from unnest(new.audience) u (subject);
        insert into widely_named (tenant_id, subject, collection_id, document_id)
        select distinct new.tenant_id, u.subject, new.collection_id, new.document_id from unnest(new.audience) u (subject)
        where names_many(new.audience);
    end if;
    return null;
end $$;

insert into knowlog.widely_named (tenant_id, subject, collection_id, document_id)
select distinct d.tenant_id, u.subject, d.collection_id, d.document_id
from knowlog.documents d cross join unnest(d.audience) u (subject) where knowlog.names_many(d.audience);

insert into knowlog.subject_vectors (tenant_id, subject, collection_id, embedding_key, chunk_id, levels)
select distinct v.tenant_id, u.subject, v.collection_id, v.embedding_key, v.chunk_id,
       knowlog.levels_of(v.embedding)
from knowlog.documents d
cross join unnest(d.audience) u (subject)
join knowlog.vectors v on v.tenant_id = d.tenant_id and v.document_id = d.document_id
where not knowlog.names_many(d.audience) and knowlog.levels_of(v.embedding) is not null;

-- The documents that a transaction may see, as before (0056), but that it is noted too that they are few. A note says by which
-- way to search, and no more.
create or replace function knowlog.seen_documents(collections uuid[], most integer) returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    inside constant uuid[] := collections_of(collections);
    mine constant uuid[] := subjects();
    closed constant uuid[] := closed_collections();
    open constant uuid[] := array(select o.id from unnest(inside) o (id) where o.id <> all (closed));
    more constant text[] := string_to_array(current_setting('knowlog.seen_more', true), ' ');
    seen uuid[];
begin
    if more[1] = inside::text and more[2]::integer >= most then
        return null;
    end if;
    seen := array(
        select u.document_id from (
            select s.document_id from document_subjects s
            where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = any(inside)
            union all
            select d.document_id from documents d
            where d.tenant_id = owner and d.collection_id = any(open) and d.audience is null) u
        limit most + 1);
    if cardinality(seen) <= most then
        perform set_config('knowlog.seen_few', concat_ws(' ', inside::text, cardinality(seen)), true);
        return seen;
    end if;
    perform set_config('knowlog.seen_more', concat_ws(' ', inside::text, most), true);
    return null;
end $$;

-- The chunks of an index whose levels are most like a vector's, of the documents that name the caller, in the order of their
-- ids: some more than are to be shown. Null where they would not do: there are other documents to see, or too many chunks, or
-- subjects that share so many that few would come, or too few numbers to tell one vector from another.
create function knowlog.alike(wanted uuid, key text, query public.halfvec, shown integer) returns bigint[]
language plpgsql stable security definer
set search_path = pg_catalog, knowlog, public, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
as $$
declare
    most constant integer := 16000;
    kept constant integer := greatest(400, 4 * shown);
    different constant integer := kept * 5 / 6;
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
    open constant uuid[] := array(select c.id from unnest(collections_of(array[wanted])) c (id)
                                  where c.id <> all (closed_collections()));
    sought constant bit varying := levels_of(query);
    counted integer;
    nearest bigint[];
begin
    if sought is null or exists (
           select from widely_named w
           where w.tenant_id = owner and w.subject = any(mine) and w.collection_id = any(collections_of(array[wanted])))
       or exists (
           select from documents d
           where d.tenant_id = owner and d.collection_id = any(open) and d.audience is null) then
        return null;
    end if;
    with named as materialized (
        select s.chunk_id, s.levels <~> sought as distance from subject_vectors s
        where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = wanted and s.embedding_key = key
        limit most + 1)
    select (select count(*) from named),
           array(select distinct n.chunk_id from (select * from named order by distance limit kept) n order by 1)
    into counted, nearest;
    return case when counted <= kept or counted <= most and cardinality(nearest) >= different then nearest end;
end $$;
revoke all on function knowlog.alike(uuid, text, public.halfvec, integer) from public;

-- How many documents of an index may be seen, if it was noted that they are few.
create function knowlog.noted_few(wanted uuid) returns integer
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select n.few[2]::integer from (select string_to_array(current_setting('knowlog.seen_few', true), ' ') as few) n
    where n.few[1] = collections_of(array[wanted])::text
$$;
revoke all on function knowlog.noted_few(uuid) from public;

-- The dense leg, as before, but that where more than some thousand documents may be seen, and not too many, those chunks are
-- compared exactly whose levels are most alike. They are looked up in the order of their distance until there are enough.
do $$
declare
    changes constant text[][] := array[
        ['    few constant integer := 12000;', E'    few constant integer := 12000;\n    one_by_one constant integer := 2000;'],
        ['    documents uuid[];', E'    known integer;\n    documents uuid[];\n    near bigint[];\n    liked bigint[] := \'{}\';'],
        ['        documents := case when filter is not null',
         '        known := case when narrow and filter is null then noted_few(id) end;
        documents := case when filter is not null'],
        ['when narrow then seen_documents(array[id], few) end;',
         'when narrow and known is null then seen_documents(array[id], few) end;
        if narrow and filter is null and coalesce(known, cardinality(documents)) > one_by_one then
            near := alike(id, key, query, most);
            if near is not null then
                liked := liked || near;
                continue;
            end if;
        end if;
        if known is not null then
            documents := seen_documents(array[id], few);
        end if;'],
        ['    if cardinality(parts) = 0 then',
         '    if cardinality(liked) > 0 then
        parts := parts ||
            ''(select l.chunk_id, l.distance from (
                  select v.chunk_id, v.document_id, v.embedding <#> $1 as distance from vectors v
                  where v.tenant_id = $6 and v.collection_id = any($10) and v.embedding_key = $2
                    and v.chunk_id = any(array(select unnest($11)))
                  order by 3, 1 offset 0) l
              where (select true from documents d where d.tenant_id = $6 and d.document_id = l.document_id
                     and d.audience && $7)
              limit $3)''::text;
    end if;
    if cardinality(parts) = 0 then'],
        ['closed_collections(), chosen, collections;', 'closed_collections(), chosen, collections, liked;']];
    change text[];
    body text := pg_get_functiondef('knowlog.dense_search'::regproc);
begin
    foreach change slice 1 in array changes loop
        if position(change[1] in body) = 0 then
            raise exception 'the function dense_search is not the one that was to be changed';
        end if;
        body := replace(body, change[1], change[2]);
    end loop;
    execute body;
end $$;

-- The lexical leg, as before, but that the documents are looked up in a table of hashes which the database makes of an array;
-- the planner, which would weigh each of them, does not look into the CASE.
do $$
declare
    asked constant text := 'c.document_id in (select unnest(documents))';
    text_before constant text := pg_get_functiondef('knowlog.lexical_search'::regproc);
begin
    if position(asked in text_before) = 0 then
        raise exception 'the function lexical_search is not the one that was to be changed';
    end if;
    execute replace(text_before, asked, 'case when c.document_id = any(documents) then true else false end');
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
