-- name: call
-- Who is calling, for the policies: until it is said, no upload is there.
select set_config('knowlog.principal', $1, true)

-- name: count
-- How many unfinished uploads the caller has.
select count(*) from uploads where tenant_id = tenant() and taken is null

-- name: begun
-- The unfinished upload of the same file, which is gone on with.
update uploads set updated_at = clock_timestamp()
where tenant_id = tenant() and owner = knowlog.principal() and collection_id = $1 and fingerprint = $2 and taken is null
returning upload_id, collection_id, described, size_bytes, received, taken, updated_at

-- name: begin
-- A new upload; none where a twin was quicker.
insert into uploads (tenant_id, upload_id, owner, collection_id, fingerprint, described, size_bytes)
values (tenant(), $1, knowlog.principal(), $2, $3, $4, $5)
on conflict (tenant_id, owner, collection_id, fingerprint) where taken is null do nothing
returning upload_id, collection_id, described, size_bytes, received, taken, updated_at

-- name: find
-- One of the caller's.
select upload_id, collection_id, described, size_bytes, received, taken, updated_at from uploads
where tenant_id = tenant() and upload_id = $1

-- name: list
-- The caller's unfinished ones, the one that was gone on with last first.
select upload_id, collection_id, described, size_bytes, received, taken, updated_at from uploads
where tenant_id = tenant() and owner = knowlog.principal() and taken is null
order by updated_at desc, upload_id

-- name: go_on
-- So many bytes more have come, if it is still where they begin: of two at once, one.
update uploads set received = received + $3, updated_at = clock_timestamp()
where tenant_id = tenant() and upload_id = $1 and received = $2 and taken is null
returning upload_id, collection_id, described, size_bytes, received, taken, updated_at

-- name: add_piece
-- Where they lie.
insert into upload_pieces (tenant_id, upload_id, start_byte, size_bytes, blob) values (tenant(), $1, $2, $3, $4)

-- name: pieces
-- Where all lie, in their order.
select blob from upload_pieces where tenant_id = tenant() and upload_id = $1 order by start_byte

-- name: drop_pieces
-- They are part of something else now.
delete from upload_pieces where tenant_id = tenant() and upload_id = $1 returning blob

-- name: take
-- What has become of the file.
update uploads set taken = $2 where tenant_id = tenant() and upload_id = $1

-- name: drop
-- The upload is given up.
delete from uploads where tenant_id = tenant() and upload_id = $1 returning upload_id
