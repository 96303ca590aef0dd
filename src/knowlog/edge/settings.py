"""What edge and api want to know. Environment: KNOWLOG_API_* and KNOWLOG_TELEMETRY_*."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_MIB = 1024 * 1024


class ApiSettings(BaseModel):
    """Where the HTTP server listens and how much it takes from one request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1", description="Address to listen on. 0.0.0.0 for every network of the machine."
    )
    port: int = Field(8484, ge=0, le=65535, description="Port to listen on. 0 takes any free one.")
    public_url: str | None = Field(
        None, description="Address by which people reach the server, put before the deep links of citations."
    )
    operator_key: SecretStr | None = Field(
        None,
        min_length=20,
        description="Key that manages tenants and reads /metrics. Unset: `knowlog up` makes one and keeps it in "
        "operator.key in the data directory; under `knowlog serve` neither is possible over HTTP.",
    )
    max_body_bytes: int = Field(
        1 * _MIB,
        ge=1024,
        description="Largest request body, but for uploads: those have KNOWLOG_DOCUMENTS_MAX_UPLOAD_MB.",
    )
    max_batch_bytes: int = Field(32 * _MIB, ge=1024, description="Largest request of documents:batch.")
    max_batch_items: int = Field(1000, ge=1, description="Most documents in one request of documents:batch.")
    max_header_bytes: int = Field(
        32 * 1024, ge=4096, description="Largest request line and headers together."
    )
    header_timeout_s: float = Field(
        20, gt=0, description="A client that has not sent its headers by then is cut off."
    )
    body_timeout_s: float = Field(
        10, gt=0, description="A client that sends nothing of its body for so long is cut off."
    )
    answer_timeout_s: float = Field(
        30, gt=0, description="A client that takes nothing of its answer for so long is cut off."
    )
    body_slowest_kb_s: int = Field(
        8, ge=1, description="A body that comes slower than this, in kB a second, is cut off."
    )
    bodies_in_flight_mb: int = Field(
        256,
        ge=1,
        description="Most bytes of bodies and large answers that one process holds at once, half of them for one "
        "tenant; the next one is answered 429.",
    )
    concurrency: int = Field(
        512,
        ge=1,
        description="Most requests of known callers at once; the next one is answered 503. Also so many connections: "
        "beyond, those that wait longest without serving a known caller are closed.",
    )
    tenant_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Part of KNOWLOG_API_CONCURRENCY that one tenant may take; beyond, it alone is answered "
        "429. 1 where there is a single tenant.",
    )
    waiting_per_address: int = Field(
        256,
        ge=1,
        description="Most connections from one address that serve no known caller. Behind a proxy, all come from its.",
    )
    wrong_keys_per_minute: int = Field(
        300, ge=1, description="Most wrong API keys from one address; the next is answered 429 unread."
    )
    keep_alive_s: int = Field(30, ge=1, description="How long an idle connection is kept.")
    shutdown_grace_s: int = Field(
        20, ge=0, description="How long requests may take to finish when the server stops."
    )
    streams_per_tenant: int = Field(
        50, ge=1, description="Most open event streams of one tenant in one process."
    )
    stream_heartbeat_s: float = Field(
        15, gt=0, description="A comment keeps a silent event stream open so often."
    )
    stream_limit_s: float = Field(
        900, gt=0, description="A stream of states ends after so long; clients reconnect."
    )
    fetch_timeout_s: float = Field(
        30, gt=0, description="Longest time for a document by URL, redirects included."
    )
    fetches_at_once: int = Field(16, ge=1, description="Most documents by URL fetched at the same time.")
    fetch_ports: frozenset[int] = Field(
        frozenset({80, 443}), description="Ports from which documents by URL may be fetched."
    )
    fetch_private_hosts: frozenset[str] = Field(
        frozenset(),
        description="Names of hosts inside your network from which documents by URL may be fetched.",
    )


class TelemetrySettings(BaseModel):
    """How the process reports on itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least grave line that is logged."
    )
    access_log: bool = Field(True, description="Log one JSON line for each request.")
    otlp_endpoint: str | None = Field(
        None, description="OTLP/HTTP collector for spans, such as http://localhost:4318. Needs knowlog[otel]."
    )
    service_name: str = Field("knowlog", description="Name of this service in the spans.")
    sample_ratio: float = Field(1.0, ge=0, le=1, description="Share of requests whose spans are kept.")
