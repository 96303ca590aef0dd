"""The audit log: who did what, when, from where. Recorded in the transaction of the change, or not at all."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal
from uuid import UUID

import orjson

from knowlog.database import Connection, Scope, load_queries
from knowlog.tenants.chain import NO_HASH, Anchor

_SQL = load_queries("knowlog.tenants", "audit.sql")
OPERATORS_CHAIN = UUID(int=0)
"""The chain of what the operator does, which outlives the tenants that it was done to."""
_LONGEST = 500
_LONGEST_DETAIL = 16_000
_MOST_ITEMS = 100
_SECRETS = re.compile(r"(kl_[0-9a-f]{32}_|whsec_|eyJ[\w-]+\.)[\w+/=.-]+")

ACTIONS: Mapping[str, str] = {
    "answer.asked": "A question was answered (only with KNOWLOG_API_AUDIT_READS).",
    "collection.access_changed": "A collection was given to some only, or to others.",
    "collection.rollback_asked": "A collection is to go back to what it was before its last switch.",
    "collection.switch_asked": "A collection is to change to another profile and index in one step.",
    "collection.changed": "A collection was renamed, or got another profile.",
    "collection.created": "A collection was created.",
    "collection.deleted": "A collection was deleted with its documents.",
    "dataset.created": "A dataset of questions was created.",
    "dataset.deleted": "A dataset was deleted with its runs.",
    "dead_letter.deleted": "A dead letter was deleted, or so many of a source.",
    "dead_letter.replayed": "A dead letter was taken in.",
    "document.access_changed": "A document was given to some only, or to others.",
    "document.changed": "A document's title or metadata was changed.",
    "document.deleted": "A document was deleted.",
    "document.retried": "A failed document is indexed again.",
    "documents.uploaded": "Documents came in by one request (not with KNOWLOG_API_AUDIT_UPLOADS=false).",
    "domain.checked": "The proof of a domain was looked for.",
    "domain.given_up": "The tenant gave a domain up.",
    "domain.named": "The tenant said that a domain is its own.",
    "domain.released": "The operator let a domain lead to the tenant no longer.",
    "feedback.deleted": "What somebody thinks of an answer was deleted.",
    "feedback.given": "Somebody said what they think of an answer.",
    "group.created": "A group was created.",
    "group.deleted": "A group was deleted.",
    "group.joined": "Members joined a group.",
    "group.left": "Members left a group.",
    "group.provisioned": "Provisioning let members join or leave a group, or renamed it.",
    "group.renamed": "A group got another name.",
    "invitation.accepted": "Somebody became a member by an invitation.",
    "invitation.created": "Somebody was invited.",
    "invitation.withdrawn": "An invitation was withdrawn.",
    "job.cancelled": "A job was cancelled.",
    "job.retried": "A failed or cancelled job is tried again.",
    "jobs.retried": "Dead jobs are tried again.",
    "key.created": "An API key was created.",
    "key.issued": "The operator issued a key to the tenant.",
    "key.limited": "A key got other limits.",
    "key.refused": "A key that is revoked or has expired was offered (told once an hour).",
    "key.revoked": "An API key was revoked.",
    "language_model.kept": "The tenant entrusted a language model of its own, or another.",
    "language_model.removed": "The tenant's own language model was forgotten.",
    "member.added": "A person became a member.",
    "member.changed": "A member got another role or name, or was disabled or enabled.",
    "member.removed": "A member was removed.",
    "origin.added": "Pages of an origin may call for the tenant.",
    "origin.removed": "Pages of an origin may call no longer.",
    "password.changed": "A member changed their password.",
    "questions.forgotten": "Questions are kept no longer, and those kept were deleted.",
    "questions.kept": "Questions that are asked are kept from now on.",
    "run.cancelled": "A run was cancelled.",
    "run.deleted": "A run was deleted.",
    "run.started": "A collection is measured on a dataset.",
    "schedule.changed": "A schedule was switched on or off.",
    "schedule.created": "A schedule was created.",
    "schedule.deleted": "A schedule was deleted.",
    "schedule.run": "A schedule's work was asked for out of turn.",
    "search.asked": "Passages were searched for (only with KNOWLOG_API_AUDIT_READS).",
    "secret.kept": "A secret was kept, or got another value.",
    "secret.removed": "A secret was forgotten.",
    "secrets.given_up": "The operator gave up what was kept under a key that is lost.",
    "secrets.rewrapped": "The operator wrapped data keys by the current key.",
    "second_factor.added": "A member's second factor came into force.",
    "second_factor.removed": "A member's second factor was removed.",
    "session.ended": "A member signed out.",
    "session.opened": "A member signed in.",
    "session.reused": "A refresh token was used twice, and its session ended.",
    "sign_on.added": "A single sign-on was added.",
    "sign_on.changed": "A single sign-on was changed.",
    "sign_on.logged_out": "A provider said that somebody has signed out there: their sessions by it have ended.",
    "sign_on.linked": "An account of a provider came in for the first time, as this member.",
    "sign_on.refused": "An account of a provider was not let in.",
    "sign_on.removed": "A single sign-on was removed.",
    "signing_keys.taken_back": "The operator took back the keys that sign access tokens.",
    "source.changed": "A source was paused, let go on, or given another collection.",
    "source.created": "The operator created a source.",
    "source.deleted": "The operator deleted a source.",
    "summary.asked": "A summary was asked for, or its renewal.",
    "summary.deleted": "A summary was deleted.",
    "summary_batch.asked": "A summary of each document of a collection was asked for.",
    "summary_batch.cancelled": "A batch of summaries was cancelled.",
    "summary_batch.resumed": "A batch of summaries goes on.",
    "tenant.addressed": "The operator gave the tenant a slug.",
    "tenant.changed": "The operator changed a tenant's weight.",
    "tenant.created": "The operator created the tenant.",
    "tenant.deleted": "The operator deleted the tenant.",
    "tenant.exported": "The tenant's archive was written.",
    "tenant.imported": "The tenant was brought in from an archive.",
    "tenant.limited": "The operator set the tenant's limits.",
    "tenant.move_asked": "The operator asked for a tenant to be moved to another database.",
    "tenant.move_cancelled": "The operator gave a tenant's move up.",
    "tenant.moved": "A tenant was moved to another database, as the operator had asked.",
    "tenant.resumed": "The operator let the tenant go on.",
    "tenant.suspended": "The operator suspended the tenant.",
    "thread.created": "Somebody began a conversation of their own.",
    "thread.deleted": "Somebody deleted a conversation of their own.",
    "thread.renamed": "Somebody gave a conversation of their own another title.",
    "tuning.cancelled": "A tuning was cancelled.",
    "tuning.deleted": "A tuning was deleted.",
    "tuning.started": "A better profile is sought for a collection.",
    "webhook.changed": "A webhook was changed.",
    "webhook.created": "A webhook was created.",
    "webhook.deleted": "A webhook was deleted.",
    "webhook.redelivered": "A delivery is made once more.",
    "webhook.replayed": "A webhook gets its events since a moment again.",
    "webhook.rotated": "A webhook got a new secret.",
    "webhook.tested": "A test event was sent to a webhook.",
}
"""All that is recorded, and what it means."""


@dataclass(frozen=True, slots=True)
class Call:
    """Where a call comes from; `recorded` collects what it has had recorded."""

    address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    recorded: set[str] = field(default_factory=set)


CALL: ContextVar[Call | None] = ContextVar("call", default=None)
"""The call that this task works for; None in a worker."""


@dataclass(frozen=True, slots=True)
class WantedRecords:
    """Which records to list; None is any. `since` is included, `until` is not."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def record(
    connection: Connection,
    scope: Scope,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record what the principal of `scope` does to `subject`, such as "collection:<id>", in this transaction.

    `detail` says more in plain JSON: ids, names, numbers; never a secret, an address with one in it, or a
    document's text. It gets its place in the tenant's chain when the transaction commits.
    """
    await connection.execute(_SQL["record"], *_entry(scope, action, subject, detail))


async def record_as_operator(
    connection: Connection,
    scope: Scope,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record, in a system transaction, what the operator does: in the tenant's chain and in the operator's own."""
    entry = _entry(scope, action, subject, detail)
    await connection.execute(_SQL["record_of"], scope.tenant_id, *entry)
    await record_in_operators_chain(connection, scope, action, subject, detail)


