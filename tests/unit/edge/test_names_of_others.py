"""Names are asked for side by side: one whose server does not answer holds up nobody else's."""

import asyncio
import socket
from threading import Event
from time import monotonic
from typing import Any

import pytest
import uvloop

from knowlog.edge import Reach, checked_address, names_on_account_of, parse_url, resolve
from knowlog.kernel.errors import Invalid


def test_names_that_do_not_answer_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty of them are waited for, in the loop that servers run, and another is found at once."""
    usual, over = socket.getaddrinfo, Event()

    def slow(host: str, *told: Any, **more: Any) -> Any:
        return over.wait(10) and [] if host.endswith(".slow") else usual(host, *told, **more)

    async def ask() -> float:
        waiting = [asyncio.create_task(resolve(f"h{number}.slow", 443)) for number in range(60)]
        await asyncio.sleep(0)
        begun = monotonic()
        assert "127.0.0.1" in await resolve("localhost", 443)
        took = monotonic() - begun
        over.set()
        await asyncio.gather(*waiting)
        return took

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) < 3


def test_names_that_a_tenant_has_given_up_hold_up_no_other_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread is busy with a name though nobody waits for it any more: so long it counts as that tenant's."""
    usual, over = socket.getaddrinfo, Event()

    def slow(host: str, *told: Any, **more: Any) -> Any:
        return over.wait(20) and [] if host.endswith(".slow") else usual(host, *told, **more)

    async def found(tenant: str, host: str) -> str:
        names_on_account_of(tenant)
        reach = Reach(frozenset({443}), frozenset({"localhost"}), "SETTING", "nothing is called")
        return await checked_address(parse_url(f"https://{host}"), reach)

    async def ask() -> float:
        given_up = [asyncio.create_task(found("alice", f"h{number}.slow")) for number in range(300)]
        await asyncio.sleep(0.2)
        for each in given_up:
            each.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
        begun = monotonic()
        assert await found("bob", "localhost") == usual("localhost", 443)[0][4][0]
        took = monotonic() - begun
        over.set()
        return took

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) < 3


def test_a_name_whose_server_is_silent_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while that a person waits; what is waited for outside has a limit of its own."""
    monkeypatch.setattr("knowlog.edge.names.PATIENCE_S", 0.05)

    async def silent(host: str, port: int) -> list[str]:
        await asyncio.sleep(1)
        return ["1.1.1.1"]

    async def ask() -> None:
        reach = Reach(frozenset({443}), frozenset(), "SETTING", "nothing is called")
        with pytest.raises(Invalid, match=r"The address of a\.test was not found in"):
            await checked_address(parse_url("https://a.test"), reach, silent)

    asyncio.run(ask())
