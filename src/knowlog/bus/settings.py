"""How events travel and how workers take jobs. Environment: KNOWLOG_BUS_* and KNOWLOG_WORKER_*."""

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

    @property
    def broker_url(self) -> str:
        """The address in the clear, for the adapter alone."""
        return self.url.get_secret_value() if self.url else ""

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.broker != "postgres" and self.url is None:
            raise ValueError(f"{self.broker} needs an address: set KNOWLOG_BUS_URL")
        return self


class WorkerSettings(BaseModel):
    """How a worker takes jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: int = Field(48, ge=1, le=500, description="Most jobs that a worker takes at a time.")
    batch_kb: int = Field(512, ge=1, description="Documents are handled together up to this size.")
    lease_s: float = Field(
        8, gt=1, le=600, description="Work of a worker that has died is taken over after this time."
    )
    max_attempts: int = Field(5, ge=1, le=100, description="A job that has failed this often stays failed.")
    backoff_s: float = Field(
        1, gt=0, description="Wait before the second attempt; doubled for each further one."
    )
    grace_s: float = Field(20, ge=0, description="Time to finish after SIGTERM before work is handed back.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Serve Prometheus metrics of the worker here."
    )
