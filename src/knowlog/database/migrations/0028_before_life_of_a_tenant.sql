-- Suspending a tenant, deleting one with a proof, and what bringing one in from elsewhere needs.

alter table knowlog.tenants
    add column suspended_at timestamptz,
    add column suspended_because text check (length(suspended_because) <= 500);
create index tenants_suspended on knowlog.tenants (tenant_id) where suspended_at is not null;

-- Receipts of deleted tenants: the operator's, so that they belong to no tenant; the id is all zeros.
create table knowlog.tenant_receipts (
    tenant_id  uuid not null check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    deleted_id uuid not null,
    receipt    jsonb not null,
    finished   boolean not null default false,
    created_at timestamptz not null default now(),
    primary key (tenant_id, deleted_id)
);
grant select on knowlog.tenant_receipts to knowlog_app;
grant select, insert, update, delete on knowlog.tenant_receipts to knowlog_definer;
select knowlog.protect_tables();

create function knowlog.suspend_tenant(id uuid, because text) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with changed as (
        update tenants set suspended_at = coalesce(suspended_at, now()), suspended_because = because
        where tenant_id = id returning 1)
    select exists (select from changed)
$$;
create function knowlog.resume_tenant(id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with changed as (
        update tenants set suspended_at = null, suspended_because = null where tenant_id = id returning 1)
    select exists (select from changed)
$$;

create function knowlog.tenants_listed(after_id uuid, most integer)
returns table (tenant_id uuid, name text, created_at timestamptz, document_count bigint, weight integer,
               suspended_at timestamptz, suspended_because text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select t.tenant_id, t.name, t.created_at,
           (select count(*) from documents d where d.tenant_id = t.tenant_id), t.weight, t.suspended_at, t.suspended_because
    from tenants t where after_id is null or t.tenant_id > after_id
    order by t.tenant_id limit most
$$;

-- How many rows of each table belong to a tenant: read from the catalog, so that no table is forgotten. Tables with none are
-- left out.
create function knowlog.rows_of_tenant(id uuid) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    found jsonb := '{}';
    rows bigint;
    t record;
begin
    for t in select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
             where c.relnamespace = 'knowlog'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped
             order by c.relname loop
        execute format('select count(*) from knowlog.%I where tenant_id = $1', t.relname) into rows using id;
        if rows > 0 then
            found := found || jsonb_build_object(t.relname, rows);
        end if;
    end loop;
    return found;
end $$;

-- How many tables `rows_of_tenant` looks at.
create function knowlog.tables_of_tenants() returns integer
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*)::integer from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
    where c.relnamespace = 'knowlog'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped
$$;

-- Delete every row of a tenant, in every table that the catalog knows, and keep a receipt. Null where there is no such tenant.
create function knowlog.delete_tenant_with_receipt(id uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    told jsonb;
    t record;
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.fold_statistics'));  -- both touch many rows, in different orders
    select jsonb_build_object(
        'tenant_id', x.tenant_id, 'name', x.name, 'created_at', x.created_at, 'rows_removed', rows_of_tenant(id),
        'audit_head', (select jsonb_build_object('sequence', h.sequence, 'hash', encode(h.hash, 'hex'))
                       from audit_heads h where h.tenant_id = id)) into told
    from tenants x where x.tenant_id = id for update of x;
    if told is null then
        return null;
    end if;
    delete from tenants where tenant_id = id;
    for round in 1 .. 3 loop  -- a trigger may write elsewhere what it deletes here
        for t in select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
                 where c.relnamespace = 'knowlog'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped loop
            execute format('delete from knowlog.%I where tenant_id = $1', t.relname) using id;
        end loop;
        exit when rows_of_tenant(id) = '{}'::jsonb;
    end loop;
    told := told || jsonb_build_object(
        'deleted_at', clock_timestamp(), 'tables_searched', tables_of_tenants(), 'rows_left', rows_of_tenant(id));
    if told -> 'rows_left' <> '{}'::jsonb then
        raise exception 'rows of the tenant are left: %', told -> 'rows_left';
    end if;
    insert into tenant_receipts (tenant_id, deleted_id, receipt) values (nobody, id, told)
    on conflict (tenant_id, deleted_id) do update set receipt = excluded.receipt, finished = false, created_at = now();
    return told;
end $$;

-- Add to a receipt what became of the original bytes; it is finished when none is left.
create function knowlog.complete_receipt(id uuid, originals jsonb, done boolean) returns jsonb
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    update tenant_receipts r set receipt = r.receipt || jsonb_build_object('originals', originals), finished = done
    where r.deleted_id = id returning r.receipt
$$;
create function knowlog.unfinished_receipts() returns setof uuid
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select r.deleted_id from tenant_receipts r where not r.finished order by r.created_at limit 100
$$;

-- Chunks keep their order, but get numbers of this installation: `span` of them in a row, that nobody else gets.
create function knowlog.reserve_chunk_ids(span bigint) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    place text := pg_get_serial_sequence('knowlog.chunks', 'chunk_id');
    base bigint;
begin
    if span not between 1 and 1000000000000 then
        raise exception 'a span of % chunk ids cannot be', span using errcode = 'numeric_value_out_of_range';
    end if;
    perform pg_advisory_xact_lock(hashtext('knowlog.reserve_chunk_ids'));
    base := nextval(place::regclass);
    perform setval(place::regclass, base + span);
    return base;
end $$;
grant update on sequence knowlog.chunks_chunk_id_seq to knowlog_definer;

-- For metrics and doctor.
create function knowlog.life_overview()
returns table (tenants bigint, suspended bigint, waiting_of_suspended bigint, unfinished_receipts bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (select count(*) from tenants), (select count(*) from tenants t where t.suspended_at is not null),
           (select count(*) from events e join tenants t using (tenant_id)
            where e.state = 'waiting' and t.suspended_at is not null),
           (select count(*) from tenant_receipts r where not r.finished)
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'suspend_tenant(uuid, text)', 'resume_tenant(uuid)', 'tenants_listed(uuid, integer)', 'rows_of_tenant(uuid)',
    'tables_of_tenants()', 'delete_tenant_with_receipt(uuid)', 'complete_receipt(uuid, jsonb, boolean)',
    'unfinished_receipts()', 'reserve_chunk_ids(bigint)', 'life_overview()']);

-- Workers leave alone what belongs to a suspended tenant. Everything stays where it is until the tenant goes on.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;

create or replace function knowlog.waiting_tenants(after uuid, most integer) returns table (tenant_id uuid, weight integer)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with recursive asleep as materialized (
        select coalesce(array_agg(t.tenant_id), '{}') as ids from tenants t where t.suspended_at is not null),
    behind as (
        (select e.tenant_id, (e.tenant_id <> all (a.ids))::integer as n from asleep a, events e
         where e.state = 'waiting' and e.tenant_id > after order by e.tenant_id limit 1)
        union all
        select x.tenant_id, b.n + (x.tenant_id <> all (a.ids))::integer
        from behind b cross join asleep a cross join lateral (
            select e.tenant_id from events e where e.state = 'waiting' and e.tenant_id > b.tenant_id
            order by e.tenant_id limit 1) x
        where b.n < most),
    before as (
        (select e.tenant_id, (e.tenant_id <> all (a.ids))::integer as n from asleep a, events e
         where e.state = 'waiting' order by e.tenant_id limit 1)
        union all
        select x.tenant_id, b.n + (x.tenant_id <> all (a.ids))::integer
        from before b cross join asleep a cross join lateral (
            select e.tenant_id from events e where e.state = 'waiting' and e.tenant_id > b.tenant_id
            order by e.tenant_id limit 1) x
        where b.tenant_id <= after and b.n < most),
    circle as (
        select b.tenant_id, b.n from behind b
        union all
        select b.tenant_id, b.n + most from before b where b.tenant_id <= after)
    select c.tenant_id, t.weight from circle c join tenants t using (tenant_id)
    where t.suspended_at is null order by c.n limit most
$$;

create or replace function knowlog.pick_expired(most integer, types text[], held uuid[], quiet interval)
returns table (tenant_id uuid, event_id uuid, weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    select e.tenant_id, e.event_id, t.weight
    from events e join tenants t using (tenant_id)
    where e.state = 'running' and e.lease_until < clock_timestamp() and e.type = any(types)
      and e.event_id <> all(held) and t.suspended_at is null
      and (quiet is null or e.announced_at is null or e.announced_at < clock_timestamp() - quiet)
    order by e.lease_until limit most for update of e skip locked
$$;

create or replace function knowlog.claim_announced(
    worker_name text, lease interval, tenants uuid[], ids uuid[], held uuid[])
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz,
               weight integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
    with picked as materialized (
        select e.tenant_id, e.event_id, t.weight
        from unnest(tenants, ids) as announced(tenant_id, event_id)
        join events e using (tenant_id, event_id) join tenants t using (tenant_id)
        where e.event_id <> all(held) and t.suspended_at is null
          and case e.state when 'waiting' then e.due_at <= clock_timestamp()
                           when 'running' then e.lease_until < clock_timestamp() else false end
          and e.position = (
              select first.position from events first
              where first.tenant_id = e.tenant_id and first.subject = e.subject
                and first.state in ('waiting', 'running')
              order by first.position limit 1)
        order by e.tenant_id, e.event_id for update of e)
    update events e
    set state = 'running', worker = worker_name, attempts = e.attempts + 1, announced_at = null,
        lease_until = clock_timestamp() + lease
    from picked p
    where e.tenant_id = p.tenant_id and e.event_id = p.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at, p.weight
$$;

create or replace function knowlog.due_schedules(most integer) returns table (tenant_id uuid, schedule_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select s.tenant_id, s.schedule_id from schedules s join tenants t using (tenant_id)
    where s.enabled and s.next_at <= clock_timestamp() and t.suspended_at is null order by s.next_at limit most
$$;

create or replace function knowlog.next_schedule_s() returns double precision
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select extract(epoch from min(s.next_at) - clock_timestamp())::double precision
    from schedules s join tenants t using (tenant_id) where s.enabled and t.suspended_at is null
$$;

create or replace function knowlog.work_is_unfinished() returns boolean
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select exists (select from waiting_tenants('00000000-0000-0000-0000-000000000000', 1))
        or exists (select from events e where e.state = 'running')
$$;

create or replace function knowlog.work_waits() returns boolean
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select exists (select from events e where e.state = 'running')
        or exists (select from waiting_tenants('00000000-0000-0000-0000-000000000000', 10000) w
                   where exists (select from events e where e.tenant_id = w.tenant_id and e.state = 'waiting'
                                 and e.due_at <= clock_timestamp()))
$$;

-- The age is that of the oldest that somebody should have done.
create or replace function knowlog.queue_depth()
returns table (waiting bigint, running bigint, failed bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (select count(*) from events e where e.state = 'waiting'),
           (select count(*) from events e where e.state = 'running'),
           (select count(*) from events e where e.state = 'failed'),
           coalesce((select extract(epoch from clock_timestamp() - min(e.created_at))
                     from events e join tenants t using (tenant_id)
                     where e.state = 'waiting' and t.suspended_at is null), 0)::double precision
$$;

create or replace function knowlog.due_work()
returns table (type text, due bigint, later bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select e.type, count(*) filter (where e.due_at <= clock_timestamp()),
           count(*) filter (where e.due_at > clock_timestamp()),
           greatest(0, extract(epoch from clock_timestamp() - min(e.due_at)))::double precision
    from events e join tenants t using (tenant_id)
    where e.state = 'waiting' and t.suspended_at is null group by e.type
$$;

create or replace function knowlog.webhooks_behind(window_size integer, most integer)
returns table (tenant_id uuid, endpoint_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select w.tenant_id, w.endpoint_id
    from webhooks w join tenants t using (tenant_id)
    where w.state = 'active' and t.suspended_at is null
      and exists (select from events e where e.tenant_id = w.tenant_id and e.position > w.place)
      and (select count(*) from (
               select from events e
               where e.tenant_id = w.tenant_id and e.data ->> 'endpoint_id' = w.endpoint_id::text
                 and e.type = 'delivery.requested' and e.state in ('waiting', 'running')
               limit window_size) u) * 2 < window_size
    order by w.place limit most
$$;

create or replace function knowlog.active_sources()
returns table (tenant_id uuid, source_id uuid, name text, kind text, topic text, collection_id uuid, format text, mapping jsonb,
               trouble text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select s.tenant_id, s.source_id, s.name, s.kind, s.topic, s.collection_id, s.format, s.mapping, s.trouble
    from sources s join tenants t using (tenant_id)
    where s.state = 'active' and t.suspended_at is null order by s.tenant_id, s.source_id
$$;

create or replace function knowlog.claim_embedding_build(key text, worker_name text, lease interval)
returns table (tenant_id uuid, collection_id uuid)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with outdated as (
        select c.tenant_id, c.collection_id
        from collections c join tenants t using (tenant_id) left join embedding_builds b using (tenant_id, collection_id)
        where t.suspended_at is null
          and case when b.tenant_id is null then c.embedding_key <> key else b.lease_until < clock_timestamp() end
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
reset role;
revoke create on schema knowlog from knowlog_definer;
