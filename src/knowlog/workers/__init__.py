"""Processes that take jobs."""

from knowlog.workers.loop import Worker, run_worker

__all__ = ["Worker", "run_worker"]
