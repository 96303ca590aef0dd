"""What a worker counts, for Prometheus; served when KNOWLOG_WORKER_METRICS_PORT is set."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from knowlog.kernel.errors import Misconfigured

JOBS = Counter("knowlog_worker_jobs", "Jobs that this worker was done with.", ["type"])
FAULTS = Counter("knowlog_worker_faults", "Batches that ended in a fault that no handler foresaw.", ["type"])
HELD = Gauge("knowlog_worker_jobs_held", "Jobs that this worker holds at this moment.")

ANNOUNCED = Counter("knowlog_worker_announced", "Events of which this process told the broker.")
FORGOTTEN = Counter("knowlog_worker_events_forgotten", "Old events that this worker deleted.")
FIRED = Counter("knowlog_worker_schedules_fired", "Times that this worker fired a schedule.")
REFRESHED = Counter(
    "knowlog_worker_documents_refreshed",
    "Documents that were fetched again: updated, unchanged, unreachable.",
    ["outcome"],
)
REBUILT = Counter(
    "knowlog_worker_vectors_rebuilt", "Vectors that this worker made anew for another embedding model."
)
RECHUNKED = Counter(
    "knowlog_worker_documents_rechunked",
    "Documents that this worker put into the queue to be cut anew by a changed profile.",
)
MEASURED = Counter("knowlog_worker_questions_measured", "Questions that this worker measured for runs.")
TRIALS = Counter("knowlog_worker_trials", "Configurations that this worker measured for tunings.")
SUMMARIES = Counter(
    "knowlog_worker_summaries",
    "Summaries that this worker made, by the rung on which they stand: generated, generated_by_second, extractive.",
    ["rung"],
)
SWITCHED = Counter("knowlog_worker_switches", "Collections that this worker switched to another index.")
INDEXES_DROPPED = Counter(
    "knowlog_worker_indexes_dropped",
    "Indexes beside those that answer that this worker removed at their time.",
)
MODELS_DIFFER = Gauge(
    "knowlog_worker_models_differ",
    "1 while workers have different embedding models, and make no vectors anew.",
)
CLOCK_AHEAD = Gauge(
    "knowlog_worker_clock_ahead_seconds",
    "By how much this worker's clock is ahead of the database's; below 0 it is behind.",
)
PUBLISHED = Counter("knowlog_worker_published", "Events that this worker published to the operator's topic.")
MAILS = Counter(
    "knowlog_worker_mails",
    "Attempts to send a mail: sent, failed (tried again), dead (not tried again), needless.",
    ["result"],
)
DELIVERIES = Counter(
    "knowlog_webhook_deliveries",
    "Attempts to deliver to webhooks: delivered, failed (tried again), dead (not tried again).",
    ["result"],
)
DELIVERY_SECONDS = Histogram(
    "knowlog_webhook_delivery_seconds",
    "How long an attempt took.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 15, 30),
)
SOURCE_MESSAGES = Counter(
    "knowlog_source_messages",
    "Messages of sources: taken, repeated (had their effect before), dead (kept as dead letters).",
    ["kind", "result"],
)
SOURCES_TROUBLED = Gauge(
    "knowlog_sources_troubled", "Active sources of all tenants that are not read at this moment."
)
INBOX_FORGOTTEN = Counter("knowlog_source_inbox_forgotten", "Taken messages that this worker forgot.")
QUESTIONS_FORGOTTEN = Counter(
    "knowlog_worker_questions_forgotten", "Kept questions whose term was over, that this worker deleted."
)
THREADS_FORGOTTEN = Counter(
    "knowlog_worker_threads_forgotten",
    "Threads whose term was over, or of revoked keys, that this worker deleted.",
)
UPLOADS_FORGOTTEN = Counter(
    "knowlog_worker_uploads_forgotten",
    "Uploads in pieces whose term was over, finished or not, that this worker deleted.",
)
MOVES = Counter(
    "knowlog_worker_moves", "Moves of tenants to other databases: done, put off (tried again).", ["result"]
)
_held: dict[str, int] = {}


def summarized(rung: str) -> None:
    """Count a summary."""
    SUMMARIES.labels(rung).inc()


def hold(worker: str, count: int) -> None:
    """Note how many jobs one of this process's workers holds."""
    _held[worker] = count
    HELD.set(sum(_held.values()))


def serve_metrics(port: int | None) -> None:
    """Serve the counters on this machine's loopback address. Raises Misconfigured when the port is taken."""
    if port is None:
        return
    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        raise Misconfigured(
            f"The worker cannot serve metrics on port {port}: {error.strerror}."
            " Choose another KNOWLOG_WORKER_METRICS_PORT."
        ) from error
