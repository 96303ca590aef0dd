"""RabbitMQ by aiormq, the protocol layer of aio-pika: quorum queues, publisher confirms, persistent messages.

Each lane of a group is a queue with a single active consumer. RabbitMQ gives all lanes to whoever comes first, so the
members of a group tell each other that they live and which lanes they hold, and consume only those that are theirs.
Dead letters are a stream: it can be read again and again. A connection that fails is given up, and the next call opens
another.
"""

from knowlog.bus.adapters.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
