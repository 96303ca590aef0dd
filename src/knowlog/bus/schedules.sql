-- name: insert
-- A new schedule.
insert into schedules (tenant_id, schedule_id, name, collection_id, type, data, cron, every_s, timezone, next_at, created_by)
values (tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (tenant_id, name) do nothing returning 1

-- name: count
-- How many schedules the tenant has.
select count(*) from schedules where tenant_id = tenant()

-- name: now
-- The database's clock, by which everything here goes.
select clock_timestamp()

-- name: list
-- Schedules in order of name, within some collections if `$1` names any.
select schedule_id, name, collection_id, type, data, cron, every_s, timezone, enabled, next_at, last_at, created_at, created_by
from schedules where tenant_id = tenant() and ($1::uuid[] is null or collection_id = any($1)) order by name

-- name: find
-- One schedule by id or by name.
select schedule_id, name, collection_id, type, data, cron, every_s, timezone, enabled, next_at, last_at, created_at, created_by
from schedules
where tenant_id = tenant() and ($1 = name or $1 = schedule_id::text) and ($2::uuid[] is null or collection_id = any($2))
order by ($1 = name) desc limit 1 for update

-- name: enable
-- Switch a schedule on or off. What it missed meanwhile is not made up for.
update schedules set enabled = $2, next_at = $3 where tenant_id = tenant() and schedule_id = $1

-- name: delete
-- A schedule ends; what it has asked for goes on.
delete from schedules where tenant_id = tenant() and schedule_id = $1

-- name: take_due
-- A schedule that is due, unless another worker has it in hand or has just fired it.
select schedule_id, name, collection_id, type, data, cron, every_s, timezone, enabled, next_at, last_at, created_at, created_by
from schedules
where tenant_id = tenant() and schedule_id = $1 and enabled and next_at <= clock_timestamp() for update skip locked

-- name: fire
-- The event of a schedule, unless what it asked for before is not done yet: then this time is passed over.
with fired as (
    insert into events (tenant_id, event_id, type, subject, data, state)
    select tenant(), $1, $2, $3, $4, 'waiting'
    where not exists (select from events e where e.tenant_id = tenant() and e.subject = $3 and e.type = $2
                      and e.state in ('waiting', 'running') and e.data ->> 'schedule_id' = $5)
    on conflict (tenant_id, event_id) do nothing
    returning event_id)
select event_id, pg_notify('knowlog_work', '') from fired

-- name: move
-- When a schedule is due next.
update schedules set next_at = $2, last_at = $3 where tenant_id = tenant() and schedule_id = $1

-- name: wake
-- Workers look again at what is due next.
select pg_notify('knowlog_work', '')
