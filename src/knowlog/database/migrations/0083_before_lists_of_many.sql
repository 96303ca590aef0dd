-- What is kept for each subject (0075, decision 25) is bounded: the vectors of a document whose own list names many are not
-- kept for each of them, or a list of the thousand that it may name would write a thousand times the vectors, in the call that
-- gives it. Who sees such a document is compared as before 0075.

create function knowlog.names_many(audience uuid[]) returns boolean language sql immutable parallel safe
as $$ select pg_catalog.cardinality(audience) operator(pg_catalog.>) 8 $$;

-- The documents whose own list names many, by each of those: where there is one of the caller's, their levels are not all.
create table knowlog.widely_named (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    subject       uuid not null,
    collection_id uuid not null,
    document_id   uuid not null,
    primary key (tenant_id, subject, collection_id, document_id)
);
grant select, insert, update, delete on knowlog.widely_named to knowlog_definer;
select knowlog.protect_tables();

-- Nothing is written meanwhile by the functions of before.
lock table knowlog.documents, knowlog.vectors in share row exclusive mode;

grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;

-- As before (0024), and the documents that name many.
create or replace function knowlog.list_subjects() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    if tg_op <> 'INSERT' and old.audience is not null then
        delete from document_subjects s
        where s.tenant_id = old.tenant_id and s.subject = any(old.audience) and s.collection_id = old.collection_id
          and s.document_id = old.document_id;
        delete from widely_named w
        where names_many(old.audience) and w.tenant_id = old.tenant_id and w.subject = any(old.audience)
          and w.collection_id = old.collection_id and w.document_id = old.document_id;
    end if;
    if tg_op <> 'DELETE' and new.audience is not null then
        insert into document_subjects (tenant_id, subject, collection_id, document_id)
        select distinct new.tenant_id, u.subject, new.collection_id, new.document_id from unnest(new.audience) u (subject);
        insert into widely_named (tenant_id, subject, collection_id, document_id)
        select distinct new.tenant_id, u.subject, new.collection_id, new.document_id from unnest(new.audience) u (subject)
        where names_many(new.audience);
    end if;
    return null;
end $$;

-- As before, but for a list that names many.
create or replace function knowlog.level_vector() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, public, pg_temp
set enable_seqscan = off as $$
declare
    listed uuid[];
begin
    select d.audience into listed from documents d
    where d.tenant_id = new.tenant_id and d.document_id = new.document_id for share;
    insert into subject_vectors as s (tenant_id, subject, collection_id, embedding_key, chunk_id, levels)
    select distinct new.tenant_id, u.subject, new.collection_id, new.embedding_key, new.chunk_id, levels_of(new.embedding)
    from unnest(listed) u (subject) where levels_of(new.embedding) is not null and not names_many(listed)
    on conflict (tenant_id, subject, collection_id, embedding_key, chunk_id) do update set levels = excluded.levels;
    return null;
end $$;

-- As before, but for lists that name many; and vectors that another transaction deletes are waited for before anything else,
-- in the order in which they are deleted: the foreign key refused the new list where it found them gone.
create or replace function knowlog.level_document() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, public, pg_temp
set enable_seqscan = off as $$
declare
    before constant uuid[] := case when not names_many(old.audience) then old.audience end;
    after constant uuid[] := case when not names_many(new.audience) then new.audience end;
    added constant uuid[] := array(select unnest(after) except select unnest(before));
begin
    if cardinality(added) > 0 then
        perform from vectors v where v.tenant_id = new.tenant_id and v.document_id = new.document_id
        order by v.collection_id, v.embedding_key, v.chunk_id for key share;
    end if;
    delete from subject_vectors s using vectors v
    where v.tenant_id = old.tenant_id and v.document_id = old.document_id
      and s.tenant_id = v.tenant_id and s.collection_id = v.collection_id and s.embedding_key = v.embedding_key
      and s.chunk_id = v.chunk_id
      and s.subject = any(array(select unnest(before) except select unnest(after)));
    insert into subject_vectors (tenant_id, subject, collection_id, embedding_key, chunk_id, levels)
    select v.tenant_id, u.subject, v.collection_id, v.embedding_key, v.chunk_id, levels_of(v.embedding)
    from vectors v, unnest(added) u (subject)
    where v.tenant_id = new.tenant_id and v.document_id = new.document_id and levels_of(v.embedding) is not null
    on conflict do nothing;
    return null;
end $$;

do $$
declare
    asked constant text := 'if sought is null or exists (';
    text_before constant text := pg_get_functiondef('knowlog.alike'::regproc);
begin
    if position(asked in text_before) = 0 then
        raise exception 'the function alike is not the one that was to be changed';
    end if;
    execute replace(text_before, asked, 'if sought is null or exists (
           select from widely_named w
           where w.tenant_id = owner and w.subject = any(mine) and w.collection_id = any(collections_of(array[wanted])))
       or exists (');
end $$;

insert into knowlog.widely_named (tenant_id, subject, collection_id, document_id)
select distinct d.tenant_id, u.subject, d.collection_id, d.document_id
from knowlog.documents d cross join unnest(d.audience) u (subject) where knowlog.names_many(d.audience);

delete from knowlog.subject_vectors s using knowlog.documents d, knowlog.vectors v
where knowlog.names_many(d.audience) and v.tenant_id = d.tenant_id and v.document_id = d.document_id
  and s.tenant_id = v.tenant_id and s.collection_id = v.collection_id and s.embedding_key = v.embedding_key
  and s.chunk_id = v.chunk_id;

reset role;
revoke create on schema knowlog from knowlog_definer;
