-- Whether a caller sees more documents than are compared one by one is found once in a transaction (decision 0012). As before
-- (0042, 0044), but for that, and in no order: of the two legs, one alone needs them sorted, and sorts them.

-- What was found is noted until the transaction ends, as '{collections} most'. The note says by which way to search; each of
-- the ways looks at the lists anew, so that nothing is shown because of it.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
create or replace function knowlog.seen_documents(collections uuid[], most integer) returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp set enable_seqscan = off as $$
declare
    owner constant uuid := tenant();
    inside constant uuid[] := collections_of(collections);
    mine constant uuid[] := subjects();
    closed constant uuid[] := closed_collections();
    open constant uuid[] := array(select o.id from unnest(inside) o (id) where o.id <> all (closed));
    more constant text[] := string_to_array(current_setting('knowlog.seen_more', true), ' ');
    seen uuid[];
begin
    if more[1] = inside::text and more[2]::integer >= most then
        return null;
    end if;
    seen := array(
        select u.document_id from (
            select s.document_id from document_subjects s
            where s.tenant_id = owner and s.subject = any(mine) and s.collection_id = any(inside)
            union all
            select d.document_id from documents d
            where d.tenant_id = owner and d.collection_id = any(open) and d.audience is null) u
        limit most + 1);
    if cardinality(seen) <= most then
        return seen;
    end if;
    perform set_config('knowlog.seen_more', concat_ws(' ', inside::text, most), true);
    return null;
end $$;

do $$
declare
    asked constant text := 'array(select unnest($9))';
    text_before constant text := pg_get_functiondef('knowlog.dense_search'::regproc);
begin
    if position(asked in text_before) = 0 then
        raise exception 'the function dense_search is not the one that was to be changed';
    end if;
    execute replace(text_before, asked, 'array(select unnest($9) order by 1)');
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
