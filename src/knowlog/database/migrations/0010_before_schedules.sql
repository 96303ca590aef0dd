-- Schedules; when an attempt began; what an idle worker asks; how deep the queues are; turns of the house-keeping.

-- What is due again and again. Whoever fires one writes an event whose id follows from the schedule and the time that was
-- due, and moves `next_at` in the same transaction, under the row's lock.
create table knowlog.schedules (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    schedule_id   uuid not null,
    name          text not null check (length(name) between 1 and 200),
    collection_id uuid not null,
    type          text not null,
    data          jsonb not null,
    cron          text,
    every_s       integer check (every_s > 0),
    timezone      text not null,
    enabled       boolean not null default true,
    next_at       timestamptz not null,
    last_at       timestamptz,
    created_at    timestamptz not null default now(),
    created_by    text not null,
    primary key (tenant_id, schedule_id),
    unique (tenant_id, name),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade,
    check ((cron is null) <> (every_s is null))
);
create index schedules_due on knowlog.schedules (next_at) where enabled;
create index schedules_of_collection on knowlog.schedules (tenant_id, collection_id);
grant select, insert, update, delete on knowlog.schedules to knowlog_app, knowlog_definer;

create function knowlog.due_schedules(most integer) returns table (tenant_id uuid, schedule_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select s.tenant_id, s.schedule_id from schedules s
    where s.enabled and s.next_at <= clock_timestamp() order by s.next_at limit most
$$;

-- Seconds until the next schedule is due; null where none is.
create function knowlog.next_schedule_s() returns double precision
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select extract(epoch from min(s.next_at) - clock_timestamp())::double precision from schedules s where s.enabled
$$;

-- Is anything waiting or running? Two index probes, for a worker that wonders how long it may sleep.
create function knowlog.work_is_unfinished() returns boolean
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select exists (select from events e where e.state = 'waiting') or exists (select from events e where e.state = 'running')
$$;

-- Unfinished and failed work by tenant and type, for the operator.
create function knowlog.queue_overview()
returns table (tenant_id uuid, tenant text, weight integer, type text, waiting bigint, running bigint, failed bigint,
               oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with counted as (
        select e.tenant_id, e.type, e.state, count(*) as n, min(e.created_at) as oldest
        from events e where e.state = 'waiting' group by 1, 2, 3
        union all
        select e.tenant_id, e.type, e.state, count(*), null from events e where e.state = 'running' group by 1, 2, 3
        union all
        select e.tenant_id, e.type, e.state, count(*), null from events e where e.state = 'failed' group by 1, 2, 3)
    select t.tenant_id, t.name, t.weight, c.type,
           coalesce(sum(c.n) filter (where c.state = 'waiting'), 0)::bigint,
           coalesce(sum(c.n) filter (where c.state = 'running'), 0)::bigint,
           coalesce(sum(c.n) filter (where c.state = 'failed'), 0)::bigint,
           extract(epoch from clock_timestamp() - min(c.oldest))::double precision
    from counted c join tenants t using (tenant_id)
    group by t.tenant_id, t.name, t.weight, c.type
    order by t.name, t.tenant_id, c.type
$$;

-- House-keeping that one worker does for all: true for the first that asks after `every` has passed. When it was done last
-- is kept as the value of a sequence, in seconds: there is one for the installation, and a sequence is no tenant's row.
create sequence knowlog.turn_hourly minvalue 0 start 0;
create sequence knowlog.turn_near_indexes minvalue 0 start 0;
grant select, update on sequence knowlog.turn_hourly, knowlog.turn_near_indexes to knowlog_definer;
create function knowlog.take_turn(step text, every interval) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    now_s bigint;
    last_s bigint;
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.turn_' || step));
    now_s := extract(epoch from clock_timestamp());
    execute format('select last_value from knowlog.%I', 'turn_' || step) into last_s;
    if now_s between last_s and last_s + extract(epoch from every) - 1 then
        return false;
    end if;
    perform setval('knowlog.turn_' || step, now_s);
    return true;
end $$;

-- When the last attempt began: every claim counts one, however it was made.
alter table knowlog.events add column started_at timestamptz;
create function knowlog.note_start() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.started_at := clock_timestamp();
    return new;
end $$;
create trigger events_started before update of attempts on knowlog.events
for each row when (new.attempts > old.attempts) execute function knowlog.note_start();

select knowlog.protect_tables();
select knowlog.give_to_definer('knowlog_system', array[
    'due_schedules(integer)', 'next_schedule_s()', 'work_is_unfinished()', 'queue_overview()',
    'take_turn(text, interval)']);
