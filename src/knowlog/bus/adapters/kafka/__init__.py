"""Kafka by librdkafka: idempotent producer, acks=all; a lane is a partition; settled is what lies before the offset.

librdkafka has threads of its own; the calls that wait for it are made in threads, so that the event loop never does.
"""

from knowlog.bus.adapters.kafka.broker import KafkaBroker

__all__ = ["KafkaBroker"]
