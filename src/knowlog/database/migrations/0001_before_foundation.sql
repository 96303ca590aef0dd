-- The first tables. Three laws hold for every table that follows, and tests/integration/database reads the catalog for them:
--   tenant_id leads every primary key and every unique index;
--   row-level security is enabled and FORCEd, with USING and WITH CHECK on the tenant that the transaction names;
--   the application's role owns nothing and cannot TRUNCATE.
-- Where a function must look across tenants or past a policy's cost, it is SECURITY DEFINER, owned by knowlog_definer,
-- whose own policy is USING (true): no BYPASSRLS is needed, so that managed servers will do.

create table knowlog.tenants (
    tenant_id   uuid primary key,
    name        text not null check (length(name) between 1 and 200),
    created_at  timestamptz not null default now()
);

create table knowlog.api_keys (
    tenant_id    uuid not null references knowlog.tenants on delete cascade,
    key_id       uuid not null,
    name         text not null check (length(name) between 1 and 200),
    secret_hash  bytea not null,
    hint         text not null,
    role         text not null check (role in ('owner', 'admin', 'editor', 'reader')),
    collections  uuid[],
    created_at   timestamptz not null default now(),
    created_by   text not null,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    primary key (tenant_id, key_id),
    unique (tenant_id, secret_hash)
);

create table knowlog.collections (
    tenant_id       uuid not null references knowlog.tenants on delete cascade,
    collection_id   uuid not null,
    name            text not null check (length(name) between 1 and 200),
    profile         jsonb not null,
    profile_version integer not null default 1,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    primary key (tenant_id, collection_id),
    unique (tenant_id, name)
);

