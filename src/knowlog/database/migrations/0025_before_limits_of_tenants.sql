-- What a tenant may use, and what it has used.

-- The operator's limits of a tenant; a kind that is absent has the installation's default, null means no limit. A tenant
-- reads its own and changes none.
create table knowlog.tenant_limits (
    tenant_id uuid not null references knowlog.tenants on delete cascade,
    kind      text not null check (length(kind) between 1 and 50),
    most      bigint check (most >= 0),
    set_at    timestamptz not null default now(),
    primary key (tenant_id, kind)
);

-- What the tenant's own admins allow one of its keys.
create table knowlog.key_limits (
    tenant_id uuid not null,
    key_id    uuid not null,
    kind      text not null check (length(kind) between 1 and 50),
    most      bigint not null check (most >= 0),
    set_at    timestamptz not null default now(),
    set_by    text not null,
    primary key (tenant_id, key_id, kind),
    foreign key (tenant_id, key_id) references knowlog.api_keys on delete cascade
);

-- What was used, by day (UTC); what is stored at this moment stands under the day 'epoch'. `holder` is a key, or all zeros
-- for the tenant itself. Writers append to usage_changes; a worker folds them in. So no row is hot, and what is true is
-- the sum of both.
create table knowlog.usage (
    tenant_id uuid not null references knowlog.tenants on delete cascade,
    kind      text not null,
    day       date not null,
    holder    uuid not null,
    amount    bigint not null,
    primary key (tenant_id, kind, day, holder)
);
create table knowlog.usage_changes (
    tenant_id uuid not null references knowlog.tenants on delete cascade,
    change_id bigint generated always as identity,
    kind      text not null,
    day       date not null,
    holder    uuid not null,
    amount    bigint not null,
    primary key (tenant_id, change_id)
);

-- How often something was done in each of the last thirteen twelfths of a window: `counts`, oldest first, the last one at
-- `slot`. Not logged: after a crash of the database the windows begin anew, and taking from one waits for no disk.
create unlogged table knowlog.meters (
    tenant_id uuid not null references knowlog.tenants on delete cascade,
    holder    uuid not null,
    kind      text not null,
    slot      bigint not null,
    counts    bigint[] not null,
    primary key (tenant_id, holder, kind)
) with (fillfactor = 50);

grant select on knowlog.tenant_limits, knowlog.usage to knowlog_app;
grant select, insert on knowlog.usage_changes to knowlog_app;
grant select, insert, update, delete on knowlog.key_limits, knowlog.meters to knowlog_app;
grant select, insert, update, delete on
    knowlog.tenant_limits, knowlog.key_limits, knowlog.usage, knowlog.usage_changes, knowlog.meters
to knowlog_definer;
grant usage on all sequences in schema knowlog to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

-- Take up to `most` of a window's quota for every holder at once, and at least `least` or nothing. Whatever the callers'
-- clocks say, the database's counts. In any `window_s` seconds never more than the quota is taken: the window is counted
-- in twelfths, and the oldest counts whole until all of it has passed.
--   granted    how many may be done now
--   remaining  for each holder, how many are left after that
--   wait_s     where nothing was granted: after how long `least` will be; null if never
create function knowlog.take_quota(
    holders uuid[], what text, quotas bigint[], window_s integer, least_wanted bigint, most_wanted bigint)
returns table (granted bigint, remaining bigint[], wait_s double precision)
language plpgsql volatile as $$
declare
    slots constant integer := 13;
    owner constant uuid := tenant();
    slot_s double precision := window_s / 12.0;
    moment double precision;
    present bigint;
    held record;
    passed integer;
    kept bigint[];
    all_kept bigint[][] := '{}';
    used bigint;
    sum_so_far bigint;
    longest double precision := 0;
begin
    remaining := '{}';
    granted := most_wanted;
    for i in 1 .. cardinality(holders) loop
        select m.slot, m.counts into held from meters m
        where m.tenant_id = owner and m.holder = holders[i] and m.kind = what for update;
        if not found then
            insert into meters (tenant_id, holder, kind, slot, counts)
            values (owner, holders[i], what, 0, array_fill(0::bigint, array[slots])) on conflict do nothing;
            select m.slot, m.counts into held from meters m
            where m.tenant_id = owner and m.holder = holders[i] and m.kind = what for update;
        end if;
        moment := extract(epoch from clock_timestamp());  -- after the wait for the row
        present := greatest(floor(moment / slot_s)::bigint, held.slot);
        passed := least(present - held.slot, slots);
        kept := held.counts[passed + 1 : slots] || array_fill(0::bigint, array[passed]);
        used := (select sum(c) from unnest(kept) c);
        if quotas[i] - used < least_wanted then
            granted := 0;
            if least_wanted > quotas[i] then
                longest := null;
            else
                sum_so_far := quotas[i] - used;
                for k in 1 .. slots loop
                    sum_so_far := sum_so_far + kept[k];
                    if sum_so_far >= least_wanted then
                        longest := greatest(longest, (present + k) * slot_s - moment);
                        exit;
                    end if;
                end loop;
            end if;
        end if;
        granted := least(granted, greatest(0, quotas[i] - used));
        remaining := remaining || (quotas[i] - used);
        all_kept := all_kept || array[kept || present];
    end loop;
    if granted > 0 then
        for i in 1 .. cardinality(holders) loop
            update meters m
            set slot = all_kept[i][slots + 1],
                counts = array(select all_kept[i][k] + case when k = slots then granted else 0 end
                               from generate_series(1, slots) k)
            where m.tenant_id = owner and m.holder = holders[i] and m.kind = what;
        end loop;
        remaining := array(select r - granted from unnest(remaining) with ordinality as x (r, n) order by n);
    end if;
    remaining := array(select greatest(0, r) from unnest(remaining) with ordinality as x (r, n) order by n);
    wait_s := case when granted = 0 then longest else 0 end;
    return next;
