-- The sections that begin inside a chunk: [[offset in the version's text, [headings, outermost first]], ...]. A quote stands
-- under the headings of its own section, not under those with which its chunk begins. Null in chunks stored before.
alter table knowlog.chunks add column sections jsonb;
