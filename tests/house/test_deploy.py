"""What is deployed by the files under deploy/ is what runs here."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import yaml

from knowlog.bus import BusSettings
from knowlog.bus.registry import ADAPTERS
from knowlog.cli.bench.servers import SERVERS
from knowlog.settings import load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]


def test_every_broker_has_a_server_everywhere() -> None:
    """In compose.yaml, among the throw-away servers, and in the settings."""
    brokers = set(ADAPTERS)
    assert brokers == set(SERVERS) == set(SERVICES) - {"postgres"}
    assert brokers | {"postgres"} == set(BusSettings.model_json_schema()["properties"]["broker"]["enum"])


def test_the_settings_in_the_comment_are_settings() -> None:
    """They load as they stand there, and name the ports that are published."""
    pairs = [
        dict(re.findall(r"(KNOWLOG_\w+)=(\S+)", line)) for line in COMPOSE.splitlines() if line[:1] == "#"
    ]
    found = [pair for pair in pairs if pair]
    assert len(found) == len(SERVICES)
    for service, pair in zip(SERVICES.values(), found, strict=True):
        load_settings(pair)
        published = service["ports"][0].split(":")
        assert published[0] == "127.0.0.1"
        assert any(f"127.0.0.1:{published[1]}" in value for value in pair.values())


def test_kafka_is_of_one_version() -> None:
    """The image and the jars."""
    pom = ElementTree.parse(DEPLOY / "kafka" / "pom.xml").getroot()
    version = pom.findtext(".//{*}properties/{*}kafka.version")
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_redis_is_as_durable_as_in_the_tests() -> None:
    """What it acknowledges is on the disk."""
    assert "--appendonly yes --appendfsync always" in SERVICES["redis"]["command"]
