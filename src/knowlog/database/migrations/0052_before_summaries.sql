-- Summaries of documents, collections, topics and spans of time.

-- What of a version could stand in a summary: its best sentences, each with its span. Made once for a version and a method, so
-- that a collection's summary reads again only what has changed. It goes with its document.
create table knowlog.document_digests (
    tenant_id   uuid not null,
    document_id uuid not null,
    version     integer not null,
    method      text not null,
    kept        jsonb not null,
    made_at     timestamptz not null default now(),
    primary key (tenant_id, document_id, method),
    foreign key (tenant_id, document_id) references knowlog.documents on delete cascade
);

-- Many summaries, one of each document of a collection, made one after the other: `after_document` is how far that is, and
-- `stopped` why it does not go on. Whether it waits or runs is told by the newest job about it.
create table knowlog.summary_batches (
    tenant_id      uuid not null references knowlog.tenants on delete cascade,
    batch_id       uuid not null,
    collection_id  uuid not null,
    wanted         jsonb not null,
    subjects       uuid[],
    total          integer not null,
    done           integer not null default 0,
    reused         integer not null default 0,
    failed         integer not null default 0,
    llm_tokens     bigint not null default 0,
    most_tokens    bigint,
    most_documents integer,
    after_document uuid,
    stopped        text,
    created_at     timestamptz not null default now(),
    created_by     text not null,
    finished_at    timestamptz,
    primary key (tenant_id, batch_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create index summary_batches_of_collection on knowlog.summary_batches (tenant_id, collection_id);

-- A summary is its asker's: `created_by`. `subjects` are those for whom the asker stood, null: it saw everything; it is made of
-- what they see. `profile` is a digest of all that decides what is written, `made_from` one of the documents and their versions:
-- where both are the same, a summary is not made again. `content` comes with `made_at`.
create table knowlog.summaries (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    summary_id    uuid not null,
    collection_id uuid not null,
    document_id   uuid,
    batch_id      uuid,
    wanted        jsonb not null,
    profile       text not null,
    subjects      uuid[],
    made_from     text,
    content       jsonb,
    created_at    timestamptz not null default now(),
    created_by    text not null,
    made_at       timestamptz,
    primary key (tenant_id, summary_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade,
    foreign key (tenant_id, document_id) references knowlog.documents on delete cascade,
    foreign key (tenant_id, batch_id) references knowlog.summary_batches on delete set null (batch_id),
    check ((content is null) = (made_at is null))
);
create index summaries_of_collection on knowlog.summaries (tenant_id, collection_id);
create index summaries_of_document on knowlog.summaries (tenant_id, document_id);
create index summaries_of_batch on knowlog.summaries (tenant_id, batch_id);
create index summaries_of_asker on knowlog.summaries (tenant_id, created_by, summary_id);
create index summaries_by_profile on knowlog.summaries (tenant_id, profile, made_from);

-- The documents that a summary rests on, and the version of each that was read.
create table knowlog.summary_sources (
    tenant_id   uuid not null,
    summary_id  uuid not null,
    document_id uuid not null,
    version     integer not null,
    primary key (tenant_id, summary_id, document_id),
    foreign key (tenant_id, summary_id) references knowlog.summaries on delete cascade
);
create index summary_sources_of_document on knowlog.summary_sources (tenant_id, document_id);

grant select, insert, update, delete on
    knowlog.document_digests, knowlog.summary_batches, knowlog.summaries, knowlog.summary_sources
    to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- Whether this transaction may see every document that a summary rests on. One that is gone nobody sees.
create function knowlog.sees_sources(summary uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select not exists (
        select from summary_sources s
        left join documents d on d.tenant_id = s.tenant_id and d.document_id = s.document_id
        where s.tenant_id = tenant() and s.summary_id = summary
          and (d.document_id is null
               or not case when d.audience is null then d.collection_id <> all ((select closed_collections())::uuid[])
                           else d.audience && (select subjects()) end))
$$;

create policy audience on knowlog.summaries as restrictive to knowlog_app using (
    (select knowlog.sees_all()) or knowlog.sees_sources(summary_id));
do $$
declare
    name text;
begin
    foreach name in array array['document_digests', 'summary_sources'] loop
        execute format(
            'create policy audience on knowlog.%1$I as restrictive to knowlog_app using (
                 (select knowlog.sees_all())
                 or (select true from knowlog.documents d
                     where d.tenant_id = %1$I.tenant_id and d.document_id = %1$I.document_id))', name);
    end loop;
end $$;

-- Who asks for a summary writes the job; it is seen by those who see the summary.
drop policy audience on knowlog.events;
create policy audience on knowlog.events as restrictive to knowlog_app using (
    (select knowlog.unlimited())
    or case when type like 'document.%' then
                (select true from knowlog.documents d
                 where d.tenant_id = events.tenant_id and d.document_id = events.subject)
                or exists (select from knowlog.deletion_receipts r
                           where r.tenant_id = events.tenant_id and r.document_id = events.subject)
            when type = 'collection.deleted' then audience is null or audience && (select knowlog.subjects())
            when type like 'collection.%' then
                exists (select from knowlog.collections c
                        where c.tenant_id = events.tenant_id and c.collection_id = events.subject)
            when type = 'summary.requested' then
                exists (select from knowlog.summaries u
                        where u.tenant_id = events.tenant_id and u.summary_id = events.subject)
            when type = 'summary_batch.requested' then
                exists (select from knowlog.summary_batches b
                        where b.tenant_id = events.tenant_id and b.batch_id = events.subject)
            else false end);

-- How many summaries rest on a document, whoever asked for them: a receipt says it.
create function knowlog.summaries_resting_on(documents uuid[]) returns bigint
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(distinct s.summary_id) from summary_sources s
    where s.tenant_id = tenant() and s.document_id = any(documents)
$$;

-- With a document go the summaries that rest on it, whoever asked for them.
create function knowlog.drop_summaries() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    delete from summaries u using gone g, summary_sources s
    where s.tenant_id = g.tenant_id and s.document_id = g.document_id
      and u.tenant_id = s.tenant_id and u.summary_id = s.summary_id;
    return null;
end $$;
create trigger documents_unsummarised after delete on knowlog.documents
referencing old table as gone for each statement execute function knowlog.drop_summaries();

-- Another version answers: what rests on the document, and what is of its whole collection, is made anew soon, once for all
-- that changes meanwhile.
create function knowlog.renew_summaries() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    if not exists (select from summaries u where u.tenant_id = new.tenant_id and u.collection_id = new.collection_id) then
        return null;
    end if;
    insert into events (tenant_id, event_id, type, subject, data, state, due_at)
    select u.tenant_id,
           (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
            || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
           'summary.requested', u.summary_id, jsonb_build_object('collection_id', u.collection_id), 'waiting',
           clock_timestamp() + interval '5 seconds'
    from summaries u
    where u.tenant_id = new.tenant_id and u.collection_id = new.collection_id and u.made_at is not null
      and (u.document_id is null or u.document_id = new.document_id)
      and coalesce((u.wanted ->> 'renewed')::boolean, false)
      and not exists (select from events e where e.tenant_id = u.tenant_id and e.subject = u.summary_id
                                             and e.state = 'waiting');
    if found then
        perform pg_notify('knowlog_work', '');
    end if;
    return null;
end $$;
create trigger documents_summarised_anew after update of version on knowlog.documents
for each row when (old.version is distinct from new.version) execute function knowlog.renew_summaries();

select knowlog.give_to_definer('knowlog_app', array[
    'sees_sources(uuid)', 'summaries_resting_on(uuid[])', 'drop_summaries()', 'renew_summaries()']);
