-- A wider search of near indexes: measured on 100,000 vectors, 100 found 0.985 of the exact ten best, 130 found 0.992 and
-- 160 found 0.996, each step a tenth slower (decision 0004).
alter function knowlog.dense_search(uuid[], text, public.halfvec, integer, jsonpath, boolean) set hnsw.ef_search = 140;
