-- Tunings: searches for the profile with which a collection answers a dataset best.

-- `wanted` is what is searched and what it may cost. Trials are told in `report`, which is written with `finished_at`; whether
-- it waits, runs or has failed is told by its job. `profile` and `profile_version` are what it starts from.
create table knowlog.tunings (
    tenant_id       uuid not null references knowlog.tenants on delete cascade,
    tuning_id       uuid not null,
    dataset_id      uuid not null,
    job_id          uuid not null,
    wanted          jsonb not null,
    profile         jsonb not null,
    profile_version integer not null,
    seed            integer not null,
    digest          text not null,
    done            integer not null default 0,
    total           integer not null default 0,
    doing           text,
    code_version    text,
    report          jsonb,
    switch_id       uuid,
    created_at      timestamptz not null default now(),
    created_by      text not null,
    started_at      timestamptz,
    finished_at     timestamptz,
    primary key (tenant_id, tuning_id),
    foreign key (tenant_id, dataset_id) references knowlog.datasets on delete cascade,
    check ((finished_at is null) = (report is null))
);
create index tunings_of_dataset on knowlog.tunings (tenant_id, dataset_id, created_at);
grant select, insert, update, delete on knowlog.tunings to knowlog_app, knowlog_definer;
select knowlog.protect_tables();
