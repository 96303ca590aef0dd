-- Each tenant's log is followed by itself: by position, up to where it is whole, whatever other transactions run.

-- Whoever appends holds a shared lock of the tenant until the end of the transaction, taken before the first position is
-- given. So an event with a smaller position than one that is seen has been committed, or its writer is among
-- `writers_of_log()`: a reader that has seen those end misses nothing. Readers lock nothing and hold up nobody.
-- Outside a tenant's transaction nothing is locked; nothing appends there.
create function knowlog.enter_log() returns trigger language plpgsql as $$
begin
    perform pg_catalog.pg_advisory_xact_lock_shared(1802465132, pg_catalog.hashtext(
        nullif(pg_catalog.current_setting('knowlog.tenant', true), '')::pg_catalog.uuid::pg_catalog.text));
    return null;
end $$;
create trigger enter_log before insert on knowlog.events for each statement execute function knowlog.enter_log();

-- The other transactions that have appended to the tenant's log and have not ended.
create function knowlog.writers_of_log() returns setof text language sql volatile as $$
    select l.virtualtransaction from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 2 and l.granted and l.pid <> pg_catalog.pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
      and l.classid = 1802465132::oid and l.objid = pg_catalog.hashtext(knowlog.tenant()::text)::oid
$$;

-- Where the tenant's log ends, as far as it is seen.
create function knowlog.end_of_log() returns bigint language sql stable as $$
    select coalesce((select e.position from knowlog.events e where e.tenant_id = knowlog.tenant()
                     order by e.position desc limit 1), 0)
$$;

drop index knowlog.events_log;
create index events_log on knowlog.events (tenant_id, position);

-- What a tenant is shown of a position is encrypted with a key of its own: positions count what all tenants do.
alter table knowlog.tenants
    add column log_key bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());

-- How far a webhook has come. `xid` and `position` are read by processes of the version before this one alone. In between
-- both may deliver something; nothing is left out.
alter table knowlog.webhooks
    add column place bigint not null default 0, alter column place set default knowlog.end_of_log(),
    alter column xid set default '0', alter column position set default 0;
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
update knowlog.webhooks w set place = coalesce(
    (select min(e.position) - 1 from knowlog.events e
     where e.tenant_id = w.tenant_id and (e.xid, e.position) > (w.xid, w.position)),
    (select max(e.position) from knowlog.events e where e.tenant_id = w.tenant_id), 0);

-- Active webhooks behind which there are events, and that have room for deliveries: fewer than half of `window_size` under
-- way. The longest not served come first.
create or replace function knowlog.webhooks_behind(window_size integer, most integer)
returns table (tenant_id uuid, endpoint_id uuid)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select w.tenant_id, w.endpoint_id
    from webhooks w
    where w.state = 'active'
      and exists (select from events e where e.tenant_id = w.tenant_id and e.position > w.place)
      and (select count(*) from (
               select from events e
               where e.tenant_id = w.tenant_id and e.data ->> 'endpoint_id' = w.endpoint_id::text
                 and e.type = 'delivery.requested' and e.state in ('waiting', 'running')
               limit window_size) u) * 2 < window_size
    order by w.place limit most
$$;
reset role;
revoke create on schema knowlog from knowlog_definer;
