-- name: fetched
-- Documents of a collection whose external id is a URL, from behind the document `$2`.
select document_id, external_id from documents
where tenant_id = tenant() and collection_id = $1 and ($2::uuid is null or document_id > $2)
  and (external_id like 'http://%' or external_id like 'https://%')
order by document_id limit $3

-- name: older
-- Documents of a collection whose newest content came in more than `$2` ago.
select d.document_id, d.revision
from documents d
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest
where d.tenant_id = tenant() and d.collection_id = $1 and v.created_at < clock_timestamp() - $2::interval
order by v.created_at limit $3
