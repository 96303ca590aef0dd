"""How events travel and how workers take jobs. Environment: KNOWLOG_BUS_*, KNOWLOG_WORKER_*, KNOWLOG_WEBHOOKS_*."""

import random
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from knowlog.bus.catalogue import CATALOGUE, QUEUES
from knowlog.kernel.hosts import known_hosts


class BusSettings(BaseModel):
    """What carries the work from the outbox to the workers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker: Literal["postgres", "redis", "rabbitmq", "kafka"] = Field(
        "postgres", description="The queue: postgres (nothing else needed), redis, rabbitmq or kafka."
    )
    url: SecretStr | None = Field(
        None, description="Address of the broker: redis://..., amqp://..., or host:port,... of Kafka."
    )
    prefix: str = Field(
        "knowlog", pattern=r"^[a-z0-9-]{1,40}$", description="Topics and queues of knowlog begin with this."
    )
    takeover_s: float = Field(
        6, ge=6, le=300, description="Messages of a consumer that has died go to another after this time."
    )
    window: int = Field(
        4000,
        ge=4,
        description="So many announcements of a queue wait in the broker at most, about a quarter of them of one tenant.",
    )
    announce_again_s: float = Field(
        20, gt=1, description="Work that was announced and not begun is announced again after this time."
    )
    publish_types: frozenset[str] = Field(
        frozenset(),
        description="Types of events that are published to the topic of that name, separated by commas; * means all.",
    )
    publish_topic: str = Field(
        "knowlog.events",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Topic of the broker to which events of the publish types go.",
    )
    publish_keep: int = Field(
        1_000_000,
        ge=1,
        description="About so many events stay in that topic when it is a stream of Redis, read or not.",
    )
    keep_days: int = Field(
        90,
        ge=0,
        le=36500,
        description="Events that are done with are deleted after so many days; 0 keeps all.",
    )

    @property
    def broker_url(self) -> str:
        """The address in the clear, for the adapter alone."""
        return self.url.get_secret_value() if self.url else ""

    def work_topic(self, queue: str) -> str:
        """The topic on which work of a queue is announced."""
        return f"{self.prefix}.work.{queue}"

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.broker != "postgres" and self.url is None:
            raise ValueError(f"{self.broker} needs an address: set KNOWLOG_BUS_URL")
        return self

    @field_validator("publish_types")
    @classmethod
    def _known(cls, types: frozenset[str]) -> frozenset[str]:
        if unknown := sorted(types - set(CATALOGUE) - {"*"}):
            raise ValueError(f"names {unknown[0]!r}; known are: {', '.join(CATALOGUE)}")
        return types

    @model_validator(mode="after")
    def _can_publish(self) -> Self:
        if self.publish_types and self.broker == "postgres":
            raise ValueError("KNOWLOG_BUS_PUBLISH_TYPES needs a broker: set KNOWLOG_BUS_BROKER")
        return self

    @property
    def published(self) -> list[str]:
        """The types that are published, `*` written out."""
        return list(CATALOGUE) if "*" in self.publish_types else sorted(self.publish_types)


class WebhooksSettings(BaseModel):
    """How events are sent to the tenants' webhooks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: int = Field(32, ge=4, le=512, description="Deliveries that a worker makes at a time.")
    window: int = Field(
        200,
        ge=2,
        le=10_000,
        description="So many deliveries to a webhook are under way at most; the rest waits.",
    )
    timeout_s: float = Field(15, gt=0, le=300, description="An endpoint must have answered by then.")
    attempts: int = Field(10, ge=1, le=100, description="A delivery that has failed this often stays failed.")
    backoff_s: float = Field(
        5, gt=0, description="Wait before the second attempt; eight times that before the third, and so on."
    )
    longest_backoff_s: float = Field(18_000, gt=0, description="Longest wait between two attempts.")
    disable_after_s: float = Field(
        432_000, gt=0, description="A webhook whose endpoint has failed for so long is disabled."
    )
    most_per_tenant: int = Field(100, ge=1, description="Most webhooks of a tenant.")
    ports: frozenset[int] = Field(
        frozenset({80, 443, 8080, 8443}), description="Ports of endpoints that are called."
    )
    private_hosts: Annotated[frozenset[str], AfterValidator(known_hosts)] = Field(
        frozenset(), description="Hosts inside your network that are called, as host or host:port."
    )

    def wait_s(self, attempts: int) -> float:
        """How long to wait after so many attempts: with the defaults 5 s, 40 s, 5 min, 43 min, then every 5 h."""
        longest = min(self.longest_backoff_s, self.backoff_s * 8.0 ** min(attempts - 1, 20))
        return longest * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, keeps no secret


class WorkerSettings(BaseModel):
    """How a worker takes jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queues: frozenset[str] = Field(
        frozenset(), description="Queues that a worker serves, separated by commas; none named means all."
    )
    processes: int = Field(1, ge=1, le=64, description="Worker processes that `knowlog up` runs.")
    concurrency: int = Field(
        3,
        ge=1,
        le=64,
        description="Batches that a worker handles at a time: while some are read or written, another is embedded.",
    )
    job_timeout_s: float = Field(
        3600, gt=1, description="A job that runs longer counts as failed, and is tried again."
    )
    memory_mb: int | None = Field(
        4096,
        ge=128,
        description="A worker that grows beyond this ends itself; what it did is tried again, alone.",
    )
    batch: int = Field(48, ge=1, le=500, description="Most jobs that a worker takes at a time.")
    batch_kb: int = Field(512, ge=1, description="Documents are handled together up to this size.")
    lease_s: float = Field(
        6, gt=1, le=600, description="Work of a worker that has died is taken over after this time."
    )
    max_attempts: int = Field(5, ge=1, le=100, description="A job that has failed this often stays failed.")
    backoff_s: float = Field(
        1, gt=0, description="Wait before the second attempt; doubled for each further one, with jitter."
    )
    longest_backoff_s: float = Field(300, gt=0, description="Longest wait between two attempts.")
    grace_s: float = Field(20, ge=0, description="Time to finish after SIGTERM before work is handed back.")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Serve Prometheus metrics of the worker here; of the workers of `knowlog up`, the first's alone.",
    )

    @field_validator("queues")
    @classmethod
    def _known(cls, queues: frozenset[str]) -> frozenset[str]:
        every = sorted(set(QUEUES.values()))
        if unknown := sorted(queues - set(every)):
            raise ValueError(f"names {unknown[0]!r}, which is no queue; choose from: {', '.join(every)}")
        return queues

    def wait_s(self, attempts: int) -> float:
        """How long to wait after so many attempts: exponential and capped, with jitter over its upper half."""
        longest = min(self.longest_backoff_s, self.backoff_s * 2.0 ** (attempts - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
