"""Figures for Prometheus. None of them names a tenant."""

from collections import Counter as Counted
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from knowlog.database import Database
from knowlog.edge.admission import Admission
from knowlog.edge.connections import Connections
from knowlog.edge.overviews import Overviews
from knowlog.edge.servers_beside import added
from knowlog.resilience import Turns, dependencies, kinds_apart

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one server process."""

    def __init__(self, admission: Admission, connections: Connections) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        """Of this process."""
        self.overviews = Overviews()
        ProcessCollector(registry=self.registry)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._count_requests()
        self._count_callers()
        self._measure_searches()
        self._measure_dependencies()
        self._watch_connections(connections)
        self._watch_admission(admission)

    def _count_requests(self) -> None:
        self._requests = self._counter(
            "knowlog_http_requests", "Requests answered.", "method", "route", "status"
        )
        self._latency = self._durations(
            "knowlog_http_request_duration_seconds",
            "From the request's headers to the end of the answer.",
            "method", "route",
        )  # fmt: skip
        self._received = self._counter(
            "knowlog_documents_received", "Documents accepted, by outcome.", "outcome"
        )
        self._pieces = self._counter(
            "knowlog_upload_pieces",
            "Pieces of uploads that were kept: whole, part (the connection broke off).",
            "result",
        )
        self._takes = self._gauge(
            "knowlog_limits_takes",
            "How often a store was asked for requests or uploads of a minute, since the start.",
            "store",
        )
        self._refused = self._counter(
            "knowlog_limits_refused",
            "Requests that a limit of a tenant or a key refused, by limit.",
            "limit",
        )

    def _count_callers(self) -> None:
        self._strangers = self._counter(
            "knowlog_callers_refused", "Keys and tokens that were offered and open nothing, or not any more."
        )
        self._reused = self._counter(
            "knowlog_refresh_tokens_reused",
            "Refresh tokens that were offered a second time, so that their session was ended.",
        )
        self._sign_ons = self._counter(
            "knowlog_sign_ons", "Sign-ins by tenants' providers that came back, by result.", "result"
        )
        self._sign_outs = self._counter(
            "knowlog_sign_outs", "Sign-outs that tenants' providers have told of, by result.", "result"
        )

    def _measure_searches(self) -> None:
        self._searches = self._durations(
            "knowlog_search_duration_seconds",
            "From a question to its passages, by retrieval pattern.",
            "pattern",
        )
        self._calls = self._counter(
            "knowlog_search_model_calls",
            "Calls of a language model for searches, by retrieval pattern.",
            "pattern",
        )
        self._turns = self._counter(
            "knowlog_thread_turns",
            "Answers of threads: stored, lost (the answer was given, the thread gone or full, or the database away).",
            "outcome",
        )

    def _measure_dependencies(self) -> None:
        self._dependencies = self._gauge(
            "knowlog_dependency_state",
            "Servers by the state of what stands before a dependency: closed, open (it is left alone), half-open.",
            "dependency", "state",
        )  # fmt: skip
        self._dependency_calls = self._gauge(
            "knowlog_dependency_events",
            "How often, since the start, it opened, refused a call or repeated one; calls under way.",
            "dependency", "event",
        )  # fmt: skip
        self._apart = self.overviews.gauge(
            "knowlog_dependency_holders",
            "How many tenants' guards of a kind are in which state; each tenant has its own.",
            "kind", "state",
        )  # fmt: skip

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
        answers = self._gauge(
            "knowlog_answers_standing", "Answers since the start, by rung of the ladder.", "rung"
        )
        for rung in rungs:
            answers.labels(rung).set_function(partial(standing.__getitem__, rung))

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _durations(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, buckets=_BUCKETS, registry=self.registry)

    def _watch(self, name: str, meaning: str, look: Callable[[], float]) -> None:
        self._gauge(name, meaning).set_function(look)

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
        await self.overviews.look_over(database)
        alone = self.render_alone()
        return (added([alone, *others]) if others else alone) + generate_latest(self.overviews.registry)
