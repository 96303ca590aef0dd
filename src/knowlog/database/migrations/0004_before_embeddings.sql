-- Which embedding key answers a collection's questions, and how far another is built beside it.

-- Null until something of the collection is embedded.
alter table knowlog.collections add column embedding_key text;

-- A collection in which vectors are missing, are to be made under another key, or are left of one that answers no more.
-- `after_chunk`: the chunks up to this one were looked at. `switched`: embedding_key answers, what is left is to be
-- dropped. The lease keeps workers from doing the same twice; nothing breaks if they do.
create table knowlog.embedding_builds (
    tenant_id     uuid not null,
    collection_id uuid not null,
    embedding_key text not null,
    after_chunk   bigint not null default 0,
    done          bigint not null default 0,
    total         bigint not null default 0,
    switched      boolean not null default false,
    reason        text,
    worker        text,
    lease_until   timestamptz not null default clock_timestamp(),
    started_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, collection_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
grant select, insert, update, delete on knowlog.embedding_builds to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- What is there already answers under the key that most of its vectors have; whatever lacks one gets it. As the definer,
-- because the policies bind the owner too.
set local role knowlog_definer;
update knowlog.collections c set embedding_key = (
    select v.embedding_key from knowlog.vectors v
    where v.tenant_id = c.tenant_id and v.collection_id = c.collection_id
    group by v.embedding_key order by count(*) desc, v.embedding_key limit 1);
insert into knowlog.embedding_builds (tenant_id, collection_id, embedding_key)
select c.tenant_id, c.collection_id, coalesce(c.embedding_key, '') from knowlog.collections c
where exists (select from knowlog.documents d where d.tenant_id = c.tenant_id and d.collection_id = c.collection_id
              and d.version is not null);
set local role none;

-- The embedding of a collection as its owners see it.
create function knowlog.collection_embedding(collection uuid) returns jsonb
language sql stable set search_path = pg_catalog, knowlog, pg_temp as $$
    select jsonb_build_object('key', c.embedding_key, 'building', case when b.tenant_id is not null then
               jsonb_build_object('key', b.embedding_key, 'done', least(b.done, b.total), 'total', b.total,
                                  'reason', b.reason) end)
    from collections c left join embedding_builds b
      on b.tenant_id = c.tenant_id and b.collection_id = c.collection_id and not b.switched and b.embedding_key <> ''
    where c.tenant_id = tenant() and c.collection_id = collection
$$;
revoke all on function knowlog.collection_embedding(uuid) from public;
grant execute on function knowlog.collection_embedding(uuid) to knowlog_app;

-- Take the collection that has waited longest of those that are not, or not wholly, embedded under `key`.
create function knowlog.claim_embedding_build(key text, worker_name text, lease interval)
returns table (tenant_id uuid, collection_id uuid)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with outdated as (
        select c.tenant_id, c.collection_id
        from collections c left join embedding_builds b using (tenant_id, collection_id)
        where case when b.tenant_id is null then c.embedding_key <> key else b.lease_until < clock_timestamp() end
        order by b.lease_until nulls first, c.tenant_id, c.collection_id limit 1
        for key share of c skip locked)
    insert into embedding_builds as b (tenant_id, collection_id, embedding_key, worker, lease_until)
    select o.tenant_id, o.collection_id, key, worker_name, clock_timestamp() + lease from outdated o
    on conflict (tenant_id, collection_id) do update
    set worker = excluded.worker, lease_until = excluded.lease_until, embedding_key = excluded.embedding_key,
        after_chunk = case when b.embedding_key = excluded.embedding_key then b.after_chunk else 0 end,
        started_at = case when b.embedding_key = excluded.embedding_key then b.started_at else clock_timestamp() end,
        switched = b.switched and b.embedding_key = excluded.embedding_key
    where b.lease_until < clock_timestamp()
    returning b.tenant_id, b.collection_id
$$;

-- Whether documents wait for workers: making vectors anew gives way to them.
create function knowlog.work_waits() returns boolean
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select exists (select from events e where e.state in ('waiting', 'running')
                   and (e.state = 'running' or e.due_at <= clock_timestamp()))
$$;

-- How many collections answer under which key, and how far another is built: for metrics and doctor.
create function knowlog.embedding_overview()
returns table (answering text, building text, collections bigint, done bigint, total bigint, reason text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select c.embedding_key, b.embedding_key, count(*), coalesce(sum(least(b.done, b.total)), 0)::bigint,
           coalesce(sum(b.total), 0)::bigint, max(b.reason)
    from collections c left join embedding_builds b
      on b.tenant_id = c.tenant_id and b.collection_id = c.collection_id and not b.switched and b.embedding_key <> ''
    where c.embedding_key is not null group by 1, 2 order by 1, 2
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'claim_embedding_build(text, text, interval)', 'work_waits()', 'embedding_overview()']);