-- A document is a source with a stable identity. `version` is the one that answers questions (null until the first is
-- indexed); `latest` is the newest received. State and reason speak of the latest.
create table knowlog.documents (
    tenant_id     uuid not null,
    document_id   uuid not null,
    collection_id uuid not null,
    external_id   text not null check (length(external_id) between 1 and 2000),
    title         text not null,
    title_given   boolean not null,
    metadata      jsonb not null default '{}',
    version       integer,
    latest        integer not null,
    state         text not null check (state in ('received', 'parsing', 'embedding', 'indexed', 'failed')),
    reason        text,
    attempts      integer not null default 0,
    revision      integer not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (tenant_id, document_id),
    unique (tenant_id, collection_id, external_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create index documents_listing on knowlog.documents (tenant_id, collection_id, created_at, document_id);
create index documents_by_state on knowlog.documents (tenant_id, state) where state <> 'indexed';

-- One immutable state of a document's content. text and structure are null until it is parsed.
create table knowlog.versions (
    tenant_id    uuid not null,
    document_id  uuid not null,
    version      integer not null,
    blob         text not null,
    content_hash bytea not null,
    size_bytes   bigint not null,
    filename     text not null,
    media_type   text,
    text         text,
    structure    jsonb,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, document_id, version),
    foreign key (tenant_id, document_id) references knowlog.documents on delete cascade
);

-- Spans of a version's text: text = versions.text[start_offset:end_offset], copied so that a hit costs one row.
create table knowlog.chunks (
    tenant_id     uuid not null,
    chunk_id      bigint generated always as identity,
    collection_id uuid not null,
    document_id   uuid not null,
    version       integer not null,
    ordinal       integer not null,
    start_offset  integer not null,
    end_offset    integer not null,
    page          integer,
    headings      text[] not null,
    text          text not null,
    primary key (tenant_id, chunk_id),
    unique (tenant_id, document_id, version, ordinal),
    foreign key (tenant_id, document_id, version) references knowlog.versions on delete cascade
);

-- One vector for each chunk and embedding key; vectors of different keys are never compared.
-- content_hash finds the vector of a text that this tenant has embedded before.
create table knowlog.vectors (
    tenant_id     uuid not null,
    collection_id uuid not null,
    embedding_key text not null,
    chunk_id      bigint not null,
    document_id   uuid not null,
    content_hash  uuid not null,
    embedding     halfvec not null,
    primary key (tenant_id, collection_id, embedding_key, chunk_id),
    foreign key (tenant_id, chunk_id) references knowlog.chunks on delete cascade
);
alter table knowlog.vectors alter column embedding set storage plain;
create index vectors_by_chunk on knowlog.vectors (tenant_id, chunk_id);
create index vectors_by_content on knowlog.vectors (tenant_id, embedding_key, content_hash);

-- What BM25 must know of a collection: number of chunks, their total length in lexemes, and in how many a lexeme is.
-- Writers only append to the *_changes tables; a worker folds them in. So no row is hot.
create table knowlog.collection_statistics (
    tenant_id     uuid not null,
    collection_id uuid not null,
    chunk_count   bigint not null,
    total_length  bigint not null,
    primary key (tenant_id, collection_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create table knowlog.term_statistics (
    tenant_id     uuid not null,
    collection_id uuid not null,
    term          integer not null,
    chunk_count   bigint not null,
    primary key (tenant_id, collection_id, term),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create table knowlog.statistics_changes (
    tenant_id     uuid not null,
    collection_id uuid not null,
    change_id     bigint generated always as identity,
    chunk_count   integer not null,
    total_length  bigint not null,
    terms         integer[] not null,
    counts        integer[] not null,
    primary key (tenant_id, collection_id, change_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);

-- The outbox: what happened, written in the transaction that made it happen. Events of a type that has a handler are
-- also the queue of work: claimed by lease, oldest of a subject first.
create table knowlog.events (
    tenant_id    uuid not null references knowlog.tenants on delete cascade,
    event_id     uuid not null,
    position     bigint generated always as identity,
    type         text not null,
    subject      uuid not null,
    data         jsonb not null,
    created_at   timestamptz not null default now(),
    state        text not null check (state in ('waiting', 'running', 'done', 'failed', 'none')),
    attempts     integer not null default 0,
    due_at       timestamptz not null default now(),
    lease_until  timestamptz,
    worker       text,
    reason       text,
    finished_at  timestamptz,
    primary key (tenant_id, event_id)
);
create index events_queue on knowlog.events (position) where state in ('waiting', 'running');
create index events_running on knowlog.events (worker) where state = 'running';
create index events_subject on knowlog.events (tenant_id, subject, position);

-- Idempotency-Key: the answer given to a key, so that a repeated request gets the same one.
create table knowlog.idempotency_keys (
    tenant_id    uuid not null references knowlog.tenants on delete cascade,
    principal    text not null,
    key          text not null check (length(key) between 1 and 255),
    request_hash bytea not null,
    status       integer,
    response     jsonb,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, principal, key)
);

-- What was deleted, when, how much, and the proof.
create table knowlog.deletion_receipts (
    tenant_id    uuid not null references knowlog.tenants on delete cascade,
    receipt_id   uuid not null,
    document_id  uuid not null,
    receipt      jsonb not null,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, receipt_id)
);

-- Work of the bus across tenants: claim the oldest unfinished event of each subject, for `lease` seconds. What the worker
-- still holds (a lease may run out under load) is not claimed anew; what it claimed without hearing of it, is.
create function knowlog.claim_events(worker_name text, lease interval, most integer, held uuid[])
returns table (tenant_id uuid, event_id uuid, type text, subject uuid, data jsonb, attempts integer)
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with claimable as (
        select e.tenant_id, e.event_id
        from events e
        where e.state in ('waiting', 'running')
          and case e.state when 'waiting' then e.due_at <= clock_timestamp()
                           else e.lease_until < clock_timestamp() and e.event_id <> all(held) end
          and not exists (
              select from events earlier
              where earlier.tenant_id = e.tenant_id and earlier.subject = e.subject
                and earlier.position < e.position and earlier.state in ('waiting', 'running'))
        order by e.position
        limit most
        for update skip locked)
    update events e
    set state = 'running', worker = worker_name, attempts = e.attempts + 1,
        lease_until = clock_timestamp() + lease
    from claimable c
    where e.tenant_id = c.tenant_id and e.event_id = c.event_id
    returning e.tenant_id, e.event_id, e.type, e.subject, e.data, e.attempts
$$;

-- Heartbeat: keep what a worker is still working on. What it is about to finish is locked by its own transaction and
-- passed over: waiting for that would let the other leases run out, and nobody can claim a locked event.
create function knowlog.extend_leases(worker_name text, lease interval, event_ids uuid[])
returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with held as (
        select e.tenant_id, e.event_id from events e
        where e.event_id = any(event_ids) and e.state = 'running' and e.worker = worker_name
        for update skip locked),
    kept as (
        update events e set lease_until = clock_timestamp() + lease from held h
        where e.tenant_id = h.tenant_id and e.event_id = h.event_id
        returning 1)
    select count(*) from kept
$$;

-- How deep the queue is, for metrics and doctor: counts by state, age of the oldest waiting event in seconds.
create function knowlog.queue_depth()
returns table (waiting bigint, running bigint, failed bigint, oldest_s double precision)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*) filter (where e.state = 'waiting'), count(*) filter (where e.state = 'running'),
           (select count(*) from events f where f.state = 'failed'),
           coalesce(extract(epoch from clock_timestamp() - min(e.created_at)
                    filter (where e.state = 'waiting')), 0)::double precision
    from events e where e.state in ('waiting', 'running')
$$;

-- Tenants are the operator's business.
create function knowlog.create_tenant(id uuid, tenant_name text) returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    insert into tenants (tenant_id, name) values (id, tenant_name)
$$;
create function knowlog.list_tenants(after_id uuid, most integer)
returns table (tenant_id uuid, name text, created_at timestamptz, documents bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select t.tenant_id, t.name, t.created_at,
           (select count(*) from documents d where d.tenant_id = t.tenant_id)
    from tenants t where after_id is null or t.tenant_id > after_id
    order by t.tenant_id limit most
$$;
create function knowlog.delete_tenant(id uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.fold_statistics'));  -- both touch many rows, in different orders
    delete from tenants where tenant_id = id;
    return found;
end $$;

-- Answers to idempotency keys are kept for a day or longer.
create function knowlog.forget_idempotency_keys(older_than interval) returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with gone as (delete from idempotency_keys where created_at < now() - older_than returning 1)
    select count(*) from gone
$$;

grant usage on schema knowlog to knowlog_app, knowlog_system, knowlog_definer;
grant select on knowlog.tenants to knowlog_app;
grant select, insert, update, delete on
    knowlog.api_keys, knowlog.collections, knowlog.documents, knowlog.versions, knowlog.chunks, knowlog.vectors,
    knowlog.events, knowlog.idempotency_keys, knowlog.deletion_receipts,
    knowlog.collection_statistics, knowlog.term_statistics, knowlog.statistics_changes
to knowlog_app;
grant select, insert, update, delete on all tables in schema knowlog to knowlog_definer;
grant usage on all sequences in schema knowlog to knowlog_app, knowlog_definer;

select knowlog.protect_tables();
select knowlog.give_to_definer('knowlog_system', array[
    'claim_events(text, interval, integer, uuid[])', 'extend_leases(text, interval, uuid[])', 'queue_depth()',
    'create_tenant(uuid, text)', 'list_tenants(uuid, integer)', 'delete_tenant(uuid)',
    'forget_idempotency_keys(interval)']);
