-- Silos: databases of their own, one for each of some tenants. Everything of a tenant is in one database, its people's
-- accounts too; this one, the home, knows which tenants live elsewhere, and how far the moves of tenants have come.

-- Tenants that are not simply here. Rows belong to no tenant: the id is all zeros.
--   leaving    is about to be moved: workers begin nothing new for it
--   held       is being moved: it is read, and not written
--   away       lives elsewhere; in the home, `silo` says where
--   arriving   its rows are being copied to here
--   open       it lives here, and what its workers do begins in a moment
create table knowlog.places (
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000'
              check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    placed_id uuid not null,
    state     text not null check (state in ('leaving', 'held', 'away', 'arriving', 'open')),
    silo      text check (length(silo) between 1 and 63),
    since     timestamptz not null default now(),
    primary key (tenant_id, placed_id)
);

-- The last move of each tenant; in the home alone. A null silo is the home. `told`: what has been copied and seen.
create table knowlog.moves (
    tenant_id   uuid not null default '00000000-0000-0000-0000-000000000000'
                check (tenant_id = '00000000-0000-0000-0000-000000000000'),
    moved_id    uuid not null,
    source      text,
    target      text,
    step        text not null check (step in ('asked', 'copying', 'holding', 'switched', 'done', 'given up')),
    cancelled   boolean not null default false,
    told        jsonb not null default '{}',
    reason      text,
    asked_at    timestamptz not null default now(),
    changed_at  timestamptz not null default now(),
    finished_at timestamptz,
    primary key (tenant_id, moved_id),
    check (source is distinct from target)
);
-- Whoever moves a tenant copies the rows of every table.
grant select, insert, update, delete on all tables in schema knowlog to knowlog_definer;
revoke all on knowlog.migrations from knowlog_definer;
select knowlog.protect_tables();

