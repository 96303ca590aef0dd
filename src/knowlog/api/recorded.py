"""Every route that changes something, and what the audit log says of it.

A route that is in neither table fails a test; one that answers well and has not recorded what it should is told of in the
server's log, and fails the tests of the API.
"""

import logging
from collections.abc import Mapping

from fastapi import Request, Response

from knowlog.tenants import CALL

RECORDED: Mapping[str, str] = {
    "POST /v1/collections": "collection.created",
    "PATCH /v1/collections/{collection}": "collection.changed",
    "DELETE /v1/collections/{collection}": "collection.deleted",
    "POST /v1/collections/{collection}/switches": "collection.switch_asked",
    "POST /v1/collections/{collection}/rollback": "collection.rollback_asked",
    "PUT /v1/collections/{collection}/access": "collection.access_changed",
    "PATCH /v1/collections/{collection}/access": "collection.access_changed",
    "PUT /v1/documents/{document_id}/access": "document.access_changed",
    "PATCH /v1/documents/{document_id}/access": "document.access_changed",
    "POST /v1/collections/{collection}/documents": "documents.uploaded",
    "POST /v1/collections/{collection}/documents:batch": "documents.uploaded",
    "PATCH /v1/uploads/{upload_id:uuid}": "documents.uploaded",  # once it is whole
    "PATCH /v1/documents/{document_id:uuid}": "document.changed",
    "DELETE /v1/documents/{document_id:uuid}": "document.deleted",
    "POST /v1/documents/{document_id}:retry": "document.retried",
    "POST /v1/sessions": "session.opened",
    "POST /v1/sessions:switch": "session.opened",
    "DELETE /v1/sessions/{session_id}": "session.ended",
    "DELETE /v1/sessions/current": "session.ended",
    "DELETE /v1/sessions": "session.ended",
    "PUT /v1/password": "password.changed",
    "POST /v1/second-factor:confirm": "second_factor.added",
    "POST /v1/second-factor:remove": "second_factor.removed",
    "POST /v1/invitations": "invitation.created",
    "POST /v1/invitations:accept": "invitation.accepted",
    "DELETE /v1/invitations/{invitation_id}": "invitation.withdrawn",
    "DELETE /v1/signing-keys": "signing_keys.taken_back",
    "POST /v1/members": "member.added",
    "PATCH /v1/members/{member_id}": "member.changed",
    "DELETE /v1/members/{member_id}": "member.removed",
    "POST /v1/sign-on": "sign_on.added",
    "PATCH /v1/sign-on/{name}": "sign_on.changed",
    "POST /v1/sign-on/{tenant_id}/{name}/logout": "sign_on.logged_out",
    "DELETE /v1/sign-on/{name}": "sign_on.removed",
    "POST /v1/groups": "group.created",
    "PATCH /v1/groups/{group}": "group.renamed",
    "DELETE /v1/groups/{group}": "group.deleted",
    "POST /v1/groups/{group}/members": "group.joined",
    "DELETE /v1/groups/{group}/members/{member_id}": "group.left",
    "POST /v1/keys": "key.created",
    "DELETE /v1/keys/{key_id}": "key.revoked",
    "PUT /v1/keys/{key_id}/limits": "key.limited",
    "PUT /v1/tenants/{tenant_id}/limits": "tenant.limited",
    "PUT /v1/secrets/{name}": "secret.kept",
    "DELETE /v1/secrets/{name}": "secret.removed",
    "PUT /v1/language-model": "language_model.kept",
    "DELETE /v1/language-model": "language_model.removed",
    "POST /v1/secrets:rotate": "secrets.rewrapped",
    "POST /v1/jobs:retry": "jobs.retried",
    "POST /v1/jobs/{job_id}:retry": "job.retried",
    "POST /v1/jobs/{job_id}:cancel": "job.cancelled",
    "POST /scim/v2/Users": "member.added",
    "PUT /scim/v2/Users/{id}": "member.changed",
    "PATCH /scim/v2/Users/{id}": "member.changed",
    "DELETE /scim/v2/Users/{id}": "member.removed",
    "POST /scim/v2/Groups": "group.created",
    "PUT /scim/v2/Groups/{id}": "group.provisioned",
    "PATCH /scim/v2/Groups/{id}": "group.provisioned",
    "DELETE /scim/v2/Groups/{id}": "group.deleted",
    "POST /v1/schedules": "schedule.created",
    "PATCH /v1/schedules/{schedule}": "schedule.changed",
    "POST /v1/schedules/{schedule}/runs": "schedule.run",
    "DELETE /v1/schedules/{schedule}": "schedule.deleted",
    "POST /v1/datasets": "dataset.created",
    "POST /v1/datasets:draft": "dataset.created",
    "POST /v1/datasets:from-questions": "dataset.created",
    "POST /v1/datasets:from-feedback": "dataset.created",
    "DELETE /v1/datasets/{dataset}": "dataset.deleted",
    "PUT /v1/kept-questions": "questions.kept",
    "DELETE /v1/kept-questions": "questions.forgotten",
    "POST /v1/answers/{answer_id}/feedback": "feedback.given",
    "DELETE /v1/feedback/{feedback_id:uuid}": "feedback.deleted",
    "POST /v1/threads": "thread.created",
    "PATCH /v1/threads/{thread_id:uuid}": "thread.renamed",
    "DELETE /v1/threads/{thread_id:uuid}": "thread.deleted",
    "POST /v1/runs": "run.started",
    "POST /v1/runs/{run_id:uuid}:cancel": "run.cancelled",
    "DELETE /v1/runs/{run_id:uuid}": "run.deleted",
    "POST /v1/tunings": "tuning.started",
    "POST /v1/tunings/{tuning_id:uuid}:cancel": "tuning.cancelled",
    "POST /v1/tunings/{tuning_id:uuid}:apply": "collection.switch_asked",
    "DELETE /v1/tunings/{tuning_id:uuid}": "tuning.deleted",
    "POST /v1/summaries": "summary.asked",
    "POST /v1/summaries/{summary_id:uuid}:renew": "summary.asked",
    "DELETE /v1/summaries/{summary_id:uuid}": "summary.deleted",
    "POST /v1/summaries/batches": "summary_batch.asked",
    "POST /v1/summaries/batches/{batch_id:uuid}:cancel": "summary_batch.cancelled",
    "POST /v1/summaries/batches/{batch_id:uuid}:resume": "summary_batch.resumed",
    "POST /v1/webhooks": "webhook.created",
    "PATCH /v1/webhooks/{endpoint_id:uuid}": "webhook.changed",
    "DELETE /v1/webhooks/{endpoint_id:uuid}": "webhook.deleted",
    "POST /v1/webhooks/{endpoint_id:uuid}:rotate": "webhook.rotated",
    "POST /v1/webhooks/{endpoint_id:uuid}:test": "webhook.tested",
    "POST /v1/webhooks/{endpoint_id:uuid}:replay": "webhook.replayed",
    "POST /v1/webhooks/{endpoint_id:uuid}/deliveries/{delivery_id:uuid}:replay": "webhook.redelivered",
    "PATCH /v1/sources/{source_id:uuid}": "source.changed",
    "POST /v1/tenants/{tenant_id:uuid}/sources": "source.created",
    "DELETE /v1/tenants/{tenant_id:uuid}/sources/{source_id:uuid}": "source.deleted",
    "DELETE /v1/sources/{source_id:uuid}/dead-letters": "dead_letter.deleted",
    "POST /v1/dead-letters/{dead_letter_id:uuid}:replay": "dead_letter.replayed",
    "DELETE /v1/dead-letters/{dead_letter_id:uuid}": "dead_letter.deleted",
    "POST /v1/domains": "domain.named",
    "POST /v1/domains/{domain}/proof": "domain.checked",
    "DELETE /v1/domains/{domain}": "domain.given_up",
    "POST /v1/origins": "origin.added",
    "DELETE /v1/origins": "origin.removed",
    "PUT /v1/tenants/{tenant_id}/slug": "tenant.addressed",
    "DELETE /v1/tenants/{tenant_id}/domains/{domain}": "domain.released",
    "POST /v1/tenants": "key.created",  # the first; the tenant itself may have been made by a twin of the request
    "PATCH /v1/tenants/{tenant_id}": "tenant.changed",
    "DELETE /v1/tenants/{tenant_id}": "tenant.deleted",
    "POST /v1/tenants/{tenant_id}/keys": "key.issued",
    "POST /v1/tenants/{tenant_id:uuid}/move": "tenant.move_asked",
    "DELETE /v1/tenants/{tenant_id:uuid}/move": "tenant.move_cancelled",
    "PUT /v1/tenants/{tenant_id:uuid}/suspension": "tenant.suspended",
    "DELETE /v1/tenants/{tenant_id:uuid}/suspension": "tenant.resumed",
}
"""Method and route -> the action that a success is recorded as. The handler calls `tenants.record` in its transaction."""

