-- name: lock_documents
-- The documents of some jobs, locked before their events, as a worker does that writes.
select from documents d
where d.tenant_id = tenant() and d.document_id in (
    select subject from events where tenant_id = tenant() and event_id = any($1::uuid[]))
order by d.document_id for update

-- name: stop_document
-- Nobody indexes this version any more: it has failed; or, where it answers already and was to be indexed anew, it goes on.
with stopped as (
    update documents d
    set state = case when d.version = d.latest then 'indexed' else 'failed' end,
        reason = case when d.version = d.latest then null else $2 end, updated_at = now()
    from events e
    where d.tenant_id = tenant() and e.tenant_id = tenant() and e.event_id = $1 and e.type = 'document.received'
      and d.document_id = e.subject and d.latest = (e.data ->> 'version')::int
      and d.state in ('received', 'parsing', 'embedding')
      and not exists (select from events other
                      where other.tenant_id = tenant() and other.subject = e.subject and other.type = e.type
                        and other.state in ('waiting', 'running') and other.event_id <> $1)
    returning d.document_id, d.collection_id, d.latest, d.state)
select document_id, collection_id, latest, state, pg_notify('knowlog_progress', tenant() || ':' || document_id) from stopped

-- name: restart_documents
-- Documents whose latest version is to be indexed by one of these jobs go back to the beginning.
with restarted as (
    update documents d
    set state = 'received', reason = null, attempts = 0, revision = d.revision + (d.state = 'failed')::int, updated_at = now()
    from (select distinct e.subject, (e.data ->> 'version')::int as version from events e
          where e.tenant_id = tenant() and e.event_id = any($1::uuid[]) and e.type = 'document.received') wanted
    where d.tenant_id = tenant() and d.document_id = wanted.subject and d.latest = wanted.version
      and d.state in ('failed', 'indexed')
    returning d.document_id)
select pg_notify('knowlog_progress', tenant() || ':' || document_id) from restarted
