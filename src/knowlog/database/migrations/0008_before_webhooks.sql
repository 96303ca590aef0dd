-- Webhooks: addresses of a tenant's own to which its events are sent.

-- (xid, position) is how far the webhook has followed the tenant's log. What lies behind it becomes deliveries, a window
-- at a time: an endpoint that is down leaves its events in the log, not in the queue. `types` holds `*` for all; signatures
-- are made with `secret`, and until `old_secret_until` also with the one before.
create table knowlog.webhooks (
    tenant_id        uuid not null references knowlog.tenants on delete cascade,
    endpoint_id      uuid not null,
    url              text not null check (length(url) between 1 and 2000),
    description      text not null check (length(description) <= 200),
    types            text[] not null check (cardinality(types) > 0),
    collections      uuid[],
    secret           text not null,
    old_secret       text,
    old_secret_until timestamptz,
    state            text not null default 'active' check (state in ('active', 'disabled')),
    reason           text,
    failures         integer not null default 0,
    failing_since    timestamptz,
    resting_until    timestamptz,
    delivered_at     timestamptz,
    xid              xid8 not null,
    position         bigint not null,
    created_at       timestamptz not null default now(),
    created_by       text not null,
    primary key (tenant_id, endpoint_id)
);

-- How far a reader that follows the log of all tenants has come. Its row belongs to no tenant: the id is all zeros.
create table knowlog.log_readers (
    tenant_id uuid not null check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    reader    text not null,
    xid       xid8 not null,
    position  bigint not null,
    primary key (tenant_id, reader)
);
grant select, insert, update, delete on knowlog.webhooks to knowlog_app, knowlog_definer;
grant select, insert, update, delete on knowlog.log_readers to knowlog_definer;
select knowlog.protect_tables();

create index events_deliveries on knowlog.events (tenant_id, (data ->> 'endpoint_id'), position)
    where type = 'delivery.requested';
create index events_undelivered on knowlog.events (tenant_id, (data ->> 'endpoint_id'))
    where type = 'delivery.requested' and state in ('waiting', 'running');

-- Active webhooks behind which there are events that nothing can precede any more, and that have room for deliveries:
-- fewer than half of `window_size` under way. The longest not served come first.
create function knowlog.webhooks_behind(window_size integer, most integer)
returns table (tenant_id uuid, endpoint_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select w.tenant_id, w.endpoint_id
    from webhooks w
    where w.state = 'active'
      and exists (select from events e
                  where e.tenant_id = w.tenant_id and (e.xid, e.position) > (w.xid, w.position)
                    and e.xid < pg_snapshot_xmin(pg_current_snapshot()))
      and (select count(*) from (
               select from events e
               where e.tenant_id = w.tenant_id and e.data ->> 'endpoint_id' = w.endpoint_id::text
                 and e.type = 'delivery.requested' and e.state in ('waiting', 'running')
               limit window_size) u) * 2 < window_size
    order by w.xid, w.position limit most
$$;

-- Let the reader `name` go on: events of these types behind where it has come, in the order of the log, as far as no
-- transaction that still runs can come before. It looks at `most` events, and stays where they end when the caller commits.
-- Another caller meanwhile gets none. A new reader begins at the present.
create function knowlog.follow_events(name text, types text[], most integer)
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer, created_at timestamptz)
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    here record;
    last record;
begin
    select r.xid, r.position into here from log_readers r
    where r.tenant_id = nobody and r.reader = name for update skip locked;
    if not found then
        if not exists (select from log_readers r where r.tenant_id = nobody and r.reader = name) then
            insert into log_readers values (nobody, name, pg_snapshot_xmin(pg_current_snapshot()), 0)
            on conflict do nothing;
        end if;
        return;
    end if;
    select x.xid, x.position into last from (
        select e.xid, e.position from events e
        where (e.xid, e.position) > (here.xid, here.position) and e.xid < pg_snapshot_xmin(pg_current_snapshot())
        order by e.xid, e.position limit most) x
    order by x.xid desc, x.position desc limit 1;
    if not found then
        return;
    end if;
    return query
        select e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts, e.created_at from events e
        where (e.xid, e.position) > (here.xid, here.position) and (e.xid, e.position) <= (last.xid, last.position)
          and e.type = any(types)
        order by e.xid, e.position;
    update log_readers r set xid = last.xid, position = last.position where r.tenant_id = nobody and r.reader = name;
end $$;

-- For metrics and `knowlog doctor`: webhooks that were disabled because they failed, and the age of the oldest delivery
-- that is still to be made.
create function knowlog.webhook_health() returns table (disabled bigint, failing bigint, undelivered bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (select count(*) from webhooks w where w.state = 'disabled' and w.failing_since is not null),
           (select count(*) from webhooks w where w.state = 'active' and w.failing_since is not null),
           count(*), coalesce(extract(epoch from clock_timestamp() - min(e.created_at)), 0)::double precision
    from events e where e.type = 'delivery.requested' and e.state in ('waiting', 'running')
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'webhooks_behind(integer, integer)', 'follow_events(text, text[], integer)', 'webhook_health()']);
