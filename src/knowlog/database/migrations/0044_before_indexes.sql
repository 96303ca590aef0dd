-- Indexes: what of a collection's documents is searched, cut in one way. One of a collection's indexes answers; others are
-- built beside it, and it is left for another in one transaction (decision 0016).

-- `collection_id` of chunks, terms, vectors and statistics is from now on the id of an index; the first index of a collection
-- has the collection's own. One that expires is removed by a worker: all but that which answers do.
create table knowlog.indexes (
    tenant_id     uuid not null,
    index_id      uuid not null,
    collection_id uuid not null,
    expires_at    timestamptz,
    created_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, index_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create index indexes_of_collection on knowlog.indexes (tenant_id, collection_id);

-- Which of them answers; null: the first.
alter table knowlog.collections add column index_id uuid;

-- A collection's change from one index and profile to others: `index_id` is made whole, and then answers. It waits, runs or
-- has failed as its job has; it has happened when `switched_at` is set. `rolls_back`: the switch that it takes back.
create table knowlog.switches (
    tenant_id       uuid not null,
    switch_id       uuid not null,
    collection_id   uuid not null,
    job_id          uuid not null,
    index_id        uuid not null,
    profile         jsonb not null,
    from_index      uuid not null,
    from_profile    jsonb not null,
    profile_version integer not null,
    rolls_back      uuid,
    done            integer not null default 0,
    total           integer not null default 0,
    created_at      timestamptz not null default now(),
    created_by      text not null,
    switched_at     timestamptz,
    primary key (tenant_id, switch_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create index switches_of_collection on knowlog.switches (tenant_id, collection_id, switch_id);
grant select, insert, update, delete on knowlog.indexes, knowlog.switches to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- As the definer, because the policies bind the owner too.
set local role knowlog_definer;
insert into knowlog.indexes (tenant_id, index_id, collection_id)
select c.tenant_id, c.collection_id, c.collection_id from knowlog.collections c;
set local role none;

create function knowlog.make_first_index() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    insert into indexes (tenant_id, index_id, collection_id) values (new.tenant_id, new.collection_id, new.collection_id);
    return null;
end $$;
create trigger first_index after insert on knowlog.collections
for each row execute function knowlog.make_first_index();

-- Statistics go with their index. A document has its chunks once in each.
alter table knowlog.collection_statistics drop constraint collection_statistics_tenant_id_collection_id_fkey,
    add foreign key (tenant_id, collection_id) references knowlog.indexes on delete cascade;
alter table knowlog.term_statistics drop constraint term_statistics_tenant_id_collection_id_fkey,
    add foreign key (tenant_id, collection_id) references knowlog.indexes on delete cascade;
alter table knowlog.statistics_changes drop constraint statistics_changes_tenant_id_collection_id_fkey,
    add foreign key (tenant_id, collection_id) references knowlog.indexes on delete cascade;
alter table knowlog.chunks drop constraint chunks_tenant_id_document_id_version_ordinal_key,
    add unique (tenant_id, document_id, version, collection_id, ordinal);

-- The index that answers for a collection.
create function knowlog.live_index(collection uuid) returns uuid
language sql stable set search_path = pg_catalog, knowlog, pg_temp as $$
    select coalesce(c.index_id, c.collection_id) from collections c
    where c.tenant_id = tenant() and c.collection_id = collection
$$;
revoke all on function knowlog.live_index(uuid) from public;
grant execute on function knowlog.live_index(uuid) to knowlog_app;

-- The collections of indexes.
create function knowlog.collections_of(ids uuid[]) returns uuid[]
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select array(select distinct i.collection_id from indexes i where i.tenant_id = tenant() and i.index_id = any(ids))
$$;
select knowlog.give_to_definer('knowlog_app', array['make_first_index()', 'collections_of(uuid[])']);

-- Indexes whose time is up and that do not answer.
create function knowlog.expired_indexes(most integer) returns table (tenant_id uuid, index_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select i.tenant_id, i.index_id from indexes i
    join collections c on c.tenant_id = i.tenant_id and c.collection_id = i.collection_id
    where i.expires_at < clock_timestamp() and i.index_id <> coalesce(c.index_id, c.collection_id)
      and not exists (select from places p where p.tenant_id = '00000000-0000-0000-0000-000000000000'
                      and p.placed_id = i.tenant_id)
    order by i.expires_at limit most
$$;

-- Whose turn it is to remove them, as for the other work that one worker does for all.
create sequence knowlog.turn_indexes minvalue 0 start 0;
grant select, update on sequence knowlog.turn_indexes to knowlog_definer;

-- How many indexes stand beside those that answer, and for how long one is expired: for doctor and metrics.
create function knowlog.index_overview() returns table (beside bigint, expired_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*),
           coalesce(extract(epoch from clock_timestamp() - min(i.expires_at)
                            filter (where i.expires_at < clock_timestamp())), 0)::double precision
    from indexes i join collections c on c.tenant_id = i.tenant_id and c.collection_id = i.collection_id
    where i.index_id <> coalesce(c.index_id, c.collection_id)
$$;
select knowlog.give_to_definer('knowlog_system', array['expired_indexes(integer)', 'index_overview()']);

-- The functions of search are given indexes. Where they look for documents, they look in their collections; where they come
-- from a document to its chunks, they take those of the indexes that are asked.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
do $$
declare
    own constant text := 'owner constant uuid := tenant();';
    inside constant text := own || E'\n    inside constant uuid[] := collections_of(collections);';
    chosen constant text := 'c.document_id = any(array(select unnest(documents)))';
    changes constant text[][] := array[
        ['seen_documents', own, inside],
        ['seen_documents', 'unnest(collections)', 'unnest(inside)'],
        ['seen_documents', 'any(collections)', 'any(inside)'],
        ['matching_documents', own, inside],
        ['matching_documents', 'unnest(collections)', 'unnest(inside)'],
        ['matching_documents', 'any(collections)', 'any(inside)'],
        ['seen_statistics', chosen, chosen || ' and c.collection_id = any(collections)'],
        ['lexical_search', chosen, chosen || ' and c.collection_id = any(collections)'],
        ['dense_search', 'v.document_id = any(array(select unnest($9)))',
         'v.document_id = any(array(select unnest($9))) and v.collection_id = any($10)'],
        ['dense_search', 'closed_collections(), chosen;', 'closed_collections(), chosen, collections;'],
        ['fold_statistics', 'c.tenant_id, c.collection_id from collections c',
         'c.tenant_id, c.index_id as collection_id from indexes c'],
        ['fold_statistics', 's.collection_id = c.collection_id)', 's.collection_id = c.index_id)']];
    change text[];
    text_before text;
begin
    foreach change slice 1 in array changes loop
        select pg_get_functiondef(p.oid) into strict text_before from pg_proc p
        where p.pronamespace = 'knowlog'::regnamespace and p.proname = change[1];
        if position(change[2] in text_before) = 0 then
            raise exception 'the function % is not the one that was to be changed', change[1];
        end if;
        execute replace(text_before, change[2], change[3]);
    end loop;
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
