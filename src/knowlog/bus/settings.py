"""How events travel and how workers take jobs. Environment: KNOWLOG_BUS_* and KNOWLOG_WORKER_*."""

import random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


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
        1000,
        ge=1,
        description="So many announcements wait in the broker at most; the rest waits in the outbox.",
    )
    announce_again_s: float = Field(
        20, gt=1, description="Work that was announced and not begun is announced again after this time."
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


class WorkerSettings(BaseModel):
    """How a worker takes jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queues: frozenset[str] = Field(
        frozenset(), description="Queues that a worker serves, separated by commas; none named means all."
    )
    concurrency: int = Field(2, ge=1, le=64, description="Batches that a worker handles at a time.")
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
        None, ge=1, le=65535, description="Serve Prometheus metrics of the worker here."
    )

    def wait_s(self, attempts: int) -> float:
        """How long to wait after so many attempts: exponential and capped, with jitter over its upper half."""
        longest = min(self.longest_backoff_s, self.backoff_s * 2.0 ** (attempts - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
