-- name: insert
-- Make a webhook that follows the log from the present on.
insert into webhooks (tenant_id, endpoint_id, url, description, types, collections, sealed, created_by, place)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8)
returning endpoint_id

-- name: count
-- How many webhooks the tenant has.
select count(*) from webhooks where tenant_id = tenant()

-- name: list
-- The tenant's webhooks, or one of them ($1); of a caller limited to collections ($2), those within its limits.
select endpoint_id, url, description, types, collections, state, reason, failures, failing_since, delivered_at,
       case when old_secret_until > now() then old_secret_until end as old_secret_until, created_at, created_by
from webhooks
where tenant_id = tenant() and ($1::uuid is null or endpoint_id = $1)
  and ($2::uuid[] is null or collections <@ $2)
order by endpoint_id

-- name: update
-- Change what is given; null leaves a member as it is. To become active again is to begin at the present ($6).
update webhooks
set url = coalesce($2, url), description = coalesce($3, description), types = coalesce($4, types),
    state = coalesce($5, state),
    reason = case $5 when 'active' then null when 'disabled' then 'It was disabled by hand.' else reason end,
    failures = case when $5 = 'active' then 0 else failures end,
    failing_since = case when $5 is null then failing_since end,
    resting_until = case when $5 is null then resting_until end,
    place = case when $5 = 'active' and state = 'disabled' then $6 else place end
where tenant_id = tenant() and endpoint_id = $1
returning endpoint_id

-- name: rotate
-- A new secret; the present one is good until `$3`, the one before that no more.
update webhooks set old_sealed = sealed, old_secret_until = $3, sealed = $2
where tenant_id = tenant() and endpoint_id = $1
returning endpoint_id

-- name: unsealed
-- Webhooks of all tenants whose secrets are stored in the clear.
select tenant_id, endpoint_id from unsealed_webhooks($1)

-- name: clear
-- The secrets of a webhook that are stored in the clear, held until they are sealed.
select secret, old_secret from webhooks
where tenant_id = tenant() and endpoint_id = $1 and (secret is not null or old_secret is not null) for update

-- name: seal
-- Keep them sealed, and no other way.
update webhooks set sealed = coalesce($2, sealed), old_sealed = coalesce($3, old_sealed), secret = null, old_secret = null
where tenant_id = tenant() and endpoint_id = $1

-- name: delete
-- Remove a webhook.
delete from webhooks where tenant_id = tenant() and endpoint_id = $1 returning endpoint_id

-- name: end_waiting
-- What was still to be delivered to a webhook is not: it becomes `$2`, and can be replayed.
update events set state = $2, reason = $3, finished_at = clock_timestamp(), announced_at = null
where tenant_id = tenant() and type = 'delivery.requested' and state = 'waiting' and data ->> 'endpoint_id' = $1::uuid::text

-- name: forget_failed
-- What could not be delivered is nobody's business any more.
update events set state = 'cancelled', reason = $2
where tenant_id = tenant() and type = 'delivery.requested' and state = 'failed' and data ->> 'endpoint_id' = $1::uuid::text

-- name: cancel_running
-- Nor is what a worker is about to deliver.
update events set state = 'cancelled', reason = $2, finished_at = clock_timestamp(), lease_until = null
where tenant_id = tenant() and type = 'delivery.requested' and state = 'running' and data ->> 'endpoint_id' = $1::uuid::text

-- name: rewind
-- Go back in the log to before what happened since `$2`; who is further back stays there.
with earlier as (
    select min(e.position) - 1 as place from events e where e.tenant_id = tenant() and e.created_at >= $2)
update webhooks w set place = b.place
from earlier b
where w.tenant_id = tenant() and w.endpoint_id = $1 and b.place < w.place

-- name: behind
-- Webhooks of all tenants for which there may be something to deliver.
select tenant_id, endpoint_id from webhooks_behind($1, $2)

-- name: hold
-- Where a webhook is in the log, for the one who takes it further; nobody else may meanwhile.
select w.types, w.collections, w.place,
       (select count(*) from events e
        where e.tenant_id = tenant() and e.data ->> 'endpoint_id' = w.endpoint_id::text
          and e.type = 'delivery.requested' and e.state in ('waiting', 'running')) as under_way
from webhooks w
where w.tenant_id = tenant() and w.endpoint_id = $1 and w.state = 'active'
for update skip locked

