-- Every request asks whose its key is. This role is the one that a login has without putting it on, so that the question
-- takes one statement instead of a transaction; it may ask this question, and nothing else.

do $$
begin
    create role knowlog_door nologin noinherit;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema knowlog to knowlog_door;

-- A key that is valid at this moment, by the hash of its secret. `used_again`: its last use is to be written down.
-- A tenant that is not here is an error of the class KL, as `enter` has it.
create function knowlog.key_of(tenant uuid, hash bytea)
returns table (key_id uuid, role text, collections uuid[], groups uuid[], used_again boolean, suspended boolean)
language plpgsql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    if exists (select from places p where p.tenant_id = '00000000-0000-0000-0000-000000000000' and p.placed_id = tenant
               and p.state not in ('leaving', 'open', 'held')) then
        raise exception 'the tenant is not here' using errcode = 'KL001';
    end if;
    return query
    select k.key_id, k.role, k.collections, k.groups, k.last_used_at is null or k.last_used_at < now() - interval '1 minute',
           exists (select from tenants t where t.tenant_id = tenant and t.suspended_at is not null)
    from api_keys k
    where k.tenant_id = tenant and k.secret_hash = hash and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > now());
end $$;
select knowlog.give_to_definer('knowlog_door', array['key_of(uuid, bytea)']);
