-- Where nothing narrows a search, the walk through a collection's index keeps nothing for a second one (decision 0004).

-- To go on behind what it has found, a walk remembers all that it passed by, some thirty times as much. Without that it finds
-- the same 140 chunks: enough for 100, unless more than 40 of them are gone and not yet swept up. Then it is done again.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
do $$
declare
    changes constant text[][] := array[
        ['parts text[] := ''{}'';',
         'parts text[] := ''{}'';
    walk text;
    ids bigint[];
    scores double precision[];'],
        ['return query execute ''select near.chunk_id, -near.distance from (''',
         'foreach walk in array case
        when narrow or most > 100 or cardinality(collections) > 1 or cardinality(scanned) > 0 then array[''relaxed_order'']
        else array[''off'', ''relaxed_order''] end
    loop
        perform set_config(''hnsw.iterative_scan'', walk, true);  -- until the function ends
        execute ''select array_agg(n.id), array_agg(n.score) from (select near.chunk_id, -near.distance from ('''],
        ['near order by near.distance, near.chunk_id limit $3''',
         'near order by near.distance, near.chunk_id limit $3) n (id, score)'' into ids, scores'],
        ['closed_collections(), chosen, collections;',
         'closed_collections(), chosen, collections;
        exit when cardinality(ids) >= most;
    end loop;
    return query select * from unnest(ids, scores);']];
    change text[];
    body text := pg_get_functiondef('knowlog.dense_search'::regproc);
begin
    foreach change slice 1 in array changes loop
        if position(change[1] in body) = 0 then
            raise exception 'the function dense_search is not the one that was to be changed';
        end if;
        body := replace(body, change[1], change[2]);
    end loop;
    execute body;
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
