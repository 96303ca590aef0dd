-- The documents that may be seen come in the order of their ids. An index that is asked for thousands of keys sorts them first,
-- calling a function for each comparison; here they are sorted by what a sort knows of their type.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
do $$
declare
    changes constant text[][] := array[
        ['        select u.document_id from (', E'        select w.document_id from (\n        select u.document_id from ('],
        ['        limit most + 1);', E'        limit most + 1) w order by 1);']];
    text_before text := pg_get_functiondef('knowlog.seen_documents(uuid[], integer)'::regprocedure);
begin
    for number in 1..2 loop
        if position(changes[number][1] in text_before) = 0 then
            raise exception 'the function seen_documents is not the one that was to be changed';
        end if;
        text_before := replace(text_before, changes[number][1], changes[number][2]);
    end loop;
    execute text_before;
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
