-- What a person changes of a collection is counted, for If-Match; profile_version counts the profile's changes alone.
alter table knowlog.collections add column revision integer not null default 1;

-- Create a tenant unless this was asked for with the same Idempotency-Key within `kept`; return its id either way. The
-- key is claimed in the new tenant's own list, where the answer is kept with it.
create function knowlog.create_tenant_once(id uuid, tenant_name text, chosen text, request bytea, kept interval)
returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    known uuid;
begin
    perform pg_advisory_xact_lock(hashtextextended('knowlog.create_tenant ' || chosen, 0));
    select k.tenant_id into known from idempotency_keys k
    where k.principal = 'operator' and k.key = chosen and k.created_at > now() - kept
    order by k.created_at desc limit 1;
    if known is null then
        insert into tenants (tenant_id, name) values (id, tenant_name);
        insert into idempotency_keys (tenant_id, principal, key, request_hash) values (id, 'operator', chosen, request);
        known := id;
    end if;
    return known;
end $$;
create index idempotency_keys_of_operator on knowlog.idempotency_keys (tenant_id, key) where principal = 'operator';
select knowlog.give_to_definer('knowlog_system', array['create_tenant_once(uuid, text, text, bytea, interval)']);
