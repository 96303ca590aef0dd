-- The language model that a tenant entrusts for its own questions. Its key is a secret like others, by a fixed name.
-- `alone`: where it does not answer, no model of the operator's is asked.
create table knowlog.own_models (
    tenant_id  uuid primary key references knowlog.tenants on delete cascade,
    model      text not null check (length(model) between 1 and 200),
    url        text not null check (length(url) between 8 and 2000),
    alone      boolean not null,
    changed_at timestamptz not null default now(),
    changed_by text not null
);
grant select, insert, update, delete on knowlog.own_models to knowlog_app, knowlog_definer;
select knowlog.protect_tables();
