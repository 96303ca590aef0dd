"""A throw-away Kafka of one node that is its own controller (KRaft)."""

import base64
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from knowlog.cli.bench.servers.program import Program, Server
from knowlog.kernel.errors import Unavailable

_CONF = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{control}
listeners=CLIENTS://127.0.0.1:{port},CONTROL://127.0.0.1:{control}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROL:PLAINTEXT
controller.listener.names=CONTROL
inter.broker.listener.name=CLIENTS
log.dirs={folder}/data
num.network.threads=2
num.io.threads=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""
_LOGGING = """\
Configuration:
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d %p %m (%c)%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: out}}
"""
_JARS_VARIABLE = "KAFKA_JARS"
_JARS = Path(".services/kafka")


class KafkaServer(Server):
    """One Kafka. Its ports: clients, controller."""

    name = "Kafka"
    packages = "java 17 and Kafka's jars (`make services` does)"

    @classmethod
    def jars(cls) -> Path:
        """The folder of Kafka's jars: as the environment says, in this directory or one above, or in the checkout."""
        if named := os.environ.get(_JARS_VARIABLE):
            return Path(named)
        here = Path.cwd()
        places = (above / _JARS for above in (here, *here.parents, *Path(__file__).resolve().parents))
        return next((each for each in places if each.is_dir()), here / _JARS)

    @classmethod
    def wanted(cls) -> str:
        """Java and the jars, and where these are missing."""
        return (
            f"{cls.packages}; they are not in {cls.jars().absolute()}. {_JARS_VARIABLE} names another folder"
        )

    @classmethod
    def installed(cls) -> bool:
        """Whether java and the jars are there."""
        return shutil.which("java") is not None and any(cls.jars().glob("kafka_*.jar"))

    @property
    def url(self) -> str:
        """Its one bootstrap server."""
        return f"127.0.0.1:{self.port}"

    def _launch(self) -> Program:
        own = self.folder.resolve()
        settings = own / "server.properties"
        settings.write_text(_CONF.format(port=self.port, control=self.ports[1], folder=own))
        (own / "log4j2.yaml").write_text(_LOGGING)
        if not (own / "data" / "meta.properties").exists():
            self._format(settings)
        return Program([*self._java("512m"), "kafka.Kafka", str(settings)], self.log, {})

    def _java(self, heap: str) -> list[str]:
        # Without C2 and with the serial collector it starts in half the time and leaves the cores to the client.
        return [
            "java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            f"-Dlog4j2.configurationFile={self.folder.resolve() / 'log4j2.yaml'}",
            "-cp", f"{self.jars().resolve()}/*",
        ]  # fmt: skip

    def _format(self, settings: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        command = [
            *self._java("128m"),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            str(settings),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise Unavailable(f"Kafka's folder could not be formatted: {(done.stderr or done.stdout)[-300:]}")
