"""Figures for Prometheus. None of them names a tenant."""

from collections import Counter as Counted
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from knowlog.database import Database
from knowlog.edge.admission import Admission
from knowlog.edge.connections import Connections
from knowlog.edge.sharing import added
from knowlog.resilience import Turns, dependencies, kinds_apart

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_OVERVIEWS = (
    "queue_depth", "unfinished_documents", "embedding_overview", "life_overview", "audit_overview",
    "provisioning_overview",
)  # fmt: skip


class Metrics:
    """The figures of one server process."""

    def __init__(self, admission: Admission, connections: Connections) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        """Of this process."""
        self.overviews = CollectorRegistry(auto_describe=True)
        """Of the whole installation, as the databases tell it."""
        ProcessCollector(registry=self.registry)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._count_requests()
        self._measure_searches()
        self._measure_work()
        self._measure_rebuilds()
        self._measure_tenants()
        self._measure_silos()
        self._measure_dependencies()
        self._watch_connections(connections)
        self._watch_admission(admission)

    def _count_requests(self) -> None:
        self._requests = Counter(
            "knowlog_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "knowlog_http_request_duration_seconds",
            "From the request's headers to the end of the answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._received = Counter(
            "knowlog_documents_received",
            "Documents accepted, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self._pieces = Counter(
            "knowlog_upload_pieces",
            "Pieces of uploads that were kept: whole, part (the connection broke off).",
            ["result"],
            registry=self.registry,
        )
        self._takes = Gauge(
            "knowlog_limits_takes",
            "How often a store was asked for requests or uploads of a minute, since the start.",
            ["store"],
            registry=self.registry,
        )
        self._refused = Counter(
            "knowlog_limits_refused",
            "Requests that a limit of a tenant or a key refused, by limit.",
            ["limit"],
            registry=self.registry,
        )
        self._strangers = Counter(
            "knowlog_callers_refused",
            "Keys and tokens that were offered and open nothing, or not any more.",
            registry=self.registry,
        )
        self._reused = Counter(
            "knowlog_refresh_tokens_reused",
            "Refresh tokens that were offered a second time, so that their session was ended.",
            registry=self.registry,
        )

        self._sign_ons = Counter(
            "knowlog_sign_ons",
            "Sign-ins by tenants' providers that came back, by result.",
            ["result"],
            registry=self.registry,
        )

        self._sign_outs = Counter(
            "knowlog_sign_outs",
            "Sign-outs that tenants' providers have told of, by result.",
            ["result"],
            registry=self.registry,
        )

    def _measure_searches(self) -> None:
        self._searches = Histogram(
            "knowlog_search_duration_seconds",
            "From a question to its passages, by retrieval pattern.",
            ["pattern"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._calls = Counter(
            "knowlog_search_model_calls",
            "Calls of a language model for searches, by retrieval pattern.",
            ["pattern"],
            registry=self.registry,
        )

        self._turns = Counter(
            "knowlog_thread_turns",
            "Answers of threads: stored, lost (the answer was given, the thread gone or full, or the database away).",
            ["outcome"],
            registry=self.registry,
        )

    def _measure_work(self) -> None:
        self._queue = self._gauge("knowlog_queue_jobs", "Jobs in the queue, by state.", "state")
        self._oldest = self._gauge("knowlog_queue_oldest_seconds", "Age of the oldest waiting job.")
        self._documents = self._gauge(
            "knowlog_documents_unfinished", "Documents not indexed, by state.", "state"
        )

    def _measure_rebuilds(self) -> None:
        self._rebuilds = self._gauge(
            "knowlog_embedding_rebuild_collections",
            "Collections whose vectors are being made anew for another embedding model.",
        )
        self._rebuild_chunks = self._gauge(
            "knowlog_embedding_rebuild_chunks",
            "Chunks of those collections, and how many of them are done.",
            "state",
        )
        self._rebuilds_held_up = self._gauge(
            "knowlog_embedding_rebuild_held_up",
            "1 while something is in the way of making vectors anew: the collections say what.",
        )

    def _watch_connections(self, connections: Connections) -> None:
        self._watch("knowlog_http_connections", "Connections open.", lambda: connections.open)
        self._watch(
            "knowlog_http_connections_evicted",
            "Connections that waited and were closed for others' sake, since the start.",
            lambda: connections.evicted,
        )

    def _watch_admission(self, admission: Admission) -> None:
        self._watch(
            "knowlog_http_requests_in_hand",
            "Requests of known callers under way.",
            lambda: admission.working.taken,
        )
        self._watch(
            "knowlog_http_requests_arriving",
            "Requests of known callers whose body is still coming.",
            lambda: admission.arriving.taken,
        )
        self._watch(
            "knowlog_http_bodies_bytes",
            "Bytes of bodies and large answers in hand.",
            lambda: admission.bytes,
        )

    def _measure_tenants(self) -> None:
        self._suspended = self._gauge("knowlog_tenants_suspended", "Tenants that are suspended.")
        self._audit = self._gauge("knowlog_audit_records", "Records in all audit logs.")
        self._audit_cut = self._gauge(
            "knowlog_audit_chains_cut",
            "Audit logs that do not end where their head says: records were removed or changed.",
        )

        self._provisioned = self._gauge(
            "knowlog_provisioning_members", "Members that identity providers keep, by SCIM."
        )
        self._unkept = self._gauge(
            "knowlog_provisioning_tenants_without_key",
            "Tenants with such members and no valid key of the role provisioner: leavers stay.",
        )

    def _measure_silos(self) -> None:
        self._silos = self._gauge(
            "knowlog_silo_answers", "1 while the database of its own of some tenants answers.", "silo"
        )

    def _measure_dependencies(self) -> None:
        self._dependencies = Gauge(
            "knowlog_dependency_state",
            "Servers by the state of what stands before a dependency: closed, open (it is left alone), half-open.",
            ["dependency", "state"],
            registry=self.registry,
        )
        self._dependency_calls = Gauge(
            "knowlog_dependency_events",
            "How often, since the start, it opened, refused a call or repeated one; calls under way.",
            ["dependency", "event"],
            registry=self.registry,
        )

        self._apart = self._gauge(
            "knowlog_dependency_holders",
            "How many tenants' guards of a kind are in which state; each tenant has its own.",
            "kind", "state",
        )  # fmt: skip

    def _set_dependencies(self) -> None:
        for kind in kinds_apart():
            states = kind.states()
            for state in ("closed", "open", "half-open"):
                self._apart.labels(kind.kind, state).set(states[state])
        for each in dependencies():
            for state in ("closed", "open", "half-open"):
                self._dependencies.labels(each.name, state).set(each.state == state)
            for event in ("opened", "refused", "retried", "under_way"):
                self._dependency_calls.labels(each.name, event).set(getattr(each, event))

    def watch_turns(self, turns: Turns) -> None:
        """Show how many questions are answered at once, and what is refused."""
        self._watch(
            "knowlog_questions_limit", "Questions that are let in at once, for now.", lambda: turns.limit.now
        )
        self._watch("knowlog_questions_working", "Questions that are being answered.", lambda: turns.working)
        self._watch("knowlog_questions_waiting", "Questions that wait for their turn.", lambda: turns.waiting)
        self._watch(
            "knowlog_questions_refused", "Questions that were refused for lack of a turn, since the start.",
            lambda: turns.refused,
        )  # fmt: skip

    def watch_answers(self, standing: Counted[str], rungs: Sequence[str]) -> None:
        """Show on which rung of the ladder answers stood."""
        answers = Gauge(
            "knowlog_answers_standing",
            "Answers since the start, by rung of the ladder.",
            ["rung"],
            registry=self.registry,
        )
        for rung in rungs:
            answers.labels(rung).set_function(partial(standing.__getitem__, rung))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.overviews)

    def _watch(self, name: str, meaning: str, look: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self.registry).set_function(look)

    def request_done(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is the template, never the path itself."""
        key = (method if method in _METHODS else "other", route, status)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (
                self._requests.labels(key[0], route, str(status)),
                self._latency.labels(key[0], route),
            )
        found[0].inc()
        found[1].observe(seconds)

    def searched(self, pattern: str, seconds: float, calls: int) -> None:
        """Count one search, and how often it asked a language model."""
        self._searches.labels(pattern).observe(seconds)
        if calls:
            self._calls.labels(pattern).inc(calls)

    def turn_ended(self, *, stored: bool) -> None:
        """Count one answer of a thread."""
        self._turns.labels("stored" if stored else "lost").inc()

    def document_received(self, outcome: str) -> None:
        """Count one accepted document."""
        self._received.labels(outcome).inc()

    def piece_kept(self, *, whole: bool) -> None:
        """Count one piece of an upload."""
        self._pieces.labels("whole" if whole else "part").inc()

    def limit_reached(self, limit: str) -> None:
        """Count one request that a limit refused."""
        self._refused.labels(limit).inc()

    def watch_limits(self, takes: Counted[str], rests: Callable[[], bool]) -> None:
        """Show how often the store of the limits was asked, and whether Redis is replaced at the moment."""
        for store in ("postgresql", "redis"):
            self._takes.labels(store).set_function(partial(takes.__getitem__, store))
        self._watch(
            "knowlog_limits_redis_resting",
            "1 while Redis does not answer and PostgreSQL counts requests in its place.",
            rests,
        )

    def caller_refused(self) -> None:
        """Count a key or token that opens nothing."""
        self._strangers.inc()

    def token_reused(self) -> None:
        """Count a refresh token that was offered a second time."""
        self._reused.inc()

    def signed_on(self, result: str) -> None:
        """Count a sign-in by a provider, however it ended."""
        self._sign_ons.labels(result).inc()

    def signed_out(self, result: str) -> None:
        """Count what a provider has told of a sign-out: heard or refused."""
        self._sign_outs.labels(result).inc()

    def render_alone(self) -> bytes:
        """Write the figures of this process in Prometheus' text form."""
        self._set_dependencies()
        return generate_latest(self.registry)

    async def render(self, database: Database, others: Sequence[bytes] = ()) -> bytes:
        """Read the queues of all databases that answer, and write every figure in Prometheus' text form.

        `others` are the figures of the servers beside this one, which are added to its. Raises Unavailable where the
        home does not answer.
        """
        await self._look_over(database)
        alone = self.render_alone()
        return (added([alone, *others]) if others else alone) + generate_latest(self.overviews)

    async def _look_over(self, database: Database) -> None:
        places = await database.reachable()
        answering = {each.name for each in places}
        for name in database.silos:
            self._silos.labels(name).set(name in answering)
        found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for place in places:
            async with place.system() as connection:
                for name in _OVERVIEWS:
                    found[name] += await connection.fetch(f"select * from {name}()")  # noqa: S608 - names of ours
        for state in ("waiting", "running", "failed"):
            self._queue.labels(state).set(_sum(found["queue_depth"], state))
        self._oldest.set(max(each["oldest_s"] for each in found["queue_depth"]))
        self._suspended.set(_sum(found["life_overview"], "suspended"))
        self._audit.set(_sum(found["audit_overview"], "records"))
        self._audit_cut.set(_sum(found["audit_overview"], "cut"))
        self._provisioned.set(_sum(found["provisioning_overview"], "members"))
        self._unkept.set(_sum(found["provisioning_overview"], "without_key"))
        counts: Counted[str] = Counted()
        for row in found["unfinished_documents"]:
            counts[row["state"]] += row["documents"]
        for state in ("received", "parsing", "embedding", "failed"):
            self._documents.labels(state).set(counts[state])
        self._set_rebuilds([row for row in found["embedding_overview"] if row["building"] is not None])

    def _set_rebuilds(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rebuilds.set(sum(row["collections"] for row in rows))
        for state in ("done", "total"):
            self._rebuild_chunks.labels(state).set(sum(row[state] for row in rows))
        self._rebuilds_held_up.set(any(row["reason"] for row in rows))


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """One figure over all databases."""
    return float(sum(row[name] for row in rows))
