-- name: open_index
-- An index that is built, or built on, lives for `$3` after the last that is done for it; one that answers has no end.
insert into indexes as i (tenant_id, index_id, collection_id, expires_at)
values (tenant(), $1, $2, clock_timestamp() + $3)
on conflict (tenant_id, index_id) do update set expires_at = greatest(i.expires_at, clock_timestamp() + $3)
where i.expires_at is not null and i.collection_id = $2

-- name: touch_index
-- Something was done for an index; nothing where it is gone.
update indexes set expires_at = case when expires_at is not null then greatest(expires_at, clock_timestamp() + $2) end
where tenant_id = tenant() and index_id = $1 returning 1

-- name: lacking
-- The next documents that an index lacks, among `$3` or all, from behind `$4`: some megabytes of them.
select * from (
    select d.document_id, d.version, d.title, v.text, v.structure, v.media_type, v.xmin::text as written,
           sum(v.size_bytes) over (order by d.document_id) - v.size_bytes as bytes_before
    from documents d
    join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.version
    where d.tenant_id = tenant() and d.collection_id = $1 and ($3::uuid[] is null or d.document_id = any($3))
      and d.document_id > $4
      and not exists (select from chunks k where k.tenant_id = d.tenant_id and k.document_id = d.document_id
                                             and k.version = d.version and k.collection_id = $2)
    order by d.document_id limit $5) coming
where bytes_before < 2000000 order by document_id

-- name: count_lacking
-- How many documents a collection has, and how many of them an index lacks.
select count(*) as total,
       count(*) filter (where not exists (
           select from chunks k where k.tenant_id = d.tenant_id and k.document_id = d.document_id
                                  and k.version = d.version and k.collection_id = $2)) as lacking
from documents d where d.tenant_id = tenant() and d.collection_id = $1 and d.version is not null

-- name: hold_texts
-- Those of some documents whose text is still what it was, and which an index lacks; they stay so until this transaction ends.
select d.document_id
from unnest($1::uuid[], $2::integer[], $3::text[]) as w (document_id, version, written)
join documents d on d.tenant_id = tenant() and d.document_id = w.document_id and d.version = w.version
join versions v on v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.version
where v.xmin::text = w.written
  and not exists (select from chunks k where k.tenant_id = d.tenant_id and k.document_id = d.document_id
                                         and k.version = d.version and k.collection_id = $4)
order by d.document_id for share of d, v

-- name: expired_index
-- An index whose time is up and that does not answer; it is held until this transaction ends.
select 1 from indexes i join collections c on c.tenant_id = i.tenant_id and c.collection_id = i.collection_id
where i.tenant_id = tenant() and i.index_id = $1 and i.expires_at < clock_timestamp()
  and i.index_id <> coalesce(c.index_id, c.collection_id)
for update of i

-- name: drop_chunks
-- A share of the chunks of an index go, except of documents that somebody else is changing. Each document's go at once: one
-- with any is taken for whole by whoever goes on with the index.
with chosen as materialized (
    select v.document_id from vectors v join documents d on d.tenant_id = v.tenant_id and d.document_id = v.document_id
    where v.tenant_id = tenant() and v.collection_id = $1 limit $2 for key share of d skip locked),
gone as (
    delete from chunks k using (select distinct document_id from chosen) c
    where k.tenant_id = tenant() and k.document_id = c.document_id and k.collection_id = $1 returning 1)
select count(*) from gone

-- name: drop_other_vectors
-- Chunks of an index that does not answer and that have no vector under a key go, with all of their documents: they were
-- embedded under another.
delete from chunks k using (
    select distinct o.document_id from chunks o
    where o.tenant_id = tenant() and o.collection_id = $2
      and not exists (select from vectors v where v.tenant_id = o.tenant_id and v.collection_id = $2
                                              and v.embedding_key = $3 and v.chunk_id = o.chunk_id)) other
where k.tenant_id = tenant() and k.collection_id = $2 and k.document_id = other.document_id
  and not exists (select from collections c where c.tenant_id = k.tenant_id and c.collection_id = $1
                                              and coalesce(c.index_id, c.collection_id) = $2)

-- name: index_is_empty
-- Whether nothing of an index is left.
select not exists (select from chunks where tenant_id = tenant() and collection_id = $1)

