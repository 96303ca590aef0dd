-- The audit log: who did what, when, from where. Append-only: nobody has a grant to write these tables, and each record
-- carries the hash of the one before.

-- `record` is the record as canonical JSON: members in the order of their names, no blanks, UTF-8. The other columns are
-- read from it by the database, so that they cannot say anything else. `hash` is its SHA-256.
-- No foreign key: the operator's own chain belongs to no tenant; its id is all zeros.
create table knowlog.audit_records (
    tenant_id uuid not null,
    sequence  bigint not null check (sequence > 0),
    record    text not null,
    hash      bytea not null check (length(hash) = 32),
    at        text not null generated always as (record::jsonb ->> 'at') stored,
    action    text not null generated always as (record::jsonb ->> 'action') stored,
    actor     text not null generated always as (record::jsonb ->> 'actor') stored,
    subject   text generated always as (record::jsonb ->> 'subject') stored,
    primary key (tenant_id, sequence)
);
create index audit_records_by_action on knowlog.audit_records (tenant_id, action, sequence);
create index audit_records_by_actor on knowlog.audit_records (tenant_id, actor, sequence);
create index audit_records_by_subject on knowlog.audit_records (tenant_id, subject, sequence);

-- The newest record of each chain: whoever appends locks it.
create table knowlog.audit_heads (
    tenant_id uuid primary key,
    sequence  bigint not null default 0,
    hash      bytea not null default decode(repeat('00', 32), 'hex')
) with (fillfactor = 50);

-- What a transaction has to say until it commits. Empty between transactions.
create table knowlog.audit_waiting (
    tenant_id  uuid not null,
    entry_id   bigint generated always as identity,
    action     text not null check (length(action) between 1 and 100),
    actor      text not null check (length(actor) between 1 and 200),
    subject    text check (length(subject) <= 500),
    detail     text not null check (length(detail) <= 16384 and detail::jsonb is not null),
    address    text check (length(address) <= 100),
    user_agent text check (length(user_agent) <= 500),
    request_id text check (length(request_id) <= 100),
    primary key (tenant_id, entry_id)
);
grant select on knowlog.audit_records, knowlog.audit_heads to knowlog_app;
grant select, insert, update, delete on knowlog.audit_records, knowlog.audit_heads, knowlog.audit_waiting to knowlog_definer;
select knowlog.protect_tables();

-- At the very end of a transaction its entries become records: so a tenant's changes wait for each other only while one
-- commits, in whatever order they have locked other rows.
create function knowlog.seal_audit() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    head record;
    line text;
    digest bytea;
begin
    insert into audit_heads (tenant_id) values (new.tenant_id) on conflict do nothing;
    select h.sequence + 1 as sequence, h.hash into head from audit_heads h
    where h.tenant_id = new.tenant_id for no key update;
    line := '{"action":' || to_json(new.action)
         || ',"actor":' || to_json(new.actor)
         || ',"address":' || coalesce(to_json(new.address)::text, 'null')
         || ',"at":"' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
         || '","detail":' || new.detail
         || ',"previous":"' || encode(head.hash, 'hex')
         || '","request_id":' || coalesce(to_json(new.request_id)::text, 'null')
         || ',"sequence":' || head.sequence
         || ',"subject":' || coalesce(to_json(new.subject)::text, 'null')
         || ',"tenant_id":"' || new.tenant_id
         || '","user_agent":' || coalesce(to_json(new.user_agent)::text, 'null') || '}';
    digest := sha256(convert_to(line, 'UTF8'));
    insert into audit_records (tenant_id, sequence, record, hash) values (new.tenant_id, head.sequence, line, digest);
    update audit_heads set sequence = head.sequence, hash = digest where tenant_id = new.tenant_id;
    delete from audit_waiting where tenant_id = new.tenant_id and entry_id = new.entry_id;
    return null;
end $$;
create constraint trigger seal_audit after insert on knowlog.audit_waiting
deferrable initially deferred for each row execute function knowlog.seal_audit();

-- Say something in the chain of this transaction's tenant; and, for what the operator does, in that of any.
create function knowlog.record_audit(
    action text, actor text, subject text, detail text, address text, user_agent text, request_id text) returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    insert into audit_waiting (tenant_id, action, actor, subject, detail, address, user_agent, request_id)
    values (tenant(), action, actor, subject, detail, address, user_agent, request_id)
$$;
create function knowlog.record_audit_of(
    tenant uuid, action text, actor text, subject text, detail text, address text, user_agent text, request_id text)
returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    insert into audit_waiting (tenant_id, action, actor, subject, detail, address, user_agent, request_id)
    values (tenant, action, actor, subject, detail, address, user_agent, request_id)
$$;

-- How many chains there are, and how many of them do not end where their head says: for metrics and doctor.
create function knowlog.audit_overview() returns table (chains bigint, records bigint, cut bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*), coalesce(sum(h.sequence), 0)::bigint,
           count(*) filter (where h.sequence > 0 and not exists (
               select from audit_records r
               where r.tenant_id = h.tenant_id and r.sequence = h.sequence and r.hash = h.hash))
    from audit_heads h
$$;
select knowlog.give_to_definer('knowlog_app', array['record_audit(text, text, text, text, text, text, text)']);
select knowlog.give_to_definer('knowlog_system', array[
    'record_audit_of(uuid, text, text, text, text, text, text, text)', 'seal_audit()', 'audit_overview()']);

-- A deleted tenant's chain goes with it: no foreign key takes it along.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.delete_tenant(id uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.fold_statistics'));  -- both touch many rows, in different orders
    delete from tenants where tenant_id = id;
    if not found then
        return false;
    end if;
    delete from audit_records where tenant_id = id;
    delete from audit_heads where tenant_id = id;
    return true;
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
