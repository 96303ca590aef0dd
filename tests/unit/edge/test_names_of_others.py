"""Names are asked for side by side: one whose server does not answer holds up nobody else's."""

import asyncio
import socket
from threading import Event
from time import monotonic
from typing import Any

import pytest
import uvloop

from knowlog.edge import resolve


def test_names_that_do_not_answer_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty of them are waited for, in the loop that servers run, and another is found at once."""
    usual, over = socket.getaddrinfo, Event()

    def slow(host: str, *told: Any, **more: Any) -> Any:
        return over.wait(10) and [] if host.endswith(".slow") else usual(host, *told, **more)

    async def ask() -> float:
        waiting = [asyncio.create_task(resolve(f"h{number}.slow", 443)) for number in range(60)]
        await asyncio.sleep(0)
        begun = monotonic()
        assert await resolve("127.0.0.1", 443) == ["127.0.0.1"]
        took = monotonic() - begun
        over.set()
        await asyncio.gather(*waiting)
        return took

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) < 3
