"""Who touches what: the only way to open a transaction."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Scope:
    """What a principal may touch.

    `collections` is None when it may touch all of the tenant's. `subjects` are those for whom the principal stands in
    the lists that say who may see a document: a member, groups; None when it sees every document. `principal` names
    the caller for the record, for example "key:0192...".
    """

    tenant_id: UUID
    principal: str
    collections: frozenset[UUID] | None = None
    subjects: frozenset[UUID] | None = None

    def may_touch(self, collection_id: UUID) -> bool:
        """Say whether the collection is within the scope."""
        return self.collections is None or collection_id in self.collections