-- name: drop_index
-- The index goes, with its statistics.
delete from indexes where tenant_id = tenant() and index_id = $1

-- name: await_switch
-- Whoever holds a collection to switch it is done. What they did is seen from the next statement on.
select from collections where tenant_id = tenant() and collection_id = $1 for no key update

-- name: hold_for_switch
-- A collection as it is; indexers wait until this transaction ends, questions do not.
select c.name, c.embedding_key, c.profile, c.profile_version, coalesce(c.index_id, c.collection_id) as index_id,
       exists (select from rechunkings r where r.tenant_id = c.tenant_id and r.collection_id = c.collection_id) as rechunking,
       exists (select from switches s join events e on e.tenant_id = s.tenant_id and e.event_id = s.job_id
               where s.tenant_id = c.tenant_id and s.collection_id = c.collection_id and s.switched_at is null
                 and e.state in ('waiting', 'running')) as switching
from collections c where c.tenant_id = tenant() and c.collection_id = $1 for no key update

-- name: insert_switch
-- A switch that waits for its job.
insert into switches (tenant_id, switch_id, collection_id, job_id, index_id, profile, from_index, from_profile, profile_version,
                      rolls_back, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: find_switch
-- One switch, within some collections if `$2` names any.
select s.switch_id, s.collection_id, c.name as collection, s.job_id,
       case when s.switched_at is not null then 'done' else coalesce(e.state, 'failed') end as state, e.reason, s.index_id,
       s.profile, s.from_index, s.from_profile, s.profile_version, s.rolls_back, s.done, s.total, s.created_at, s.created_by,
       s.switched_at, case when s.switched_at is not null then i.expires_at end as kept_until,
       (select r.switch_id from switches r left join events b on b.tenant_id = r.tenant_id and b.event_id = r.job_id
        where r.tenant_id = s.tenant_id and r.collection_id = s.collection_id and r.rolls_back = s.switch_id
          and (r.switched_at is not null or b.state in ('waiting', 'running'))
        order by r.switch_id desc limit 1) as rolled_back_by
from switches s
join collections c on c.tenant_id = s.tenant_id and c.collection_id = s.collection_id
left join events e on e.tenant_id = s.tenant_id and e.event_id = s.job_id
left join indexes i on i.tenant_id = s.tenant_id and i.index_id = s.from_index
where s.tenant_id = tenant() and s.switch_id = $1 and ($2::uuid[] is null or s.collection_id = any($2))

-- name: last_switch
-- The switch that a collection has made last.
select s.switch_id, s.index_id, s.from_index, s.from_profile, s.profile_version,
       s.from_index = s.index_id or exists (select from indexes i where i.tenant_id = s.tenant_id and i.index_id = s.from_index
                                       and (i.expires_at is null or i.expires_at > clock_timestamp())) as kept
from switches s where s.tenant_id = tenant() and s.collection_id = $1 and s.switched_at is not null
order by s.switched_at desc limit 1

-- name: progress_switch
-- So far is a switch.
update switches set done = $2, total = $3 where tenant_id = tenant() and switch_id = $1

-- name: switch_collection
-- From this moment the other index answers, by the other profile.
update collections
set index_id = $2, profile = $3::jsonb, profile_version = profile_version + 1, revision = revision + 1, updated_at = now(),
    chunking_version = chunking_version + (profile -> 'chunking' is distinct from $3::jsonb -> 'chunking')::int
where tenant_id = tenant() and collection_id = $1
returning profile_version

-- name: keep_indexes
-- The one that answers has no end; the one that did is kept for a while.
update indexes set expires_at = case when index_id <> $1 then clock_timestamp() + $3 end
where tenant_id = tenant() and index_id in ($1, $2)

-- name: finish_switch
-- A switch has happened.
update switches set switched_at = clock_timestamp(), done = total where tenant_id = tenant() and switch_id = $1

-- name: searched_fast
-- Whether an index is searched as fast as it should be: it is small, or has an HNSW index.
select coalesce((select s.chunk_count from collection_statistics s where s.tenant_id = tenant() and s.collection_id = $1), 0) < $3
       or has_near_index($1, $2)
