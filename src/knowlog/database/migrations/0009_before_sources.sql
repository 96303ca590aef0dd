-- Sources: topics of the operator's brokers from which documents of a tenant come in.

-- Who reads a source holds it until `reader_until`, where the broker does not keep messages of one key in order by itself.
-- `trouble` says why nothing is read at the moment. Without a collection (it was deleted) nothing is read either.
create table knowlog.sources (
    tenant_id       uuid not null references knowlog.tenants on delete cascade,
    source_id       uuid not null,
    name            text not null check (length(name) between 1 and 200),
    kind            text not null check (kind in ('redis', 'rabbitmq', 'kafka')),
    topic           text not null check (length(topic) between 1 and 249),
    collection_id   uuid,
    format          text not null check (format in ('cloudevents', 'plain')),
    mapping         jsonb not null default '{}',
    state           text not null default 'active' check (state in ('active', 'paused')),
    trouble         text,
    trouble_since   timestamptz,
    reader          text,
    reader_until    timestamptz,
    taken           bigint not null default 0,
    repeated        bigint not null default 0,
    dead            bigint not null default 0,
    last_message_at timestamptz,
    created_at      timestamptz not null default now(),
    created_by      text not null,
    primary key (tenant_id, source_id),
    unique (tenant_id, name),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete set null (collection_id)
);
create index sources_of_topic on knowlog.sources (kind, topic);
create index sources_of_collection on knowlog.sources (tenant_id, collection_id);

-- Which messages were taken: a row is written in the transaction of the message's effect. `producer` is the `source` of a
-- CloudEvent, within which its id is unique; empty for plain messages.
create table knowlog.inbox (
    tenant_id    uuid not null,
    source_id    uuid not null,
    producer     text not null check (length(producer) <= 255),
    message_id   text not null check (length(message_id) between 1 and 255),
    content_hash bytea not null,
    received_at  timestamptz not null default now(),
    primary key (tenant_id, source_id, producer, message_id),
    foreign key (tenant_id, source_id) references knowlog.sources on delete cascade
);
create index inbox_age on knowlog.inbox (received_at);

-- Messages that could not be taken, with the cause. A large body lies in the blob store. `withheld` bodies name another
-- tenant: they are kept for the operator, and shown to nobody else.
create table knowlog.dead_letters (
    tenant_id      uuid not null,
    dead_letter_id uuid not null,
    source_id      uuid not null,
    message_id     text,
    place          text not null,
    key            text not null,
    headers        jsonb not null,
    cause          text not null,
    body           bytea,
    blob           text,
    size_bytes     bigint not null,
    withheld       boolean not null,
    received_at    timestamptz not null default now(),
    replayed_at    timestamptz,
    primary key (tenant_id, dead_letter_id),
    foreign key (tenant_id, source_id) references knowlog.sources on delete cascade,
    check ((body is null) <> (blob is null))
);
create index dead_letters_listing on knowlog.dead_letters (tenant_id, received_at, dead_letter_id);
create index dead_letters_of_source on knowlog.dead_letters (tenant_id, source_id) where replayed_at is null;

grant select, update on knowlog.sources to knowlog_app;
grant select, insert, update, delete on knowlog.inbox, knowlog.dead_letters to knowlog_app;
grant select, insert, update, delete on knowlog.sources, knowlog.inbox, knowlog.dead_letters to knowlog_definer;
select knowlog.protect_tables();

-- The operator alone makes sources, since a topic may hold anybody's data. A topic has one source: false when it has.
create function knowlog.create_source(
    tenant uuid, id uuid, source_name text, broker text, source_topic text, collection uuid, message_format text,
    members jsonb, author text)
returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.create_source'));
    if exists (select from sources s where s.kind = broker and s.topic = source_topic) then
        return false;
    end if;
    insert into sources (tenant_id, source_id, name, kind, topic, collection_id, format, mapping, created_by)
    values (tenant, id, source_name, broker, source_topic, collection, message_format, members, author);
    return true;
end $$;

create function knowlog.delete_source(tenant uuid, id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with gone as (delete from sources s where s.tenant_id = tenant and s.source_id = id returning 1)
    select exists (select from gone)
$$;

-- What workers read: active sources of all tenants.
create function knowlog.active_sources()
returns table (tenant_id uuid, source_id uuid, name text, kind text, topic text, collection_id uuid, format text, mapping jsonb,
               trouble text)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select s.tenant_id, s.source_id, s.name, s.kind, s.topic, s.collection_id, s.format, s.mapping, s.trouble
    from sources s where s.state = 'active' order by s.tenant_id, s.source_id
$$;

-- For metrics and `knowlog doctor`.
create function knowlog.source_health()
returns table (kind text, active bigint, troubled bigint, trouble text, dead bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select s.kind, count(*) filter (where s.state = 'active'),
           count(*) filter (where s.state = 'active' and s.trouble is not null),
           min(s.trouble) filter (where s.state = 'active'),
           coalesce(sum((select count(*) from dead_letters d
                         where d.tenant_id = s.tenant_id and d.source_id = s.source_id and d.replayed_at is null)), 0)::bigint
    from sources s group by s.kind order by s.kind
$$;

create function knowlog.forget_inbox(older_than interval, most integer) returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with old as (
        select i.tenant_id, i.source_id, i.producer, i.message_id from inbox i
        where i.received_at < now() - older_than order by i.received_at limit most for update skip locked),
    gone as (
        delete from inbox i using old o
        where i.tenant_id = o.tenant_id and i.source_id = o.source_id and i.producer = o.producer
          and i.message_id = o.message_id
        returning 1)
    select count(*) from gone
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'create_source(uuid, uuid, text, text, text, uuid, text, jsonb, text)', 'delete_source(uuid, uuid)',
    'active_sources()', 'source_health()', 'forget_inbox(interval, integer)']);
