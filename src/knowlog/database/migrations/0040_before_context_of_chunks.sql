-- What stands elsewhere in the text and is searched with a chunk, such as the header of the table whose rows it holds; how
-- many tokens it has; and the ordinal of the larger chunk around it, which is its own for that one. Null in chunks stored
-- before, and where there is none.
alter table knowlog.chunks add column context text[], add column token_count integer, add column parent_ordinal integer;

-- The children of a parent.
create index chunks_by_parent on knowlog.chunks (tenant_id, document_id, version, parent_ordinal)
    where parent_ordinal is not null;
