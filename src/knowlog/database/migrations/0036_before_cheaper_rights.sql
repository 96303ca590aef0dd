-- Permissions at less cost, and hidden things that are looked up as fast as absent ones. Lists hold as before (0024): it is
-- found out once, when a transaction begins, which collections they close to its caller.

-- When a key that opens nothing any more was offered last: the audit log is told once an hour.
alter table knowlog.api_keys add column refused_at timestamptz;

-- What lists close to this caller: '*' nothing, because there are none or it sees all; else the collections whose list names
-- none of its subjects. (Where there are lists, a scan of the table could pass over many rows before it meets the first.)
create function knowlog.look_at_lists() returns text
language plpgsql stable parallel safe security definer set search_path = pg_catalog, knowlog, pg_temp
set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    mine constant uuid[] := subjects();
begin
    if unlimited()
       or not exists (select from documents d where d.tenant_id = owner and d.audience is not null)
       and not exists (select from collections c where c.tenant_id = owner and c.audience is not null) then
        return '*';
    end if;
    return array(select c.collection_id from collections c
                 where c.tenant_id = owner and c.audience is not null and not c.audience && mine)::text;
end $$;
select knowlog.give_to_definer('knowlog_app', array['look_at_lists()']);

-- The same, as the transaction knows it from its beginning; one that was begun by an older process looks each time.
create function knowlog.closed_by_lists() returns text language sql stable parallel safe as $$
    select coalesce(nullif(pg_catalog.current_setting('knowlog.closed', true), ''), knowlog.look_at_lists())
$$;
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.sees_all() returns boolean language sql stable parallel safe
as $$ select knowlog.closed_by_lists() = '*' $$;
create or replace function knowlog.closed_collections() returns uuid[] language sql stable parallel safe
as $$ select coalesce(nullif(knowlog.closed_by_lists(), '*'), '{}')::pg_catalog.uuid[] $$;
reset role;
revoke create on schema knowlog from knowlog_definer;

-- A closed collection is shown with the documents in it that name the caller: looked up in the lists themselves, of which a
-- transaction sees what names its own subjects.
grant select on knowlog.document_subjects to knowlog_app;
create policy audience on knowlog.document_subjects as restrictive to knowlog_app using (
    (select knowlog.unlimited()) or subject = any ((select knowlog.subjects())::uuid[]));

-- No function that reads tables is called for a row that is found: what is hidden costs no more than what is absent.
alter policy audience on knowlog.documents using (
    (select knowlog.sees_all())
    or case when audience is null then collection_id <> all ((select knowlog.closed_collections())::uuid[])
            else audience && (select knowlog.subjects()) end);
alter policy audience on knowlog.collections using (
    (select knowlog.sees_all())
    or collection_id <> all ((select knowlog.closed_collections())::uuid[])
    or (select true from knowlog.document_subjects s
        where s.tenant_id = collections.tenant_id and s.collection_id = collections.collection_id
          and s.subject = any ((select knowlog.subjects())::uuid[]) limit 1));
do $$
declare
    name text;
begin
    foreach name in array array['versions', 'chunks', 'chunk_terms', 'vectors'] loop
        execute format(
            'alter policy audience on knowlog.%1$I using (
                 (select knowlog.sees_all())
                 or (select true from knowlog.documents d
                     where d.tenant_id = %1$I.tenant_id and d.document_id = %1$I.document_id))', name);
    end loop;
end $$;
drop function knowlog.reached_collections();
