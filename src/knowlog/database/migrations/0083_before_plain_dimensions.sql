-- Where one tenant holds most vectors, the planner took the first that it met by reading the table from its beginning: quick where
-- it is right, and a read of everybody's vectors where that tenant's come last. Asked twice in half a minute for each collection.
set local role knowlog_definer;
alter function knowlog.large_collections(bigint) set enable_seqscan = off;
reset role;
