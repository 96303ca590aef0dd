-- name: wrapped
-- All data keys as they are stored, and whose they are; the installation's is under its own id.
select tenant_id, wrapped, wrapped_by from knowlog.data_keys
union all
select tenant_id, wrapped, wrapped_by from knowlog.installation_keys

-- name: secrets
-- What tenants ($1) have kept by name.
delete from knowlog.secrets where tenant_id = any($1)

-- name: webhooks
-- Their webhooks sign with nothing, and are disabled until each has a new signing secret.
update knowlog.webhooks
set state = 'disabled', sealed = null, old_sealed = null,
    reason = 'Its signing secret was lost with the key of the installation. Give it another (rotate), then make it active.'
where tenant_id = any($1) and (sealed is not null or old_sealed is not null)

-- name: sign_ons
-- Their sign-ons lose what they are known by to their providers.
update knowlog.sign_ons set sealed = null where tenant_id = any($1) and sealed is not null

-- name: signing_keys
-- Keys that sign access tokens; the next sign-in or refresh makes another.
delete from knowlog.signing_keys where tenant_id = any($1)

-- name: second_factors
-- Apps make wrong codes from now on; recovery codes stay good. Who has none left is asked for no code any more: nothing
-- could be right.
update knowlog.people
set totp_sealed = null, totp_since = case when cardinality(recovery_hashes) > 0 then totp_since end
where tenant_id = any($1) and totp_sealed is not null

-- name: data_keys
-- The data keys themselves: the next secret makes another.
delete from knowlog.data_keys where tenant_id = any($1)

-- name: installation_keys
-- Likewise that of the installation.
delete from knowlog.installation_keys where tenant_id = any($1)
