-- Threads: conversations of one member, or one key. Nobody else reads them, the owner of the tenant included: besides the
-- tenant's policy, a second one asks who is calling.

-- Who is calling, where a transaction says so; to all others no thread is there.
create function knowlog.principal() returns text language sql stable parallel safe
as $$ select nullif(pg_catalog.current_setting('knowlog.principal', true), '') $$;

create table knowlog.threads (
    tenant_id  uuid not null references knowlog.tenants on delete cascade,
    thread_id  uuid not null,
    owner      text not null,
    member_id  uuid,
    key_id     uuid,
    title      text check (length(title) between 1 and 200),
    turn_count integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, thread_id),
    foreign key (tenant_id, member_id) references knowlog.members on delete cascade,
    foreign key (tenant_id, key_id) references knowlog.api_keys on delete cascade,
    check (num_nonnulls(member_id, key_id) = 1)
);
create index threads_of_owner on knowlog.threads (tenant_id, owner, updated_at, thread_id);
create index threads_of_member on knowlog.threads (tenant_id, member_id);
create index threads_of_key on knowlog.threads (tenant_id, key_id);
create index threads_by_age on knowlog.threads (tenant_id, updated_at);

-- What was asked, and how it was answered; of what documents say, nothing.
create table knowlog.turns (
    tenant_id       uuid not null,
    thread_id       uuid not null,
    turn            integer not null,
    question        text not null,
    standalone      text,
    status          text not null check (status in ('answered', 'not_in_documents')),
    statement_count integer not null,
    confidence      double precision not null,
    rung            text not null,
    pattern         text not null,
    degraded        text[] not null,
    notes           text[] not null,
    asked_at        timestamptz not null default now(),
    primary key (tenant_id, thread_id, turn),
    foreign key (tenant_id, thread_id) references knowlog.threads on delete cascade
);

-- The quotes. They go with the version that they were taken from: when its document is deleted or gets another version.
create table knowlog.turn_citations (
    tenant_id    uuid not null,
    thread_id    uuid not null,
    turn         integer not null,
    statement    integer not null,
    citation     integer not null,
    document_id  uuid not null,
    version      integer not null,
    start_offset integer not null,
    end_offset   integer not null,
    quote        text not null,
    pages        integer[] not null,
    headings     text[] not null,
    score        double precision not null,
    context      text,
    cells        text,
    flagged      boolean not null default false,
    primary key (tenant_id, thread_id, turn, statement, citation),
    foreign key (tenant_id, thread_id, turn) references knowlog.turns on delete cascade,
    foreign key (tenant_id, document_id, version) references knowlog.versions on delete cascade
);
create index turn_citations_of_version on knowlog.turn_citations (tenant_id, document_id, version);

-- What answers said, each statement with how many of its first citations it rests on: one for a quotation, all for a
-- statement that a language model wrote. It is there as long as these are, for those who may see all of them.
create table knowlog.turn_statements (
    tenant_id uuid not null,
    thread_id uuid not null,
    turn      integer not null,
    statement integer not null,
    text      text not null,
    score     double precision not null,
    answers   boolean not null,
    rests_on  integer not null check (rests_on > 0),
    primary key (tenant_id, thread_id, turn, statement),
    foreign key (tenant_id, thread_id, turn) references knowlog.turns on delete cascade
);

grant select, insert, update, delete on
    knowlog.threads, knowlog.turns, knowlog.turn_citations, knowlog.turn_statements to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

create policy private on knowlog.threads as restrictive to knowlog_app using (owner = (select knowlog.principal()));
do $$
declare
    name text;
begin
    foreach name in array array['turns', 'turn_citations', 'turn_statements'] loop
        execute format(
            'create policy private on knowlog.%1$I as restrictive to knowlog_app using (
                 (select true from knowlog.threads t
                  where t.tenant_id = %1$I.tenant_id and t.thread_id = %1$I.thread_id))', name);
    end loop;
end $$;
create policy audience on knowlog.turn_citations as restrictive to knowlog_app using (
    (select knowlog.sees_all())
    or (select true from knowlog.documents d
        where d.tenant_id = turn_citations.tenant_id and d.document_id = turn_citations.document_id));
create policy audience on knowlog.turn_statements as restrictive to knowlog_app using (
    rests_on = (select count(*) from knowlog.turn_citations c
                where c.tenant_id = turn_statements.tenant_id and c.thread_id = turn_statements.thread_id
                  and c.turn = turn_statements.turn and c.statement = turn_statements.statement
                  and c.citation <= turn_statements.rests_on));

-- What rested on a quote that is gone goes with it.
create function knowlog.forget_statement() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    delete from turn_statements s
    where s.tenant_id = old.tenant_id and s.thread_id = old.thread_id and s.turn = old.turn
      and s.statement = old.statement and s.rests_on >= old.citation;
    return null;
end $$;
create trigger citations_gone after delete on knowlog.turn_citations
for each row execute function knowlog.forget_statement();

-- How many quotes of documents stand in threads, whose ever these are: receipts of deletions count them.
create function knowlog.quotes_in_threads(documents uuid[]) returns bigint
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*) from turn_citations c where c.tenant_id = tenant() and c.document_id = any(documents)
$$;
select knowlog.give_to_definer('knowlog_app', array['forget_statement()', 'quotes_in_threads(uuid[])']);

-- Threads in which nothing was asked for so many days go, and those of keys that are revoked. Returns how many went.
create function knowlog.forget_old_threads(keep_days integer) returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with gone as (
        delete from threads t
        where t.updated_at < now() - make_interval(days => keep_days)
           or exists (select from api_keys k where k.tenant_id = t.tenant_id and k.key_id = t.key_id
                                               and k.revoked_at is not null)
        returning 1)
    select count(*) from gone
$$;
select knowlog.give_to_definer('knowlog_system', array['forget_old_threads(integer)']);
