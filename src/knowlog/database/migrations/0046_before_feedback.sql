-- Feedback: what people think of answers to questions that were kept, and for how long both are kept.

-- Null: for as long as the tenant keeps questions at all, as it was agreed before there was a term.
alter table knowlog.question_keeping add column keep_days integer check (keep_days between 1 and 3650);

-- `cited`: where the quotes of the answer stand (document, version, span), never their text, which goes with its document.
alter table knowlog.asked_questions add column cited jsonb not null default '[]';
create index asked_questions_by_age on knowlog.asked_questions (tenant_id, asked_at);

-- Of an answer there is at most one: only who asked can name the answer. A member's goes with the member; of who asked nothing
-- is kept where no feedback is given.
create table knowlog.feedback (
    tenant_id   uuid not null references knowlog.tenants on delete cascade,
    feedback_id uuid not null,
    question_id uuid not null,
    member_id   uuid,
    given_by    text not null,
    thumb       text not null check (thumb in ('up', 'down')),
    correction  text check (length(correction) between 1 and 2000),
    comment     text check (length(comment) between 1 and 2000),
    given_at    timestamptz not null default now(),
    primary key (tenant_id, feedback_id),
    unique (tenant_id, question_id),
    foreign key (tenant_id, question_id) references knowlog.asked_questions on delete cascade,
    foreign key (tenant_id, member_id) references knowlog.members on delete cascade
);
create index feedback_of_member on knowlog.feedback (tenant_id, member_id);

grant select, insert, update, delete on knowlog.feedback to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- Kept questions whose term is over go, with what was said of their answers. Returns how many went.
create function knowlog.forget_old_questions() returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with gone as (
        delete from asked_questions a using question_keeping k
        where k.tenant_id = a.tenant_id and a.asked_at < now() - make_interval(days => k.keep_days) returning 1)
    select count(*) from gone
$$;
select knowlog.give_to_definer('knowlog_system', array['forget_old_questions()']);
