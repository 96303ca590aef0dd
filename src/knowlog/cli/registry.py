"""The processes that commands run, by name: rooms beside this one, which it may not import."""

import gc
import importlib
from collections.abc import Callable
from typing import Any

PROCESSES = {
    "serve": "knowlog.api:run_api",
    "worker": "knowlog.workers:run_worker",
    "worker of one type": "knowlog.workers:work_with",
}


def process(name: str) -> Callable[..., Any]:
    """Return what runs the process until it is told to stop: for a worker, a coroutine function."""
    module, _, function = PROCESSES[name].partition(":")
    gc.disable()  # modules stay: looking for garbage among them makes each start, and later each full round, longer
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    finally:
        gc.enable()
    gc.freeze()
    return found
