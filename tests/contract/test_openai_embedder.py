"""What a person and the retry logic get to know when an OpenAI-compatible endpoint misbehaves."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from embedding_endpoint import Endpoint, serving
from fastapi import Response
from fastapi.responses import StreamingResponse

from knowlog.kernel.errors import KnowlogError, LimitReached, Misconfigured, Unavailable


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint that is honest until told otherwise."""
    async with serving() as served:
        yield served


async def refusal(endpoint: Endpoint, kind: type[KnowlogError], **changes: object) -> KnowlogError:
    """The error that an embedder at this endpoint raises."""
    embedder = endpoint.embedder(**changes)
    with pytest.raises(kind) as caught:
        await embedder.embed_query("a question")
    await embedder.close()
    return caught.value


async def test_texts_travel_in_batches(endpoint: Endpoint) -> None:
    """No request holds more texts than the setting says, and the rows come back in order."""
    embedder = endpoint.embedder(request_texts=2)
    vectors = await embedder.embed_documents(["one", "two", "three"])
    assert [asked["input"] for asked in endpoint.requests] == [["one", "two"], ["three"]]
    assert np.allclose(vectors[2], await embedder.embed_query("three"))
    await embedder.close()


async def test_wrong_key_is_the_operators_to_mend(endpoint: Endpoint) -> None:
    """401 names the setting."""
    error = await refusal(endpoint, Misconfigured, api_key="wrong-key")
    assert "KNOWLOG_EMBEDDING_API_KEY" in error.detail
    assert "wrong-key" not in error.detail


async def test_pause_is_passed_on(endpoint: Endpoint) -> None:
    """429 may be tried again, after the time that the endpoint asks for."""
    endpoint.answer = Response("", 429, headers={"retry-after": "7"})
    error = await refusal(endpoint, LimitReached)
    assert not error.permanent
    assert error.extra["retry_after_s"] == 7


async def test_failing_endpoint_may_be_tried_again(endpoint: Endpoint) -> None:
    """500 is no verdict on the request."""
    endpoint.answer = Response('{"error": {"message": "overloaded"}}', 500)
    error = await refusal(endpoint, Unavailable)
    assert not error.permanent
    assert "overloaded" in error.detail


async def test_refused_request_says_why(endpoint: Endpoint) -> None:
    """400 is permanent and carries the endpoint's own words."""
    endpoint.answer = Response('{"error": {"message": "model `small` does not exist"}}', 400)
    assert "does not exist" in (await refusal(endpoint, Misconfigured)).detail


@pytest.mark.parametrize(
    "body",
    [
        "<html>", "[]", "{}", '{"data": null}', '{"data": []}', '{"data": [{"index": 0}]}', '{"data": "x"}',
        "[" * 100_000, '{"data": [{"index": 1e999, "embedding": [1]}]}',
        '{"data": [{"index": 0, "embedding": [1' + "0" * 400 + "]}]}",
        '{"data": [{"index": 0, "embedding": "AAAA"}]}', '{"data": [{"index": 0, "embedding": ["1"]}]}',
    ],
)  # fmt: skip
async def test_malformed_answer_may_be_tried_again(endpoint: Endpoint, body: str) -> None:
    """What is no list of vectors is not taken for one."""
    endpoint.answer = Response(body)
    assert "no list of vectors" in (await refusal(endpoint, Unavailable)).detail


async def test_vector_of_zeros_is_refused(endpoint: Endpoint) -> None:
    """A vector without a direction can be compared with nothing."""
    endpoint.answer = Response(f'{{"data": [{{"index": 0, "embedding": {[0.0] * 64}}}]}}')
    assert "empty vector" in (await refusal(endpoint, Unavailable)).detail


async def test_wrong_dimensions_name_the_right_ones(endpoint: Endpoint) -> None:
    """The sentence holds the value to set."""
    error = await refusal(endpoint, Misconfigured, dimensions=128)
    assert "KNOWLOG_EMBEDDING_DIMENSIONS=64" in error.detail


async def test_slow_endpoint_is_not_waited_for(endpoint: Endpoint) -> None:
    """A request ends at the time limit."""
    endpoint.delay_s = 5
    assert "in time" in (await refusal(endpoint, Unavailable, timeout_s=0.2)).detail


async def test_absent_endpoint_is_unavailable(endpoint: Endpoint) -> None:
    """Nobody listens there."""
    endpoint.url = "http://127.0.0.1:9/v1"
    assert "cannot be reached" in (await refusal(endpoint, Unavailable)).detail


@pytest.mark.parametrize("pause_s", [0, 0.05], ids=["endless", "trickling"])
async def test_answer_that_does_not_end_is_not_read_on(endpoint: Endpoint, pause_s: float) -> None:
    """Whether it comes fast, which would fill the memory, or slowly, which would hold up a document for ever."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b" " * (1 if pause_s else 65536)
            await asyncio.sleep(pause_s)

    endpoint.answer = StreamingResponse(body())
    error = await refusal(endpoint, Unavailable, timeout_s=0.5 if pause_s else 30)
    assert ("in time" if pause_s else "does not end") in error.detail


async def test_pause_without_end_is_not_believed(endpoint: Endpoint) -> None:
    """Nobody waits for years because an endpoint says so."""
    endpoint.answer = Response("", 429, headers={"retry-after": "9" * 5000})
    assert (await refusal(endpoint, LimitReached)).extra["retry_after_s"] == 3600
