-- name: collection_access
-- For whom a collection is.
select collection_id, audience as own, audience as effective from collections where tenant_id = tenant() and collection_id = $1

-- name: document_access
-- For whom a document is: by its own list, else by its collection's.
select d.document_id, d.collection_id, d.audience as own, coalesce(d.audience, c.audience) as effective
from documents d join collections c using (tenant_id, collection_id)
where d.tenant_id = tenant() and d.document_id = $1

-- name: limit_collection
-- Give a collection another list, null for none.
update collections set audience = $2::uuid[] where tenant_id = tenant() and collection_id = $1 and audience is distinct from $2
returning 1

-- name: limit_documents
-- Give documents another list, null for none.
update documents set audience = $2::uuid[]
where tenant_id = tenant() and document_id = any($1::uuid[]) and audience is distinct from $2
returning document_id, collection_id

-- name: hold_collection_access
-- The list of a collection, which nobody changes until this transaction ends.
select audience from collections where tenant_id = tenant() and collection_id = $1 for no key update

-- name: hold_document_access
-- The list of a document, which nobody changes until this transaction ends.
select audience from documents where tenant_id = tenant() and document_id = $1 for no key update
