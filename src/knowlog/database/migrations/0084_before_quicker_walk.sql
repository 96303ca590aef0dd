-- A walk through a near index that remembers 130 at a time instead of 140: a thirtieth quicker in a large collection, for two of a
-- thousand of the ten best (decision 0004). The first statement makes the index's settings known, which only a superuser may set unknown.
select '[1]'::public.halfvec;
set local role knowlog_definer;
alter function knowlog.dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean, integer) set hnsw.ef_search = 130;
reset role;
