-- name: limits
-- The limits of the tenant (without a key_id) and of one key.
select null::uuid as key_id, kind, most from tenant_limits where tenant_id = tenant()
union all
select key_id, kind, most from key_limits where tenant_id = tenant() and key_id = $1

-- name: spend
-- Count what was used today.
insert into usage_changes (tenant_id, kind, day, holder, amount)
select tenant(), $1, (now() at time zone 'utc')::date, h, $2 from unnest($3::uuid[]) h

-- name: lock
-- Until this transaction ends, no other of the tenant is held against its limits.
select pg_advisory_xact_lock(1802465133, hashtext(tenant()::text))

-- name: used
-- How much of each is used ($1, in windows $2, by holders $3), and the seconds until its window ends.
with moment as (select clock_timestamp() at time zone 'utc' as utc),
windows as (
    select n.counted, n.window_name,
           case n.window_name when 'day' then m.utc::date when 'month' then date_trunc('month', m.utc)::date
                              else 'epoch'::date end as since,
           case n.window_name when 'day' then extract(epoch from date_trunc('day', m.utc) + interval '1 day' - m.utc)
                              when 'month' then extract(epoch from date_trunc('month', m.utc) + interval '1 month' - m.utc)
                              else 0 end::double precision as left_s
    from moment m, unnest($1::text[], $2::text[]) as n (counted, window_name)),
counts as (
    select u.kind, u.day, u.holder, u.amount from usage u
    where u.tenant_id = tenant() and u.kind = any($1) and u.holder = any($3)
      and (u.day = 'epoch' or u.day >= (select date_trunc('month', m.utc)::date from moment m))
    union all
    select c.kind, c.day, c.holder, c.amount from usage_changes c
    where c.tenant_id = tenant() and c.kind = any($1) and c.holder = any($3))
select w.counted, h as holder, coalesce(sum(c.amount), 0)::bigint as amount, w.left_s
from windows w cross join unnest($3::uuid[]) h
left join counts c on c.kind = w.counted and c.holder = h
    and case when w.window_name is null then c.day = w.since else c.day >= w.since end
group by w.counted, h, w.left_s

-- name: by_day
-- What the tenant has used on each of the last $1 days.
select x.day, x.kind as counted, sum(x.amount)::bigint as amount
from (select kind, day, amount from usage
      where tenant_id = tenant() and holder = '00000000-0000-0000-0000-000000000000' and day <> 'epoch'
      union all
      select kind, day, amount from usage_changes
      where tenant_id = tenant() and holder = '00000000-0000-0000-0000-000000000000' and day <> 'epoch') x
where x.day > (now() at time zone 'utc')::date - $1::integer
group by 1, 2 order by 1 desc, 2

-- name: set_tenant_limits
-- The operator sets limits.
select set_tenant_limits($1, $2, $3, $4)

-- name: drop_key_limits
-- A key has no limits but its tenant's.
delete from key_limits where tenant_id = tenant() and key_id = $1

-- name: set_key_limits
-- Limit a key.
insert into key_limits (tenant_id, key_id, kind, most, set_by)
select tenant(), $1, n.kind, n.most, $4 from unnest($2::text[], $3::bigint[]) as n (kind, most)

-- name: take
-- Take from the windows of several holders at once.
select granted, remaining, wait_s from take_quota($1, $2, $3, $4, $5, $6)
