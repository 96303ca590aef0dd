"""`knowlog bench brokers`: what our port costs beside the broker's bare client, both as durable as the server is."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated
from uuid import uuid4

import typer

from knowlog.bus import Broker, BusSettings, Message, Subscription, connect_broker
from knowlog.cli.bench.bare_brokers import BARE
from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.queue import crowd_figures, queue_figures, worker_settings
from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.cli.bench.servers import SERVERS
from knowlog.cli.interruptible import run_interruptibly
from knowlog.cli.output import say
from knowlog.kernel.errors import Misconfigured

_BATCH = 500
_BODY = b"x" * 400
_KEYS = 200
_TIMEOUT_S = 120

Kinds = Annotated[
    list[str] | None,
    typer.Option("--broker", help="redis, rabbitmq or kafka; may be repeated. [default: all installed]"),
]
Events = Annotated[int, typer.Option("--events", "-n", min=_BATCH, help="Events of each round.")]
Jobs = Annotated[int, typer.Option("--jobs", min=_BATCH, help="Jobs in the queue that a worker works off.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Rounds of each side; both take turns.")]
BrokerUrl = Annotated[
    str | None,
    typer.Option(
        "--url", help="Measure the server at this address; name its --broker. [default: throw-away ones]"
    ),
]


def brokers(
    broker: Kinds = None,
    events: Events = 10_000,
    rounds: Rounds = 5,
    jobs: Jobs = 20_000,
    url: BrokerUrl = None,
    json: JsonFile = None,
) -> None:
    """Carry events through each broker, from publishing to the settled receipt, and beside it by its bare client.

    `<broker>_ratio` is our events per second over those of the bare client's own loop, medians of rounds that
    take turns: one publisher and one consumer in one process, batches of 500, 400 bytes each, publishing with
    acknowledgement by the server. Ours keeps the order of a key among many consumers, which the bare loop for
    Redis and RabbitMQ does not. Throw-away servers are as durable as they can be: Redis writes to the disk
    before it acknowledges, RabbitMQ has quorum queues, Kafka acks=all.

    `<broker>_jobs_s` is a queue of one tenant's jobs worked off by one worker at its default settings (the JSON
    names its batch), whose handler does nothing but complete them, from the outbox in PostgreSQL through the relay
    and the broker; `postgres_jobs_s` the same without a broker. p50 and p99 are from the commit of one event until
    the commit of its handling, one every 10 ms. `postgres_20_tenants_ratio` and `postgres_500_tenants_ratio`: the
    jobs of so many tenants worked off, over one tenant's, in turns on one server (where there are ten jobs for each).
    """
    kinds = _chosen(broker, url)
    check_writable(json)

    async def main() -> Report:
        say("PostgreSQL alone")
        figures = await queue_figures("postgres", None, jobs) | await crowd_figures(jobs)
        for kind in kinds:
            with _server(kind, url) as address:
                figures |= await transport_figures(kind, address, events, rounds)
                figures |= await queue_figures(kind, address, jobs)
        transport = {"events": events, "rounds": rounds, "batch": _BATCH, "body_bytes": len(_BODY)}
        return Report(figures, {**transport, "jobs": jobs, **worker_settings()})

    publish(run_interruptibly(main()), json)


def _chosen(named: Sequence[str] | None, url: str | None) -> list[str]:
    unknown = set(named or ()) - set(SERVERS)
    if unknown:
        raise Misconfigured(
            f"There is no broker {', '.join(sorted(unknown))}. Choose of {', '.join(SERVERS)}."
        )
    if url is not None and len(named or ()) != 1:
        raise Misconfigured("--url is the address of one broker: say which with --broker.")
    chosen = list(named or [kind for kind, server in SERVERS.items() if server.installed()])
    if not chosen:
        raise Misconfigured(
            "No broker is installed here. `make services` installs them; or name one by --url."
        )
    if url is None:
        for kind in chosen:
            SERVERS[kind].require()  # now, and not when the others have been measured
    return chosen


@contextmanager
def _server(kind: str, url: str | None) -> Iterator[str]:
    """The address to measure: the one that was named, or that of a server for the time being."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="knowlog-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = SERVERS[kind](Path(folder) / kind)
        say(f"Starting a private {server.name} ...")
        try:
            server.start()
            yield server.url
        finally:
            server.kill()


async def transport_figures(kind: str, url: str, events: int, rounds: int) -> dict[str, float]:
    """Events per second through our port and through the bare client, and the ratio of their medians."""
    broker = connect_broker(kind, url, BusSettings.model_validate({"broker": kind, "url": url}))
    ours: list[float] = []
    bare: list[float] = []
    try:
        for round_ in range(rounds + 1):
            say(f"{kind}: round {round_} of {rounds}" if round_ else f"{kind}: warming up")
            ours.append(await _ours(broker, events))
            bare.append(await _bare(kind, url, events))
    finally:
        await broker.close()
    return {
        f"{kind}_ratio": median(ours[1:]) / median(bare[1:]),
        f"{kind}_events_s": median(ours[1:]),
        f"{kind}_bare_events_s": median(bare[1:]),
    }


async def _ours(broker: Broker, events: int) -> float:
    topic = f"bench.{uuid4().hex[:8]}"
    async with broker.subscribe(topic, "bench", "bench") as subscription:
        await _join(broker, topic, subscription)

        async def take() -> int:
            found = await subscription.receive(_BATCH, 0.5)
            await subscription.settle(found)
            return len(found)

        return await _rate(events, lambda messages: broker.publish(topic, messages), take)


async def _join(broker: Broker, topic: str, subscription: Subscription) -> None:
    """See a first message through: a group's places are given out by its broker, which may take seconds."""
    await subscription.receive(1, 2)
    await broker.publish(topic, [Message("first", "first", b"")])
    async with asyncio.timeout(_TIMEOUT_S):
        while not (found := await subscription.receive(1, 2)):
            pass
    await subscription.settle(found)


async def _bare(kind: str, url: str, events: int) -> float:
    async with BARE[kind](url, f"bare.{uuid4().hex[:8]}") as client:
        return await _rate(events, client.publish, lambda: client.take(_BATCH))


async def _rate(
    events: int,
    publish_all: Callable[[Sequence[Message]], Awaitable[None]],
    take: Callable[[], Awaitable[int]],
) -> float:
    """Events per second from the first publish to the last receipt that is settled; both go on at the same time."""
    messages = [Message(f"key-{number % _KEYS}", str(number), _BODY) for number in range(events)]

    async def send() -> None:
        for start in range(0, events, _BATCH):
            await publish_all(messages[start : start + _BATCH])

    async def receive() -> None:
        left = events
        while left > 0:
            left -= await take()

    began = perf_counter()
    async with asyncio.timeout(_TIMEOUT_S), asyncio.TaskGroup() as both:
        both.create_task(send())
        both.create_task(receive())
    return events / (perf_counter() - began)
