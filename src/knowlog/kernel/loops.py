"""Event loops."""

import asyncio
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec


def faster_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the faster event loop, for `asyncio.Runner`; None on Windows, which has none."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory
