"""What the database room wants to know. Environment: KNOWLOG_DATABASE_*."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class DatabaseSettings(BaseModel):
    """Where PostgreSQL is, or how to run the embedded one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr | None = Field(
        None,
        description="PostgreSQL 16+ with pgvector 0.8+. Unset: an embedded server in the data directory.",
    )
    owner_url: SecretStr | None = Field(
        None,
        description="Login that owns the schema: migrations and index builds. Unset: the same login as url.",
    )
    bin_dir: Path | None = Field(
        None, description="PostgreSQL programs for the embedded server, instead of the wheel's."
    )
    run_as: str | None = Field(
        None,
        description="User that runs the embedded server when knowlog runs as root. Unset: knowlog, postgres or nobody.",
    )
    pool_size: int = Field(12, ge=1, le=200, description="Most connections of one process.")
    statement_timeout_s: float = Field(60, gt=0, description="A statement that takes longer is cancelled.")
    prepared_statements: bool = Field(True, description="Set to false behind a pooler that cannot keep them.")
