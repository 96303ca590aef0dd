-- name: texts
-- The text of some stretches of versions, in the order given; empty where a version is gone.
select coalesce(substring(v.text from wanted.start_offset + 1 for wanted.end_offset - wanted.start_offset), '') as text
from unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[]) with ordinality
     as wanted (document_id, version, start_offset, end_offset, place)
left join versions v on v.tenant_id = tenant() and v.document_id = wanted.document_id and v.version = wanted.version
order by wanted.place