end $$;

-- What is stored follows from what is written, whoever writes it: no path can forget to count. Rows of a tenant that is
-- being deleted are not counted; they have nowhere to go.
create function knowlog.count_stored() returns trigger
language plpgsql security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    if tg_table_name = 'documents' then
        insert into usage_changes (tenant_id, kind, day, holder, amount)
        select r.tenant_id, 'documents', 'epoch'::date, '00000000-0000-0000-0000-000000000000'::uuid,
               case tg_op when 'INSERT' then count(*) else -count(*) end
        from changed r where exists (select from tenants t where t.tenant_id = r.tenant_id) group by r.tenant_id;
    else
        insert into usage_changes (tenant_id, kind, day, holder, amount)
        select r.tenant_id, 'stored_bytes', 'epoch'::date, '00000000-0000-0000-0000-000000000000'::uuid,
               case tg_op when 'INSERT' then sum(r.size_bytes) else -sum(r.size_bytes) end
        from changed r where exists (select from tenants t where t.tenant_id = r.tenant_id) group by r.tenant_id;
    end if;
    return null;
end $$;

create trigger count_made after insert on knowlog.documents
    referencing new table as changed for each statement execute function knowlog.count_stored();
create trigger count_gone after delete on knowlog.documents
    referencing old table as changed for each statement execute function knowlog.count_stored();
create trigger count_made after insert on knowlog.versions
    referencing new table as changed for each statement execute function knowlog.count_stored();
create trigger count_gone after delete on knowlog.versions
    referencing old table as changed for each statement execute function knowlog.count_stored();
-- Given away last: who makes a trigger must be allowed to call its function.
select knowlog.give_to_definer('knowlog_system', array['count_stored()']);

-- What is there already.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
insert into knowlog.usage (tenant_id, kind, day, holder, amount)
select tenant_id, 'documents', 'epoch'::date, '00000000-0000-0000-0000-000000000000'::uuid, count(*)
from knowlog.documents group by tenant_id
union all
select tenant_id, 'stored_bytes', 'epoch'::date, '00000000-0000-0000-0000-000000000000'::uuid, sum(size_bytes)
from knowlog.versions group by tenant_id;
reset role;
revoke create on schema knowlog from knowlog_definer;

-- One worker folds for all: when that was done last (see take_turn).
create sequence knowlog.turn_usage minvalue 0 start 0;
grant select, update on sequence knowlog.turn_usage to knowlog_definer;

-- Fold changes into usage, up to `most`. Not while a tenant is being deleted.
create function knowlog.fold_usage(most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    folded bigint;
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.fold_statistics'));
    with gone as (
        delete from usage_changes c using (
            select x.tenant_id, x.change_id from usage_changes x order by x.tenant_id, x.change_id limit most) few
        where c.tenant_id = few.tenant_id and c.change_id = few.change_id
        returning c.tenant_id, c.kind, c.day, c.holder, c.amount),
    kept as (
        insert into usage as u (tenant_id, kind, day, holder, amount)
        select g.tenant_id, g.kind, g.day, g.holder, sum(g.amount) from gone g group by 1, 2, 3, 4
        order by 1, 2, 3, 4
        on conflict (tenant_id, kind, day, holder) do update set amount = u.amount + excluded.amount)
    select count(*) into folded from gone;
    return folded;
end $$;

-- What processes counted by themselves, of many tenants; those that are gone meanwhile are left out.
create function knowlog.record_usage(owners uuid[], holders uuid[], kinds text[], amounts bigint[]) returns void
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    insert into usage_changes (tenant_id, kind, day, holder, amount)
    select n.owner, n.kind, (now() at time zone 'utc')::date, n.holder, n.amount
    from unnest(owners, holders, kinds, amounts) as n (owner, holder, kind, amount)
    where exists (select from tenants t where t.tenant_id = n.owner)
$$;

-- The operator sets a tenant's limits: `kinds` and `mosts` belong together, null for none; of the others, those in
-- `defaults` go back to the installation's. Documents that waited for a limit's end are tried at once. False when there is
-- no such tenant.
create function knowlog.set_tenant_limits(id uuid, kinds text[], mosts bigint[], defaults text[]) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform from tenants t where t.tenant_id = id for key share;
    if not found then
        return false;
    end if;
    delete from tenant_limits l where l.tenant_id = id and l.kind = any(defaults);
    insert into tenant_limits as l (tenant_id, kind, most)
    select id, n.kind, n.most from unnest(kinds, mosts) as n (kind, most)
    on conflict (tenant_id, kind) do update set most = excluded.most, set_at = now();
    update events e set due_at = clock_timestamp()
    where e.tenant_id = id and e.type = 'document.received' and e.state = 'waiting' and e.due_at > clock_timestamp();
    perform pg_notify('knowlog_work', '');
    return true;
end $$;

-- For `knowlog doctor`: tenants that have used up what they may store, and how many changes wait to be folded.
create function knowlog.usage_health() returns table (unfolded bigint, full_up bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select (select count(*) from (select from usage_changes limit 1000000) c),
           (select count(*) from tenant_limits l
            where l.kind in ('documents', 'stored_bytes')
              and l.most <= (select coalesce(sum(u.amount), 0) from usage u
                             where u.tenant_id = l.tenant_id and u.kind = l.kind and u.day = 'epoch'))
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'fold_usage(integer)', 'record_usage(uuid[], uuid[], text[], bigint[])',
    'set_tenant_limits(uuid, text[], bigint[], text[])', 'usage_health()']);
