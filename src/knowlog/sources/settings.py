"""Where the users' brokers are, and how much is taken from them. Environment: KNOWLOG_SOURCES_*."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class SourcesSettings(BaseModel):
    """The brokers from whose topics documents come in. A tenant names a topic, never an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    redis_url: SecretStr | None = Field(None, description="Redis with streams that sources read: redis://...")
    rabbitmq_url: SecretStr | None = Field(
        None, description="RabbitMQ with queues that sources read: amqp://..."
    )
    kafka_url: SecretStr | None = Field(
        None, description="Kafka with topics that sources read: host:port,..."
    )
    batch: int = Field(100, ge=1, le=1000, description="Messages that are taken in one transaction at most.")
    max_message_mb: int = Field(16, ge=1, le=512, description="A larger message becomes a dead letter.")
    keep_days: int = Field(
        30,
        ge=1,
        le=36500,
        description="For so many days a message that comes again is known to have been taken; keep it longer than"
        " your broker keeps messages.",
    )
    max_dead: int = Field(
        10_000,
        ge=1,
        description="A source with so many dead letters is read no more until some are dealt with.",
    )
    lease_s: float = Field(
        10,
        gt=1,
        le=600,
        description="A stream or queue of a worker that has died is read by another after this.",
    )

    def url_of(self, kind: str) -> str | None:
        """The address of the broker of a kind, in the clear, for the adapter alone."""
        found: SecretStr | None = getattr(self, f"{kind}_url")
        return found.get_secret_value() if found else None
