-- Which pages a chunk touches, and at which offset of the version's text each begins in it: a quote's page is known
-- exactly, also where a chunk spans pages. Null in chunks stored before: read from the version's structure instead.
alter table knowlog.chunks add column pages integer[], add column page_starts integer[];
