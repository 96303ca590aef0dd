-- Vectors are made anew only while all workers have the same embedding model: two that differ would rebuild for ever, one
-- against the other.

-- What was announced last, (31 bits of the key's hash, the second); and when two that differ were last seen. Kept as values
-- of sequences: there is one of each for the installation, and a sequence is no tenant's row.
create sequence knowlog.model_announced minvalue 0 start 0;
create sequence knowlog.models_differed minvalue 0 start 0;
grant select, update on sequence knowlog.model_announced, knowlog.models_differed to knowlog_definer;

-- A worker says which model it has. False when another was announced within `fresh`, or was within the last `quiet`.
create function knowlog.announce_model(key text, fresh interval, quiet interval) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    mine bigint := hashtextextended(key, 0) & 2147483647;
    now_s bigint;
    last bigint;
    differed_s bigint;
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.model_announced'));
    now_s := extract(epoch from clock_timestamp());
    select last_value into last from knowlog.model_announced;
    if last >> 32 <> mine and last & 4294967295 > now_s - extract(epoch from fresh) then
        perform setval('knowlog.models_differed', now_s);
    end if;
    perform setval('knowlog.model_announced', mine << 32 | now_s);
    select last_value into differed_s from knowlog.models_differed;
    return differed_s not between now_s - extract(epoch from quiet) and now_s;
end $$;

-- A worker that stops takes its word back, so that the next one need not wait.
create function knowlog.withdraw_model(key text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('knowlog.model_announced'));
    if (select last_value from knowlog.model_announced) >> 32 = hashtextextended(key, 0) & 2147483647 then
        perform setval('knowlog.model_announced', 0);
    end if;
end $$;

-- Whether workers with different models were seen within `quiet`: for doctor.
create function knowlog.models_differ(quiet interval) returns boolean
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select extract(epoch from clock_timestamp()) - last_value < extract(epoch from quiet) from knowlog.models_differed
$$;

select knowlog.give_to_definer('knowlog_system', array[
    'announce_model(text, interval, interval)', 'withdraw_model(text)', 'models_differ(interval)']);
