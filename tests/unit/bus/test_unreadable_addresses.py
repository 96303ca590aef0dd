"""An address that cannot be read is refused without a word of it: the port's place may hold part of a password."""

from collections.abc import Callable

import pytest

from knowlog.bus import BusSettings
from knowlog.bus.adapters.rabbitmq.broker import RabbitBroker
from knowlog.bus.adapters.redis.broker import RedisBroker
from knowlog.database.pool import connect
from knowlog.kernel.errors import Misconfigured
from knowlog.tenants.adapters.redis import RedisMeter

WRITTEN = "user:TOPSECRET/x@host/0"


@pytest.mark.parametrize(
    "open_it",
    [
        lambda: RedisBroker(f"redis://{WRITTEN}", BusSettings()),
        lambda: RabbitBroker(f"amqp://{WRITTEN}", BusSettings()),
        lambda: RabbitBroker("amqp://user:TOPSECRET@[host/", BusSettings()),
        lambda: RedisMeter(f"redis://{WRITTEN}"),
    ],
)
def test_nothing_of_a_brokers_address_is_repeated(open_it: Callable[[], object]) -> None:
    """What to do about it is told instead."""
    with pytest.raises(Misconfigured) as refused:
        open_it()
    assert "SECRET" not in refused.value.detail
    assert "%2F" in refused.value.detail


async def test_nothing_of_the_databases_address_is_repeated() -> None:
    """The same for PostgreSQL."""
    with pytest.raises(Misconfigured) as refused:
        await connect(f"postgresql://{WRITTEN}")
    assert "SECRET" not in refused.value.detail
    assert "%2F" in refused.value.detail
