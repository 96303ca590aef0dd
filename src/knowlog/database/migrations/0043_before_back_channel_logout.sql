-- Back-channel logout: a provider says that somebody has signed out there.

-- By which sign-on a session was opened, and what the provider calls its own session. Null for passwords, for sessions of
-- before, and where the provider does not say.
alter table knowlog.sessions
    add column sign_on text,
    add column provider_session text check (length(provider_session) between 1 and 255);
create index sessions_of_provider on knowlog.sessions (tenant_id, sign_on, provider_session)
    where sign_on is not null and ended_at is null;

-- The logout tokens that were used, for as long as they would be taken once more: hashes alone.
create table knowlog.sign_on_logouts (
    tenant_id  uuid not null,
    sign_on    text not null,
    token_hash bytea not null,
    expires_at timestamptz not null,
    primary key (tenant_id, sign_on, token_hash),
    foreign key (tenant_id, sign_on) references knowlog.sign_ons on delete cascade
);
create index sign_on_logouts_expired on knowlog.sign_on_logouts (tenant_id, expires_at);

grant select, insert, update, delete on knowlog.sign_on_logouts to knowlog_app, knowlog_definer;
select knowlog.protect_tables();
