"""Which broker a setting means; an adapter is imported when it is chosen."""

from collections.abc import Callable
from importlib import import_module

from knowlog.bus.port import Broker
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import Misconfigured

ADAPTERS = {
    "redis": "knowlog.bus.adapters.redis:RedisBroker",
    "rabbitmq": "knowlog.bus.adapters.rabbitmq:RabbitBroker",
    "kafka": "knowlog.bus.adapters.kafka:KafkaBroker",
}


def open_broker(settings: BusSettings) -> Broker | None:
    """Open the broker that the settings name; None when PostgreSQL alone is the queue. Raises Misconfigured."""
    if settings.broker == "postgres":
        return None
    return connect_broker(settings.broker, settings.broker_url, settings)


def connect_broker(kind: str, url: str, settings: BusSettings) -> Broker:
    """Make a broker of one kind; it connects when it is first used. Raises Misconfigured."""
    module, _, attribute = ADAPTERS[kind].partition(":")
    try:
        adapter: Callable[[str, BusSettings], Broker] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"The broker {kind} needs a package that is not installed: pip install 'knowlog[{kind}]'."
        ) from error
    return adapter(url, settings)
