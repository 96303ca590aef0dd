"""Questions that are refused before they are requests: told as others are, on connections that go on as before."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI
from hint_scene import with_settings

from knowlog.api.server import configuration, listen
from knowlog.bootstrap import App

CROWD = b"Bearer kl_of_a_crowd"
BODY = b'{"question": "How long does the warranty last?"}'
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answered = tuple[int, dict[str, str], bytes]


def question(*lines: str, key: bytes = CROWD, path: str = "/v1/search") -> bytes:
    """A whole question."""
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(BODY)}", *lines, ""])
    return head.encode() + b"Authorization: " + key + b"\r\n\r\n" + BODY


async def answer(reader: asyncio.StreamReader) -> Answered:
    """The next answer on a connection."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    status, *lines = head.strip().split("\r\n")
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


@pytest.fixture(scope="module")
async def pressed(app: App) -> AsyncIterator[tuple[FastAPI, int]]:
    """A real server in an overload, of which somebody has far too many questions under way; and its port."""
    api = with_settings(app, header_timeout_s=1.0)
    listener = listen(api.state.settings)
    server = uvicorn.Server(configuration(api, api.state.settings))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    held = [await api.state.turns.take(holder) for holder in ("one", "other")]
    api.state.turns._overload = True
    api.state.turns._look = lambda: None  # it lasts, however few are refused here
    api.state.crowd._under_way[CROWD] = 1000
    yield api, listener.getsockname()[1]
    for turn in held:
        turn.end()
    server.should_exit = True
    await task


@pytest.fixture
async def line(pressed: tuple[FastAPI, int]) -> AsyncIterator[Pair]:
    """A connection to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pressed[1])
    yield reader, writer
    writer.close()


async def test_a_refusal_is_the_same_whichever_way_it_comes(line: Pair) -> None:
    """A question in two pieces goes the long way: status, headers and body are those of one in one piece."""
    reader, writer = line
    sent = question("X-Request-Id: mine")
    writer.write(sent)
    early = await answer(reader)
    writer.write(sent[:-10])
    await asyncio.sleep(0.05)
    writer.write(sent[-10:])
    late = await answer(reader)
    for each in (early, late):
        each[1].pop("date", None)
    late[1].pop("connection", None)  # it says that the rest of the body is not awaited
    assert early == late
    assert (early[0], early[1]["x-request-id"], early[1]["retry-after"]) == (503, "mine", "1")


async def test_the_connection_goes_on(line: Pair) -> None:
    """Several at once are answered in turn, and later ones after a pause longer than headers may take."""
    reader, writer = line
    writer.write(question() + question("X-Request-Id: second") + question())
    answered = [await answer(reader) for _ in range(3)]
    assert [each[0] for each in answered] == [503] * 3
    assert answered[1][1]["x-request-id"] == "second"
    await asyncio.sleep(1.3)
    writer.write(question())
    assert (await answer(reader))[0] == 503


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (question(key=b"Bearer kl_of_another"), 401),
        (question(path="/v1/nowhere"), 404),
        (b"GET /health/live HTTP/1.1\r\nHost: x\r\nAuthorization: " + CROWD + b"\r\n\r\n", 200),
        (question("Connection: close"), 503),
        (question("Expect: 100-continue"), 503),
    ],
    ids=["another", "no question", "health", "closing", "expecting"],
)
async def test_whatever_else_comes_goes_its_way(line: Pair, sent: bytes, status: int) -> None:
    """Only plain questions of who asks too much are refused unread."""
    reader, writer = line
    writer.write(sent)
    assert (await answer(reader))[0] == status


async def test_who_does_not_read_is_not_heard(line: Pair) -> None:
    """Refusals that nobody takes do not pile up in memory: the server stops reading."""
    _, writer = line

    async def flood() -> None:
        for _ in range(1000):
            writer.write(question() * 200)
            await writer.drain()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flood(), 2)
    writer.transport.abort()


async def test_refusals_are_counted_and_a_line_tells_of_those_of_a_second(
    pressed: tuple[FastAPI, int], line: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each would be a flood of its own."""
    api, reader, writer = pressed[0], *line
    api.state.early._tell()
    before = api.state.turns.refused
    with caplog.at_level(logging.INFO, "knowlog.access"):
        for _ in range(5):
            writer.write(question())
            await answer(reader)
        await asyncio.sleep(1.1)
    told = [each.fields["refused"] for each in caplog.records if "overload" in each.message]
    assert (sum(told), len(told) <= 2) == (5, True)
    assert api.state.turns.refused == before + 5
    assert b'knowlog_http_requests_total{method="POST",route="unmatched",status="503"}' in (
        api.state.metrics.render_alone()
    )
