"""Figures for Prometheus. None of them names a tenant."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from knowlog.database import Database

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one server process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
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
        self._queue = Gauge(
            "knowlog_queue_jobs", "Jobs in the queue, by state.", ["state"], registry=self.registry
        )
        self._oldest = Gauge(
            "knowlog_queue_oldest_seconds", "Age of the oldest waiting job.", registry=self.registry
        )
        self._documents = Gauge(
            "knowlog_documents_unfinished",
            "Documents not indexed, by state.",
            ["state"],
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

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

    def document_received(self, outcome: str) -> None:
        """Count one accepted document."""
        self._received.labels(outcome).inc()

    async def render(self, database: Database) -> bytes:
        """Read the queue, and write every figure in Prometheus' text form. Raises Unavailable."""
        async with database.system() as connection:
            queue = await connection.fetchrow("select * from queue_depth()")
            unfinished = await connection.fetch("select * from unfinished_documents()")
        for state in ("waiting", "running", "failed"):
            self._queue.labels(state).set(queue[state])
        self._oldest.set(queue["oldest_s"])
        counts = {row["state"]: row["documents"] for row in unfinished}
        for state in ("received", "parsing", "embedding", "failed"):
            self._documents.labels(state).set(counts.get(state, 0))
        return generate_latest(self.registry)