async def record_also_for_operator(
    connection: Connection, scope: Scope, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Record, in a transaction of the tenant, what the operator does in it: as `record_as_operator` does."""
    await record(connection, scope, action, subject, detail)
    await connection.execute("set local role knowlog_system")
    await record_in_operators_chain(connection, scope, action, subject, detail)
    await connection.execute("set local role knowlog_app")


async def record_in_operators_chain(
    connection: Connection,
    scope: Scope,
    action: str,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record, in a system transaction, what the operator does in the operator's chain alone, with the tenant's id."""
    told = {**(detail or {}), "tenant_id": scope.tenant_id}
    await connection.execute(_SQL["record_of"], OPERATORS_CHAIN, *_entry(scope, action, subject, told))


async def list_records(
    connection: Connection,
    wanted: WantedRecords,
    behind: int | None = None,
    most: int = 100,
    order: Literal["newest", "oldest"] = "newest",
) -> list[dict[str, Any]]:
    """List the tenant's records behind the sequence `behind`, each as it was hashed, and its hash."""
    rows = await connection.fetch(
        _SQL[f"list_{order}"], behind, wanted.action, wanted.actor, wanted.subject, _moment(wanted.since),
        _moment(wanted.until), most,
    )  # fmt: skip
    return [{**orjson.loads(row["record"]), "hash": row["hash"]} for row in rows]


async def audit_head(connection: Connection) -> Anchor:
    """Where the tenant's chain ends: kept elsewhere, it shows later that nothing was cut off."""
    row = await connection.fetchrow(_SQL["head"])
    return Anchor(0, NO_HASH) if row is None else Anchor(row["sequence"], row["hash"])


def _entry(
    scope: Scope, action: str, subject: str | None, detail: Mapping[str, Any] | None
) -> tuple[str | None, ...]:
    """The arguments of the record. Raises KeyError for an action that is not in the list."""
    call = CALL.get() or Call()
    ACTIONS[action]
    call.recorded.add(action)
    told = orjson.dumps(_clean(detail or {}), option=orjson.OPT_SORT_KEYS).decode()
    if len(told) > _LONGEST_DETAIL:
        told = '{"left_out":"too long"}'
    return (
        action, _text(scope.principal), subject and _text(subject), told, call.address,
        call.user_agent and _text(call.user_agent), call.request_id,
    )  # fmt: skip


def _clean(value: Any) -> Any:
    """The value as JSON can hold it, without what looks like a secret."""
    if isinstance(value, Mapping):
        return {str(name): _clean(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        more = [f"and {len(value) - _MOST_ITEMS} more"] if len(value) > _MOST_ITEMS else []
        return [_clean(each) for each in islice(value, _MOST_ITEMS)] + more
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _text(value.isoformat() if isinstance(value, datetime) else str(value))


def _text(value: str) -> str:
    return _SECRETS.sub(r"\1[secret]", value.replace("\0", ""))[:_LONGEST]


def _moment(moment: datetime | None) -> str | None:
    """As it stands in a record."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
