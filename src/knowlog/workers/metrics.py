"""What a worker counts, for Prometheus; served when KNOWLOG_WORKER_METRICS_PORT is set."""

from prometheus_client import Counter, Gauge, start_http_server

from knowlog.kernel.errors import Misconfigured

JOBS = Counter("knowlog_worker_jobs", "Jobs that this worker was done with.", ["type"])
FAULTS = Counter("knowlog_worker_faults", "Batches that ended in a fault that no handler foresaw.", ["type"])
HELD = Gauge("knowlog_worker_jobs_held", "Jobs that this worker holds at this moment.")

ANNOUNCED = Counter("knowlog_worker_announced", "Events of which this process told the broker.")
REBUILT = Counter(
    "knowlog_worker_vectors_rebuilt", "Vectors that this worker made anew for another embedding model."
)


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
