"""What an archive holds: every table of a tenant is named here, or named as left out with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the archive. `restored`: its rows come back when the archive is brought in; the others are there to be
    read. `without`: columns that stay behind. `only`: a condition on the rows. `made`: columns that do not come back as
    they stand, or stay behind, with the expression that makes them. `told`: columns that count what all tenants do, with
    the expression (of the row `t` and what `beside` joins to it) that numbers the tenant's own instead.
    """

    name: str
    restored: bool = False
    without: frozenset[str] = frozenset()
    only: str = "true"
    made: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    beside: str = ""


_SHIFTED = {"chunk_id": "x.chunk_id + $2"}
_LIVE = "in (select coalesce(l.index_id, l.collection_id) from collections l where l.tenant_id = tenant())"
_ANSWERS = f"t.collection_id {_LIVE}"
"""Indexes that are built beside the one that answers stay behind."""
_CHUNK_NUMBERS = f"""
    join (select k.chunk_id as known, row_number() over (order by k.chunk_id) as number
          from chunks k where k.tenant_id = tenant() and k.collection_id {_LIVE}) n on n.known = t.chunk_id"""  # noqa: S608 - names of ours
_PLACES = {"xid", "position", "place"}
_PERSON_HERE = {"person_id": "person_of(x.email, gen_random_uuid())"}
_OWN_BLOB = {"blob": "tenant()::text || substr(x.blob, 37)"}

TABLES: tuple[Table, ...] = (
    Table("tenants", without=frozenset({"log_key", "suspended_at", "suspended_because"})),
    Table("members", restored=True, without=frozenset({"person_id"}), made=_PERSON_HERE),
    Table("groups", restored=True),
    Table("group_members", restored=True),
    Table("collections", restored=True),
    Table("indexes", restored=True, only=f"t.index_id <> t.collection_id and t.index_id {_LIVE}"),
    Table("documents", restored=True),
    Table("versions", restored=True, made=_OWN_BLOB),
    Table(
        "chunks",
        restored=True,
        only=_ANSWERS,
        made=_SHIFTED,
        told={"chunk_id": "row_number() over (order by t.chunk_id)"},
    ),
    Table("vectors", restored=True, made=_SHIFTED, told={"chunk_id": "n.number"}, beside=_CHUNK_NUMBERS),
    Table("chunk_terms", restored=True, made=_SHIFTED, told={"chunk_id": "n.number"}, beside=_CHUNK_NUMBERS),
    Table("collection_statistics", restored=True, only=_ANSWERS),
    Table("term_statistics", restored=True, only=_ANSWERS),
    Table("statistics_changes", restored=True, only=_ANSWERS, without=frozenset({"change_id"})),
    Table("embedding_builds", restored=True, without=frozenset({"worker", "lease_until", "after_chunk"})),
    Table("rechunkings", restored=True, without=frozenset({"after_document", "asked", "looked_at"})),
    Table("deletion_receipts", restored=True),
    Table("schedules", restored=True),
    Table("datasets", restored=True),
    Table("dataset_questions", restored=True),
    Table("runs", restored=True),
    Table("run_results", restored=True),
    Table("tunings"),
    Table("summaries", without=frozenset({"subjects"})),
    Table("question_keeping"),
    Table("asked_questions", restored=True),
    Table("feedback", restored=True),
    Table("origins", restored=True),
    Table("domains", without=frozenset({"token"})),
    Table("api_keys", without=frozenset({"secret_hash"})),
    Table("webhooks", without=frozenset({"secret", "old_secret", "sealed", "old_sealed", *_PLACES})),
    Table("sources"),
    Table("inbox"),
    Table("dead_letters", only="not withheld"),
    Table("events", without=frozenset({"xid"}), told={"position": "row_number() over (order by t.position)"}),
    Table("audit_records"),
    Table("own_models"),
    Table("secrets", without=frozenset({"sealed"})),
    Table("sign_ons", without=frozenset({"sealed"})),
    Table("sign_on_groups"),
    Table("sign_on_identities"),
    Table("tenant_limits"),
    Table("key_limits"),
    Table("usage"),
)
"""In the order in which rows can refer to each other. Later ones may refer to earlier ones alone."""

LEFT_OUT: Mapping[str, str] = {
    "data_keys": "open what is sealed, and stay with the installation whose key wraps them",
    "installation_keys": "belongs to no tenant",
    "usage_changes": "folded into usage within seconds",
    "meters": "what was done in the last minute",
    "idempotency_keys": "answers to requests of the last day, of keys that do not come along",
    "addresses": "belongs to no tenant; names are given and proven anew",
    "document_subjects": "follows from the lists of documents and collections",
    "subject_vectors": "follows from the lists of documents and their vectors",
    "widely_named": "follows from the lists of documents",
    "summary_sources": "summaries come to be read, and are made anew elsewhere",
    "summary_batches": "how far they were; their summaries come along to be read",
    "document_digests": "made anew where they are wanted",
    "switches": "what they lead back to stays behind",
    "audit_heads": "follows from the records",
    "audit_waiting": "empty between transactions",
    "sessions": "end with the tenant's life here; people sign in anew",
    "sign_on_attempts": "good for ten minutes, and lead here",
    "sign_on_logouts": "hashes of logout tokens, kept for minutes",
    "invitations": "their links lead here; people are invited anew",
    "signing_keys": "belong to no tenant, and sign for this installation alone",
    "password_resets": "belong to no tenant, and are good for an hour",
    "sign_in_failures": "belong to no tenant, and are forgotten within a day",
    "sign_in_origins": "belong to no tenant",
    "people": "belong to no tenant; their passwords stay here, members are known elsewhere by their addresses",
    "log_readers": "belongs to no tenant",
    "places": "belongs to no tenant: where it lives is the installation's business",
    "moves": "belongs to no tenant",
    "tenant_receipts": "belongs to no tenant",
    "uploads": "files on their way, which are sent anew where the tenant lives then",
    "upload_pieces": "belong to uploads",
    "threads": "conversations are their members' own, who export them; whoever exports a tenant does not read them",
    "turns": "belong to threads",
    "turn_citations": "belong to threads",
    "turn_statements": "belong to threads",
}
"""Tables of tenants that are not in an archive, and why."""
