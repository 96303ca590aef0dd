"""How workers take jobs from the bus. Environment: KNOWLOG_WORKER_*."""

from pydantic import BaseModel, ConfigDict, Field


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