NOT_RECORDED: Mapping[str, str] = {
    "POST /v1/collections/{collection}/uploads": "a file on its way; taking it in is recorded",
    "DELETE /v1/uploads/{upload_id:uuid}": "gives up what was taken in nowhere",
    "POST /v1/search": "changes nothing; recorded where KNOWLOG_API_AUDIT_READS says so",
    "POST /v1/sessions:refresh": "goes on with a session whose opening was recorded; a token used twice is recorded",
    "POST /v1/password-resets": "asked by anybody, for addresses that may be nobody's",
    "POST /v1/password-resets:use": "concerns a person over all tenants and no tenant; the person is mailed",
    "POST /v1/second-factor": "in force once it was confirmed, which is recorded",
    "POST /v1/invitations:read": "changes nothing; whoever accepts is recorded",
    "POST /v1/sign-on/{name}/provider/check": "changes nothing: asks the provider about itself",
    "POST /v1/documents/{document_id:uuid}/cuts": "changes nothing: shows how a document would be cut",
    "POST /v1/language-model:check": "changes nothing: asks the model for one word",
    "POST /v1/answers": "changes nothing but a thread of the caller's; recorded where KNOWLOG_API_AUDIT_READS says so",
    "POST /scim/v2/Users/.search": "changes nothing: a filter that is too long for an address",
    "POST /scim/v2/Groups/.search": "changes nothing: a filter that is too long for an address",
    **{
        f"{method} /scim/v2/{{rest:path}}": "what provisioning does not have: not found, not allowed, not supported"
        for method in ("POST", "PUT", "PATCH", "DELETE")
    },
}
"""Method and route -> why a success need not be recorded."""

_log = logging.getLogger("knowlog.audit")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def check_recorded(request: Request, path: str, response: Response) -> None:
    """Say in the log that a change was made which the audit log does not know."""
    call, name = CALL.get(), f"{request.method} {path}"
    if request.method in _SAFE or response.status_code >= 400 or call is None or name in NOT_RECORDED:
        return
    if "Idempotency-Replayed" in response.headers or not _wanted(request, name):
        return
    if getattr(request.state, "unchanged", False):
        return
    if RECORDED.get(name) not in call.recorded:
        _log.error("a change was not recorded in the audit log", extra={"fields": {"route": name}})


def _wanted(request: Request, name: str) -> bool:
    uploads = RECORDED.get(name) == "documents.uploaded"
    return not uploads or request.app.state.settings.audit_uploads
