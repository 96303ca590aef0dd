"""Servers for the time of a benchmark or of a test run: real ones on loopback, in a folder that is thrown away.

They never outlive the process that started them, however it ends (see `guard`).
"""

from knowlog.cli.bench.servers.kafka import KafkaServer
from knowlog.cli.bench.servers.program import Server
from knowlog.cli.bench.servers.rabbitmq import RabbitServer
from knowlog.cli.bench.servers.redis import RedisServer

SERVERS: dict[str, type[Server]] = {"redis": RedisServer, "rabbitmq": RabbitServer, "kafka": KafkaServer}

__all__ = ["SERVERS", "KafkaServer", "RabbitServer", "RedisServer", "Server"]
