"""Sending events to webhooks: one HTTP request each, signed, to a public address, and never to where it redirects.

https://github.com/standard-webhooks/standard-webhooks (version 1): headers webhook-id, webhook-timestamp and
webhook-signature. The id is the event's: the same in each repetition.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

import httpx
import orjson
from standardwebhooks import Webhook as Signer

from knowlog import __version__
from knowlog.bootstrap import App
from knowlog.bus import (
    CONTENT_TYPE,
    Event,
    LeaseLost,
    Outcome,
    Parcel,
    Resting,
    WebhookGone,
    cancel,
    fail,
    feed,
    let_rest,
    parcel_of,
    require_ours,
    settle_delivery,
)
from knowlog.database import Scope
from knowlog.edge import Resolver, checked_address, connection_to, parse_url, reach_of_webhooks, resolve
from knowlog.kernel import now
from knowlog.kernel.errors import Conflict, Invalid, KnowlogError, NotFound
from knowlog.kernel.tasks import asked_to_end
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_KEPT_BYTES = 1024
_LONGEST_WAIT_S = 86_400.0
_FEED_PAUSE_S = 0.5
_FEED_IDLE_S = 5.0
_RESTLESS_S = 10.0
"""So long after something has happened it looks often: events may wait for another transaction's end."""
_LEAST_PAUSE_S = 0.02
_BROKEN_PAUSE_S = 1.0
_UNPRINTABLE = re.compile(r"[^\S ]+|[^\x20-\U0010ffff]|[\x7f-\x9f]")


class Deliverer:
    """Handles deliveries, one at a time; the worker calls it many times at once.

    No connection is kept: the same address may stand for many names, and each tenant is to meet its own certificate.
    """

    def __init__(self, app: App, resolver: Resolver = resolve) -> None:
        self._database = app.database
        self._vault = app.vault
        self._settings = app.settings.webhooks
        self._reach = reach_of_webhooks(self._settings.ports, self._settings.private_hosts)
        self._resolver = resolver
        self._tls = httpx.create_ssl_context()

    async def deliver(self, worker: str, events: Sequence[Event]) -> None:
        """Send what each delivery asks for, and write down how that went. What was cancelled or taken over is not."""
        for event in events:
            with contextlib.suppress(LeaseLost):
                await self._deliver(worker, event)

    async def _deliver(self, worker: str, event: Event) -> None:
        scope = Scope(event.tenant_id, f"worker:{worker}")
        try:
            async with self._database.transaction(scope) as connection:
                await require_ours(connection, worker, event)
                parcel = await parcel_of(connection, scope, event, self._vault)
        except Resting as error:
            async with self._database.transaction(scope) as connection:
                await let_rest(connection, worker, event, error.extra["until"])
            return
        except LeaseLost:
            raise
        except WebhookGone as error:
            async with self._database.transaction(scope) as connection:
                await require_ours(connection, worker, event)
                await cancel(connection, event.event_id, error.detail)
            return
        except (NotFound, Conflict) as error:
            async with self._database.transaction(scope) as connection:
                await fail(connection, worker, event, error.detail, None)
            return
        begun = monotonic()
        outcome = await self._send(parcel)
        metrics.DELIVERY_SECONDS.observe(monotonic() - begun)
        async with self._database.transaction(scope) as connection:
            last = await settle_delivery(connection, worker, event, outcome, self._settings)
        result = "delivered" if outcome.delivered else "dead" if last else "failed"
        metrics.DELIVERIES.labels(result).inc()

    async def _send(self, parcel: Parcel) -> Outcome:
        """Make one attempt. Whatever goes wrong at the other end is an outcome, not an error."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                url = parse_url(parcel.url)
                return await self._post(url, await checked_address(url, self._reach, self._resolver), parcel)
        except TimeoutError:
            return Outcome(False, f"The endpoint did not answer in {self._settings.timeout_s:g} seconds.")
        except Invalid as error:
            return Outcome(False, error.detail)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            return Outcome(False, f"The connection to the endpoint failed: {_named(error)}.")

    async def _post(self, url: httpx.URL, address: str, parcel: Parcel) -> Outcome:
        place, host, sni = connection_to(url, address)
        body = orjson.dumps(parcel.envelope.members())
        headers = {
            "User-Agent": f"knowlog/{__version__}", "Content-Type": CONTENT_TYPE, "Accept-Encoding": "identity",
            **host, **signed(str(parcel.envelope.event_id), body, parcel.secrets),
        }  # fmt: skip
        async with (
            httpx.AsyncClient(trust_env=False, verify=self._tls, timeout=self._settings.timeout_s) as client,
            client.stream("POST", place, content=body, headers=headers, extensions=sni) as answer,
        ):
            if answer.is_success:
                return Outcome(True)
            return _refusal(answer, await _beginning(answer))


def signed(message_id: str, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each secret."""
    moment = datetime.now(UTC)
    signatures = [Signer(each).sign(message_id, moment, body.decode()) for each in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _beginning(answer: httpx.Response) -> str:
    """The first kilobyte of an answer, as a person may read it; the rest is not read."""
    found = bytearray()
    with contextlib.suppress(httpx.HTTPError):
        async for piece in answer.aiter_raw(_KEPT_BYTES):
            found += piece
            if len(found) >= _KEPT_BYTES:
                break
    return _UNPRINTABLE.sub(" ", bytes(found[:_KEPT_BYTES]).decode("utf-8", "replace")).strip()


def _refusal(answer: httpx.Response, text: str) -> Outcome:
    status = answer.status_code
    reason = f"The endpoint answered with status {status}" + (
        ", and redirects are not followed" if answer.has_redirect_location else ""
    )
    reason += f": {text}" if text else "."
    asked = _retry_after_s(answer.headers.get("retry-after", "")) if status in (429, 503) else 0.0
    return Outcome(False, reason, gone=status == 410, wait_s=asked)


def _retry_after_s(header: str) -> float:
    """How long an endpoint asks to be left alone, at most a day; 0 when it does not say."""
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), _LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(header)
        return min(max(0.0, (moment - now()).total_seconds()), _LONGEST_WAIT_S)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _named(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


class Feeder:
    """Turns new events into deliveries until it is cancelled. Every worker that delivers runs one; row locks keep them
    apart.
    """

    def __init__(self, app: App, worker: str) -> None:
        self._app = app
        self._worker = worker
        self._woken = asyncio.Event()
        self._woken_at = monotonic()

    def wake(self) -> None:
        """There may be new events."""
        self._woken.set()
        self._woken_at = monotonic()

    async def run(self) -> None:
        """Go on for ever."""
        while not asked_to_end():
            self._woken.clear()
            try:
                made = await feed(self._app.database, self._app.settings.webhooks, self._worker)
            except KnowlogError as error:
                _LOG.warning("deliveries to webhooks wait: %s", error.detail)
                await asyncio.sleep(_BROKEN_PAUSE_S)
                continue
            except Exception:
                _LOG.exception("deliveries to webhooks wait; it is tried again")
                await asyncio.sleep(_BROKEN_PAUSE_S)
                continue
            await asyncio.sleep(_LEAST_PAUSE_S)
            if not made:
                quiet = monotonic() - self._woken_at > _RESTLESS_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_FEED_IDLE_S if quiet else _FEED_PAUSE_S):
                        await self._woken.wait()
