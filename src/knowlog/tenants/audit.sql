-- name: record
-- Say who did what; the database adds when, and chains it to what was said before when the transaction commits.
select record_audit($1, $2, $3, $4, $5, $6, $7)

-- name: record_of
-- The same in the chain of a tenant that this transaction is not of.
select record_audit_of($1, $2, $3, $4, $5, $6, $7, $8)

-- name: list_newest
-- A page of the tenant's records behind $1 (null: from the end), newest first.
select record, encode(hash, 'hex') as hash from audit_records
where tenant_id = tenant() and ($1::bigint is null or sequence < $1)
  and ($2::text is null or action = $2) and ($3::text is null or actor = $3) and ($4::text is null or subject = $4)
  and ($5::text is null or at >= $5) and ($6::text is null or at < $6)
order by sequence desc limit $7

-- name: list_oldest
-- A page of the tenant's records behind $1 (null: from the beginning), oldest first.
select record, encode(hash, 'hex') as hash from audit_records
where tenant_id = tenant() and ($1::bigint is null or sequence > $1)
  and ($2::text is null or action = $2) and ($3::text is null or actor = $3) and ($4::text is null or subject = $4)
  and ($5::text is null or at >= $5) and ($6::text is null or at < $6)
order by sequence limit $7

-- name: head
-- Where the tenant's chain ends.
select sequence, encode(hash, 'hex') as hash from audit_heads where tenant_id = tenant()
