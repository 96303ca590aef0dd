-- Documents that are there are cut anew when the chunking of their collection's profile changes.

-- Counts the changes of the profile's chunking. A document has the number by which its chunks were cut; null: unknown.
alter table knowlog.collections add column chunking_version integer not null default 1;
alter table knowlog.documents add column chunking_version integer;

-- A collection whose documents are being cut anew. `after_document`: those up to this one have been asked for; `asked`: the
-- last of them, which may be at work still. `looked_at`: when a worker last saw to it.
create table knowlog.rechunkings (
    tenant_id      uuid not null,
    collection_id  uuid not null,
    after_document uuid not null default '00000000-0000-0000-0000-000000000000',
    asked          uuid[] not null default '{}',
    looked_at      timestamptz not null default '-infinity',
    started_at     timestamptz not null default clock_timestamp(),
    primary key (tenant_id, collection_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
grant select, insert, update, delete on knowlog.rechunkings to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- Where a profile was changed before now, nobody knows which documents still have older chunks: all are cut anew. As the
-- definer, because the policies bind the owner too.
set local role knowlog_definer;
insert into knowlog.rechunkings (tenant_id, collection_id)
select c.tenant_id, c.collection_id from knowlog.collections c
where c.profile_version > 1
  and exists (select from knowlog.documents d
              where d.tenant_id = c.tenant_id and d.collection_id = c.collection_id and d.version is not null);
set local role none;

-- How far that is, as the owners of the collection see it; null when it is done.
create function knowlog.collection_rechunking(collection uuid) returns jsonb
language sql stable set search_path = pg_catalog, knowlog, pg_temp as $$
    select jsonb_build_object(
               'done', count(*) filter (where d.chunking_version = c.chunking_version), 'total', count(*),
               'failed', count(*) filter (where d.chunking_version is distinct from c.chunking_version
                                          and d.state = 'failed'))
    from rechunkings r
    join collections c on c.tenant_id = r.tenant_id and c.collection_id = r.collection_id
    join documents d on d.tenant_id = r.tenant_id and d.collection_id = r.collection_id and d.version is not null
    where r.tenant_id = tenant() and r.collection_id = collection
    group by r.collection_id
$$;
revoke all on function knowlog.collection_rechunking(uuid) from public;
grant execute on function knowlog.collection_rechunking(uuid) to knowlog_app;

-- Take the collection that nobody has seen to for the longest time, and for `pause` at least.
create function knowlog.claim_rechunking(pause interval) returns table (tenant_id uuid, collection_id uuid)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with due as (
        select r.tenant_id, r.collection_id from rechunkings r
        where r.looked_at < clock_timestamp() - pause order by r.looked_at limit 1 for update skip locked)
    update rechunkings r set looked_at = clock_timestamp() from due d
    where r.tenant_id = d.tenant_id and r.collection_id = d.collection_id
    returning r.tenant_id, r.collection_id
$$;

-- How many collections are being cut anew, and for how long nobody has seen to one of them: for metrics and doctor.
create function knowlog.rechunking_overview() returns table (collections bigint, untouched_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*), coalesce(extract(epoch from clock_timestamp() - min(greatest(r.looked_at, r.started_at))), 0)::double precision
    from rechunkings r
$$;

select knowlog.give_to_definer('knowlog_system', array['claim_rechunking(interval)', 'rechunking_overview()']);
