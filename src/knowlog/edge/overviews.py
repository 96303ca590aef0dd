"""Figures of the whole installation, as its databases tell them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from knowlog.database import Database

_Row = Mapping[str, Any]
_OVERVIEWS = (
    "queue_depth", "unfinished_documents", "embedding_overview", "life_overview", "audit_overview",
    "provisioning_overview",
)  # fmt: skip


class Overviews:
    """Gauges that are set anew whenever somebody asks for them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._measure_work()
        self._measure_rebuilds()
        self._measure_tenants()
        self._silos = self.gauge(
            "knowlog_silo_answers", "1 while the database of its own of some tenants answers.", "silo"
        )

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """Return another gauge that stands beside these."""
        return Gauge(name, meaning, labels, registry=self.registry)

    async def look_over(self, database: Database) -> None:
        """Set them, by all databases that answer. Raises Unavailable where the home does not."""
        places = await database.reachable()
        answering = {each.name for each in places}
        for name in database.silos:
            self._silos.labels(name).set(name in answering)
        found: defaultdict[str, list[_Row]] = defaultdict(list)
        for place in places:
            async with place.system() as connection:
                for name in _OVERVIEWS:
                    found[name] += await connection.fetch(f"select * from {name}()")  # noqa: S608 - names of ours
        self._set_work(found["queue_depth"], found["unfinished_documents"])
        self._set_rebuilds([row for row in found["embedding_overview"] if row["building"] is not None])
        self._set_tenants(found)

    def _measure_work(self) -> None:
        self._queue = self.gauge("knowlog_queue_jobs", "Jobs in the queue, by state.", "state")
        self._oldest = self.gauge("knowlog_queue_oldest_seconds", "Age of the oldest waiting job.")
        self._documents = self.gauge(
            "knowlog_documents_unfinished", "Documents not indexed, by state.", "state"
        )

    def _measure_rebuilds(self) -> None:
        self._rebuilds = self.gauge(
            "knowlog_embedding_rebuild_collections",
            "Collections whose vectors are being made anew for another embedding model.",
        )
        self._rebuild_chunks = self.gauge(
            "knowlog_embedding_rebuild_chunks",
            "Chunks of those collections, and how many of them are done.",
            "state",
        )
        self._rebuilds_held_up = self.gauge(
            "knowlog_embedding_rebuild_held_up",
            "1 while something is in the way of making vectors anew: the collections say what.",
        )

    def _measure_tenants(self) -> None:
        self._suspended = self.gauge("knowlog_tenants_suspended", "Tenants that are suspended.")
        self._audit = self.gauge("knowlog_audit_records", "Records in all audit logs.")
        self._audit_cut = self.gauge(
            "knowlog_audit_chains_cut",
            "Audit logs that do not end where their head says: records were removed or changed.",
        )
        self._provisioned = self.gauge(
            "knowlog_provisioning_members", "Members that identity providers keep, by SCIM."
        )
        self._unkept = self.gauge(
            "knowlog_provisioning_tenants_without_key",
            "Tenants with such members and no valid key of the role provisioner: leavers stay.",
        )

    def _set_work(self, depths: Sequence[_Row], unfinished: Sequence[_Row]) -> None:
        for state in ("waiting", "running", "failed"):
            self._queue.labels(state).set(_sum(depths, state))
        self._oldest.set(max(each["oldest_s"] for each in depths))
        counts: Counter[str] = Counter()
        for row in unfinished:
            counts[row["state"]] += row["documents"]
        for state in ("received", "parsing", "embedding", "failed"):
            self._documents.labels(state).set(counts[state])

    def _set_rebuilds(self, rows: Sequence[_Row]) -> None:
        self._rebuilds.set(_sum(rows, "collections"))
        for state in ("done", "total"):
            self._rebuild_chunks.labels(state).set(_sum(rows, state))
        self._rebuilds_held_up.set(any(row["reason"] for row in rows))

    def _set_tenants(self, found: Mapping[str, Sequence[_Row]]) -> None:
        self._suspended.set(_sum(found["life_overview"], "suspended"))
        self._audit.set(_sum(found["audit_overview"], "records"))
        self._audit_cut.set(_sum(found["audit_overview"], "cut"))
        self._provisioned.set(_sum(found["provisioning_overview"], "members"))
        self._unkept.set(_sum(found["provisioning_overview"], "without_key"))


def _sum(rows: Sequence[_Row], name: str) -> float:
    """One figure over all databases."""
    return float(sum(row[name] for row in rows))
