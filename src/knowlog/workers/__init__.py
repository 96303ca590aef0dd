"""Processes that take jobs."""

from knowlog.workers.loop import Worker, run_worker, work_with

__all__ = ["Worker", "run_worker", "work_with"]
