-- The log after a restore into another cluster, whose transactions have numbers of their own.

-- Events from transactions that this cluster has not had yet: a dump of another one brought them. Readers of the log of all
-- tenants would wait for these numbers to come, and miss what is written until then. Such events, and those written since
-- (their positions go on from the restored ones), get the number before the oldest transaction that runs; readers beyond it
-- go back to what they have not read, and may be given something once more. Returns how many events that were; costs next to
-- nothing when there are none.
create function knowlog.mend_log() returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
declare
    past constant xid8 := (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8;
    restored bigint;
    mended bigint;
begin
    select coalesce((select max(e.position) from events e where e.xid >= pg_snapshot_xmax(pg_current_snapshot())),
                    (select min(r.position) from log_readers r where r.xid >= pg_snapshot_xmax(pg_current_snapshot())))
    into restored;
    if restored is null then
        return 0;
    end if;
    update log_readers r
    set xid = past,
        position = coalesce(
            (select min(e.position) - 1 from events e
             where (e.xid, e.position) > (r.xid, r.position) or e.position > restored),
            (select max(e.position) from events e), 0)
    where r.xid >= pg_snapshot_xmax(pg_current_snapshot());
    update events e set xid = past
    where e.xid >= pg_snapshot_xmax(pg_current_snapshot()) or (e.position > restored and e.xid < past);
    get diagnostics mended = row_count;
    return mended;
end $$;

select knowlog.give_to_definer('knowlog_system', array['mend_log()']);
