-- The schema, the roles, and two procedures with which every migration keeps the law of the house.
--   knowlog_app      does a tenant's work; bound by the policies
--   knowlog_system   may call the listed functions that look across tenants, and nothing else
--   knowlog_definer  owns those functions; nobody can log in as it

create extension if not exists vector;

create schema if not exists knowlog;

do $$
declare
    role_name text;
begin
    foreach role_name in array array['knowlog_app', 'knowlog_system', 'knowlog_definer'] loop
        begin
            execute format('create role %I nologin noinherit', role_name);
        exception when duplicate_object or unique_violation then null;
        end;
        if not pg_has_role(current_user, role_name, 'set') then
            -- Never inherited: the policies of a role hold for whoever inherits it.
            execute format('grant %I to current_user with inherit false, set true', role_name);
        end if;
    end loop;
end $$;

-- The tenant of this transaction. With none set the cast fails, and so does the query.
create function knowlog.tenant() returns uuid language sql stable parallel safe
as $$ select pg_catalog.current_setting('knowlog.tenant')::pg_catalog.uuid $$;

-- Put row-level security on every table of the schema that has none yet.
create function knowlog.protect_tables() returns void language plpgsql as $$
declare
    t regclass;
begin
    for t in select c.oid from pg_catalog.pg_class c
             where c.relnamespace = 'knowlog'::regnamespace and c.relkind in ('r', 'p')
               and not c.relrowsecurity and c.relname <> 'migrations' loop
        execute format('alter table %s enable row level security, force row level security', t);
        execute format('create policy tenant on %s to knowlog_app using (tenant_id = knowlog.tenant()) '
                       'with check (tenant_id = knowlog.tenant())', t);
        execute format('create policy definer on %s to knowlog_definer using (true) with check (true)', t);
    end loop;
end $$;

-- Hand SECURITY DEFINER functions to knowlog_definer, callable by `caller` alone.
create function knowlog.give_to_definer(caller name, signatures text[]) returns void language plpgsql as $$
declare
    signature text;
begin
    grant create on schema knowlog to knowlog_definer;
    foreach signature in array signatures loop
        execute format('revoke all on function knowlog.%s from public', signature);
        execute format('grant execute on function knowlog.%s to %I', signature, caller);
        execute format('alter function knowlog.%s owner to knowlog_definer', signature);
    end loop;
    revoke create on schema knowlog from knowlog_definer;
end $$;

revoke all on function knowlog.protect_tables(), knowlog.give_to_definer(name, text[]) from public;
