-- Evaluation: datasets of a collection, and runs of its profile on them.

-- A dataset never changes: `digest` is the version of its data. `origin` holds for every question of it, so that drafts made
-- by a machine are never mixed with what people have asked.
create table knowlog.datasets (
    tenant_id      uuid not null references knowlog.tenants on delete cascade,
    dataset_id     uuid not null,
    collection_id  uuid not null,
    name           text not null check (length(name) between 1 and 200),
    origin         text not null check (origin in ('real', 'synthetic')),
    digest         text not null,
    question_count integer not null check (question_count > 0),
    created_at     timestamptz not null default now(),
    created_by     text not null,
    primary key (tenant_id, dataset_id),
    unique (tenant_id, name),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create index datasets_of_collection on knowlog.datasets (tenant_id, collection_id);

-- `truth` is what is known of the question: answers, documents, excerpts, whether anything answers it.
create table knowlog.dataset_questions (
    tenant_id   uuid not null,
    dataset_id  uuid not null,
    position    integer not null,
    question_id text not null check (length(question_id) between 1 and 200),
    question    text not null,
    truth       jsonb not null,
    primary key (tenant_id, dataset_id, position),
    unique (tenant_id, dataset_id, question_id),
    foreign key (tenant_id, dataset_id) references knowlog.datasets on delete cascade
);

-- One evaluation of a profile on a dataset. What was measured is written with `finished_at`, in one transaction, or not at
-- all; whether it waits, runs or has failed is told by its job. `profile` is the profile as it was, `digest` the data's.
create table knowlog.runs (
    tenant_id       uuid not null references knowlog.tenants on delete cascade,
    run_id          uuid not null,
    dataset_id      uuid not null,
    job_id          uuid not null,
    label           text,
    wanted          jsonb not null,
    seed            integer not null,
    digest          text not null,
    question_count  integer not null,
    done            integer not null default 0,
    code_version    text,
    profile_version integer,
    made_with       jsonb,
    figures         jsonb,
    created_at      timestamptz not null default now(),
    created_by      text not null,
    finished_at     timestamptz,
    primary key (tenant_id, run_id),
    foreign key (tenant_id, dataset_id) references knowlog.datasets on delete cascade,
    check ((finished_at is null) = (figures is null))
);
create index runs_of_dataset on knowlog.runs (tenant_id, dataset_id, created_at);

create table knowlog.run_results (
    tenant_id   uuid not null,
    run_id      uuid not null,
    position    integer not null,
    question_id text not null,
    scores      jsonb not null,
    detail      jsonb not null,
    primary key (tenant_id, run_id, position),
    foreign key (tenant_id, run_id) references knowlog.runs on delete cascade
);

-- Questions that people asked, kept only while the tenant wants that: the text, when, and what was answered; never by whom.
create table knowlog.question_keeping (
    tenant_id  uuid not null references knowlog.tenants on delete cascade,
    since      timestamptz not null default now(),
    agreed_by  text not null,
    primary key (tenant_id)
);
create table knowlog.asked_questions (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    question_id   uuid not null,
    collection_id uuid not null,
    question      text not null check (length(question) between 1 and 4000),
    answered      boolean not null,
    asked_at      timestamptz not null default now(),
    primary key (tenant_id, question_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
create index asked_questions_of_collection on knowlog.asked_questions (tenant_id, collection_id, asked_at);

grant select, insert, update, delete on
    knowlog.datasets, knowlog.dataset_questions, knowlog.runs, knowlog.run_results, knowlog.question_keeping,
    knowlog.asked_questions to knowlog_app, knowlog_definer;
select knowlog.protect_tables();