-- Every transaction of a tenant begins with this. Its lock tells the mover who may still write; it is taken before the look,
-- so that whoever has not seen a hold is seen by it. A tenant that is not here is an error of the class KL, whose hint says
-- where it is; one that is held is read, and whatever writes fails.
create function knowlog.enter(tenant uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    place record;
begin
    if current_setting('transaction_read_only') = 'off' then
        perform pg_advisory_xact_lock_shared(1802465141, hashtext(tenant::text));
    end if;
    select p.state, p.silo into place from places p
    where p.tenant_id = '00000000-0000-0000-0000-000000000000' and p.placed_id = tenant;
    if not found or place.state in ('leaving', 'open') then
        return;
    elsif place.state = 'held' then
        perform set_config('transaction_read_only', 'on', true);
    else
        raise exception 'the tenant is not here' using errcode = 'KL001', hint = coalesce(place.silo, '');
    end if;
end $$;
grant execute on function knowlog.enter(uuid) to knowlog_system;
select knowlog.give_to_definer('knowlog_app', array['enter(uuid)']);

-- The accounts of people move with their tenants: while one is held, or its rows are left behind, they are not changed.
create function knowlog.hold_person() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(1802465141, hashtext(m.tenant_id::text)) from members m
    where m.person_id = old.person_id order by m.tenant_id;
    if exists (select from members m join places p on p.placed_id = m.tenant_id
               where m.person_id = old.person_id and p.state in ('held', 'away')) then
        raise exception 'a tenant of this person is being moved' using errcode = 'read_only_sql_transaction';
    end if;
    return new;
end $$;
create trigger people_stay before update on knowlog.people
for each row when (old.* is distinct from new.*) execute function knowlog.hold_person();
select knowlog.give_to_definer('knowlog_definer', array['hold_person()']);

-- The silo where a tenant lives; null for this database, or for nobody's id.
create function knowlog.place_of(id uuid) returns text
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select p.silo from places p where p.placed_id = id and p.state = 'away'
$$;

-- A tenant that lived elsewhere was deleted there. Its names are nobody's any more.
create function knowlog.forget_place(id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with gone as (delete from places p where p.placed_id = id and p.state = 'away' returning 1),
    names as (delete from addresses a where a.leads_to = id and exists (select from gone)),
    moved as (delete from moves m where m.moved_id = id)
    select exists (select from gone)
$$;

-- Ask for a move. False while another is under way.
create function knowlog.ask_move(id uuid, from_silo text, to_silo text) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with asked as (
        insert into moves as m (moved_id, source, target, step) values (id, from_silo, to_silo, 'asked')
        on conflict (tenant_id, moved_id) do update
        set source = excluded.source, target = excluded.target, step = 'asked', cancelled = false, told = '{}',
            reason = null, asked_at = now(), changed_at = now(), finished_at = null
        where m.finished_at is not null
        returning 1)
    select exists (select from asked)
$$;

-- Give a move up, unless the tenant is at its new place already.
create function knowlog.cancel_move(id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with cancelled as (
        update moves m set cancelled = true, changed_at = now()
        where m.moved_id = id and m.finished_at is null and m.step <> 'switched' returning 1)
    select exists (select from cancelled)
$$;

create function knowlog.moves_of(id uuid)
returns table (moved_id uuid, source text, target text, step text, cancelled boolean, told jsonb, reason text,
               asked_at timestamptz, changed_at timestamptz, finished_at timestamptz)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select m.moved_id, m.source, m.target, m.step, m.cancelled, m.told, m.reason, m.asked_at, m.changed_at, m.finished_at
    from moves m where case when id is null then m.finished_at is null else m.moved_id = id end order by m.asked_at
$$;

-- For metrics and doctor: tenants in each silo, and moves under way.
create function knowlog.silo_overview() returns table (silo text, tenants bigint, moving bigint)
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select x.silo, count(*) filter (where x.lives), count(*) filter (where not x.lives)
    from (select p.silo, true as lives from places p where p.state = 'away' and p.silo is not null
          union all
          select coalesce(m.target, m.source), false from moves m where m.finished_at is null) x
    group by x.silo order by x.silo
$$;

create function knowlog.tenants_here() returns bigint
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select count(*) from tenants t
    where not exists (select from places p where p.placed_id = t.tenant_id and p.state in ('away', 'arriving'))
$$;
select knowlog.give_to_definer('knowlog_system', array[
    'tenants_here()', 'place_of(uuid)', 'forget_place(uuid)', 'ask_move(uuid, text, text)', 'cancel_move(uuid)', 'moves_of(uuid)',
    'silo_overview()']);

-- What workers begin, they begin for tenants that are simply here: most of these functions leave out suspended tenants
-- already, and leave out these as well. Lists have those that live here; names can lead to those that live elsewhere.
grant create on schema knowlog to knowlog_definer;
set local role knowlog_definer;
do $$
declare
    placed constant text := 'select from places p where p.tenant_id = ''00000000-0000-0000-0000-000000000000'' and p.placed_id';
    here constant text := 't.suspended_at is null and not exists (' || placed || ' = t.tenant_id)';
    changes constant text[][] := array[
        ['waiting_tenants', 't.suspended_at is null', here],
        ['pick_expired', 't.suspended_at is null', here],
        ['claim_announced', 't.suspended_at is null', here],
        ['due_schedules', 't.suspended_at is null', here],
        ['next_schedule_s', 't.suspended_at is null', here],
        ['webhooks_behind', 't.suspended_at is null', here],
        ['active_sources', 't.suspended_at is null', here],
        ['claim_embedding_build', 't.suspended_at is null', here],
        ['due_work', 't.suspended_at is null', here],
        ['queue_depth', 't.suspended_at is null', here],
        ['follow_events', 'e.type = any(types)',
         'e.type = any(types) and not exists (' || placed || ' = e.tenant_id and p.state = ''away'')'],
        ['tenants_listed', 'after_id is null or t.tenant_id > after_id',
         '(after_id is null or t.tenant_id > after_id) and not exists ('
             || placed || ' = t.tenant_id and p.state in (''away'', ''arriving''))'],
        ['fold_statistics', 'where exists (select from statistics_changes s',
         'where not exists (' || placed || ' = c.tenant_id) and exists (select from statistics_changes s'],
        ['fold_usage', 'from usage_changes x order by',
         'from usage_changes x where not exists (' || placed || ' = x.tenant_id) order by'],
        ['take_address', 'if not found then',
         'if not found and not exists (' || placed || ' = id and p.state = ''away'') then']];
    change text[];
    text_before text;
begin
    foreach change slice 1 in array changes loop
        select pg_get_functiondef(p.oid) into strict text_before from pg_proc p
        where p.pronamespace = 'knowlog'::regnamespace and p.proname = change[1];
        if position(change[2] in text_before) = 0 then
            raise exception 'the function % is not the one that was to be changed', change[1];
        end if;
        execute replace(text_before, change[2], change[3]);
    end loop;
end $$;
reset role;
revoke create on schema knowlog from knowlog_definer;