-- name: ahead
-- The next events of the log behind $1 and up to $2, and whether the webhook wants them: its types ($3), its
-- collections ($4).
select e.event_id, e.type, e.subject, e.position,
       e.type = any($3) and ($4::text[] is null or e.data ->> 'collection_id' = any($4) or exists (
           select from documents d
           where d.tenant_id = tenant() and d.document_id = e.subject and d.collection_id::text = any($4))) as wanted
from events e
where e.tenant_id = tenant() and e.position > $1 and e.position <= $2
order by e.position limit $5

-- name: move
-- Remember how far a webhook has come.
update webhooks set place = $2 where tenant_id = tenant() and endpoint_id = $1

-- name: put_off
-- The endpoint has a rest: do this then, or a little later. The attempt does not count.
update events
set state = 'waiting', due_at = $4::timestamptz + random() * interval '2 seconds', attempts = attempts - 1,
    lease_until = null, announced_at = null
where tenant_id = tenant() and event_id = $1 and state = 'running' and worker = $2 and attempts = $3
returning 1

-- name: rest
-- What else waits for an endpoint ($1) that has a rest waits as long; what a worker is just taking finds out by itself.
with others as (
    select tenant_id, event_id from events
    where tenant_id = tenant() and type = 'delivery.requested' and state = 'waiting'
      and data ->> 'endpoint_id' = $1::uuid::text and due_at < $2
    for update skip locked)
update events e set due_at = $2::timestamptz + random() * interval '2 seconds', announced_at = null
from others o where e.tenant_id = o.tenant_id and e.event_id = o.event_id

-- name: target
-- What a delivery needs to know of its webhook.
select url, state, sealed, secret, case when resting_until > clock_timestamp() then resting_until end as resting_until,
       case when old_secret_until > now() then old_sealed end as old_sealed,
       case when old_secret_until > now() then old_secret end as old_secret
from webhooks where tenant_id = tenant() and endpoint_id = $1

-- name: delivered
-- The endpoint took something. A webhook that is well is not written at each delivery. Returns whether it had failed.
with before as (select failures from webhooks where tenant_id = tenant() and endpoint_id = $1)
update webhooks w set failures = 0, failing_since = null, resting_until = null, reason = null, delivered_at = clock_timestamp()
from before
where w.tenant_id = tenant() and w.endpoint_id = $1
  and (w.failures > 0 or w.delivered_at is null or w.delivered_at < clock_timestamp() - interval '10 seconds')
returning before.failures > 0

-- name: hasten
-- The endpoint answers again: what waits for another attempt is due now.
update events set due_at = clock_timestamp()
where tenant_id = tenant() and type = 'delivery.requested' and state = 'waiting' and data ->> 'endpoint_id' = $1::uuid::text
  and due_at > clock_timestamp()

-- name: failed
-- The endpoint did not take something. Returns since when it fails. One that fails again and again has a rest, at first
-- of `$2`, at most of five minutes. `$3` is why, `$4` how long is too long.
update webhooks
set failures = failures + 1, reason = case when state = 'active' then $3 else reason end, failing_since = coalesce(failing_since, clock_timestamp()),
    resting_until = case when failures >= 7 then
        clock_timestamp() + least($2::interval * 2 ^ least((failures - 7) / 8, 20), interval '5 minutes') end
where tenant_id = tenant() and endpoint_id = $1
returning failing_since, state, failing_since <= clock_timestamp() - $4::interval as for_too_long, resting_until

-- name: disable
-- Send nothing any more.
update webhooks set state = 'disabled', reason = $2 where tenant_id = tenant() and endpoint_id = $1 and state = 'active'
returning endpoint_id

-- name: deliveries
-- Deliveries of a webhook ($1), newest first, from before `$3`; in a state ($2), or one of them ($5).
select event_id as delivery_id, $1::uuid as endpoint_id, (data ->> 'event_id')::uuid as event_id,
       data ->> 'event_type' as event_type, state, attempts, reason, created_at, due_at, finished_at
from events
where tenant_id = tenant() and type = 'delivery.requested' and data ->> 'endpoint_id' = $1::uuid::text
  and ($2::text is null or state = $2) and ($3::uuid is null or event_id < $3) and ($5::uuid is null or event_id = $5)
order by position desc limit $4
