-- name: list
-- Sources of the tenant in order of their names: one of them ($1), of some collections ($2, null for all).
select s.source_id, s.name, s.kind, s.topic, s.collection_id, s.format, s.mapping, s.state, s.trouble, s.trouble_since,
       s.taken, s.repeated, s.dead,
       (select count(*) from dead_letters d
        where d.tenant_id = tenant() and d.source_id = s.source_id and d.replayed_at is null) as dead_letters,
       s.last_message_at, s.created_at, s.created_by
from sources s
where s.tenant_id = tenant() and ($1::uuid is null or s.source_id = $1)
  and ($2::uuid[] is null or s.collection_id = any($2))
order by s.name

-- name: update
-- Pause or go on, or take another collection. A new state or collection is a new beginning: trouble is forgotten.
update sources
set state = coalesce($2, state), collection_id = coalesce($3, collection_id), trouble = null, trouble_since = null
where tenant_id = tenant() and source_id = $1

-- name: hold
-- Become or remain the one reader of a source for `$3`.
update sources set reader = $2, reader_until = clock_timestamp() + $3
where tenant_id = tenant() and source_id = $1 and state = 'active'
  and (reader is null or reader = $2 or reader_until < clock_timestamp())
returning 1

-- name: release
-- Let another worker read it at once.
update sources set reader = null, reader_until = null where tenant_id = tenant() and source_id = $1 and reader = $2

-- name: trouble
-- Note why nothing is read, or (null) that it is.
update sources set trouble = $2, trouble_since = case when $2 is not null then coalesce(trouble_since, clock_timestamp()) end
where tenant_id = tenant() and source_id = $1 and trouble is distinct from $2

-- name: register
-- Note messages as taken; those that are new come back.
insert into inbox (tenant_id, source_id, producer, message_id, content_hash)
select tenant(), $1, n.* from unnest($2::text[], $3::text[], $4::bytea[]) as n (producer, message_id, content_hash)
order by n.producer, n.message_id
on conflict do nothing
returning producer, message_id

-- name: registered
-- What messages said that were taken before.
select i.producer, i.message_id, i.content_hash from inbox i
join unnest($2::text[], $3::text[]) as n (producer, message_id) using (producer, message_id)
where i.tenant_id = tenant() and i.source_id = $1

-- name: count
-- Count what was taken, if the source is still as its reader knows it: active, its collection the same, nobody else
-- reading ($3; null for Kafka, which sees to that itself).
update sources
set taken = taken + $4, repeated = repeated + $5, dead = dead + $6, last_message_at = clock_timestamp(),
    trouble = null, trouble_since = null
where tenant_id = tenant() and source_id = $1 and state = 'active' and collection_id = $2
  and ($3::text is null or reader = $3)
returning 1

-- name: count_replayed
-- Count a dead letter that was taken after all.
update sources set taken = taken + 1 where tenant_id = tenant() and source_id = $1

-- name: bury
-- Keep messages that could not be taken. One that is delivered once more is the same dead letter, and open again. Of
-- those that come together each came a microsecond after the one before it, so that they are replayed in their order.
insert into dead_letters (tenant_id, dead_letter_id, source_id, message_id, place, key, headers, cause, body, blob,
                          size_bytes, withheld, received_at)
select tenant(), n.dead_letter_id, $1, n.message_id, n.place, n.key, n.headers, n.cause, n.body, n.blob, n.size_bytes, n.withheld,
       (select clock_timestamp()) + n.turn * interval '1 microsecond'
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[], $8::bytea[], $9::text[], $10::bigint[],
            $11::boolean[]) with ordinality
     as n (dead_letter_id, message_id, place, key, headers, cause, body, blob, size_bytes, withheld, turn)
order by n.dead_letter_id
on conflict (tenant_id, dead_letter_id) do update set cause = excluded.cause, replayed_at = null
returning xmax = 0 as is_new

-- name: count_dead
-- How many dead letters of a source wait for somebody, at most `$2`.
select count(*) from (
    select from dead_letters where tenant_id = tenant() and source_id = $1 and replayed_at is null limit $2) waiting

-- name: dead_letters
-- Dead letters, newest first: one ($1), of a source ($2), replayed or not ($3), from behind ($4, $5), of sources whose
-- collections are among $7 (null for all).
select d.dead_letter_id, d.source_id, s.name as source, d.message_id,
       case when d.withheld then '' else d.key end as key, case when d.withheld then '{}' else d.headers end as headers,
       d.cause, d.size_bytes, d.withheld, d.received_at, d.replayed_at
from dead_letters d join sources s using (tenant_id, source_id)
where d.tenant_id = tenant() and ($1::uuid is null or d.dead_letter_id = $1) and ($2::uuid is null or d.source_id = $2)
  and ($3::boolean is null or (d.replayed_at is not null) = $3)
  and ($4::timestamptz is null or (d.received_at, d.dead_letter_id) < ($4, $5))
  and ($7::uuid[] is null or s.collection_id = any($7))
order by d.received_at desc, d.dead_letter_id desc limit $6

-- name: dead_letter
-- A dead letter with its body and its source, for one who replays it.
select d.dead_letter_id, d.place, d.key, d.headers, d.body, d.blob, d.withheld, d.replayed_at, s.source_id, s.name, s.kind,
       s.topic, s.collection_id, s.format, s.mapping
from dead_letters d join sources s using (tenant_id, source_id)
where d.tenant_id = tenant() and d.dead_letter_id = $1 and ($2::uuid[] is null or s.collection_id = any($2))
for update of d

-- name: replayed
-- It was taken.
update dead_letters set replayed_at = clock_timestamp() where tenant_id = tenant() and dead_letter_id = $1

-- name: delete_dead_letter
-- Forget a dead letter.
delete from dead_letters where tenant_id = tenant() and dead_letter_id = $1 returning blob

-- name: delete_dead_letters
-- Forget some of a source's dead letters, replayed ones too, at most `$2`.
delete from dead_letters where tenant_id = tenant() and dead_letter_id = any(array(
    select dead_letter_id from dead_letters where tenant_id = tenant() and source_id = $1
    order by dead_letter_id limit $2 for update)) returning blob

-- name: blobs_of
-- Where the large bodies of a source's dead letters lie.
select blob from dead_letters where tenant_id = tenant() and source_id = $1 and blob is not null

-- name: documents
-- Documents of a collection by their external ids.
select external_id, document_id from documents where tenant_id = tenant() and collection_id = $1 and external_id = any($2)
order by shadow desc
