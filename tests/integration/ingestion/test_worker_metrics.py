"""A worker tells Prometheus what it has done."""

import socket

import httpx
import pytest

from knowlog.kernel.errors import Misconfigured
from knowlog.workers import metrics


def test_counters_are_served_where_the_setting_says() -> None:
    """The page names the counters; a port that is taken is told with the setting to change."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    metrics.serve_metrics(port)
    metrics.JOBS.labels("document.received").inc(3)
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert 'knowlog_worker_jobs_total{type="document.received"}' in page
    with pytest.raises(Misconfigured, match="KNOWLOG_WORKER_METRICS_PORT"):
        metrics.serve_metrics(port)
