"""What edge and api want to know. Environment: KNOWLOG_API_* and KNOWLOG_TELEMETRY_*."""

from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from knowlog.kernel.hosts import known_hosts

_MIB = 1024 * 1024
_AT_HOME = frozenset(("127.0.0.1", "::1", "localhost"))
TenantHint = Literal["subdomain", "domain", "path", "header"]


class ApiSettings(BaseModel):
    """Where the HTTP server listens and how much it takes from one request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1", description="Address to listen on. 0.0.0.0 for every network of the machine."
    )
    port: int = Field(8484, ge=0, le=65535, description="Port to listen on. 0 takes any free one.")
    processes: int = Field(
        0,
        ge=0,
        le=64,
        description="Server processes that `knowlog up` runs behind its port at most; one starts, and more when it "
        "is busy. 0: two where the machine has two cores or more, else one.",
    )
    listener: int | None = Field(
        None,
        ge=3,
        description="Number of an open socket, listening already, that this server shares with others, instead "
        "of KNOWLOG_API_HOST and KNOWLOG_API_PORT. `knowlog up` sets it.",
    )
    own_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of 127.0.0.1 at which this server is reached alone, where several share a listener. "
        "`knowlog up` sets it.",
    )
    ports_beside: frozenset[int] = Field(
        frozenset(),
        description="KNOWLOG_API_OWN_PORT of the servers that share the listener with this one: /metrics adds their "
        "figures. `knowlog up` sets it.",
    )
    public_url: str | None = Field(
        None, description="Address by which people reach the server, put before the deep links of citations."
    )
    tls_certificate: str | None = Field(
        None,
        description="PEM file of the certificate and its chain. With it, `knowlog serve` speaks TLS alone.",
    )
    tls_key: str | None = Field(None, description="PEM file of the certificate's private key.")
    hsts_s: int = Field(
        31_536_000,
        ge=0,
        description="Browsers that came by TLS come by nothing else for so long (HSTS), below this domain too; 0 to "
        "tell them nothing.",
    )
    trusted_proxies: frozenset[str] = Field(
        frozenset(),
        description="Addresses or networks of proxies, such as 10.0.0.0/8, whose X-Forwarded-For, -Host and -Proto "
        "are believed.",
    )
    tenant_hints: frozenset[TenantHint] = Field(
        frozenset(),
        description="Where a request may name its tenant beside its key: subdomain, domain (proven by the tenant), "
        "path (/t/NAME/v1/...), header (X-Knowlog-Tenant). What disagrees with the key is refused.",
    )
    base_domain: str | None = Field(
        None,
        description="Domain below which each tenant has its slug as subdomain, such as knowlog.example.com.",
    )
    plain_hosts: frozenset[str] = Field(
        frozenset(),
        description="Names of this server that name no tenant, beside the base domain and the host of "
        "KNOWLOG_API_PUBLIC_URL.",
    )
    dns_servers: frozenset[str] = Field(
        frozenset(),
        description="DNS servers asked whether a domain is a tenant's, such as 10.0.0.2 or 127.0.0.1:5353. Unset: the "
        "system's.",
    )
    operator_key: SecretStr | None = Field(
        None,
        min_length=20,
        description="Key that manages tenants and reads /metrics. Unset: `knowlog up` makes one and keeps it in "
        "operator.key in the data directory; under `knowlog serve` neither is possible over HTTP. "
        "It has 32 characters or more where others can reach the server.",
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
    max_header_line_bytes: int = Field(8 * 1024, ge=1024, description="Longest single header, or address.")
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
    questions_at_once: int = Field(
        256,
        ge=4,
        le=10_000,
        description="Most searches and questions that one process answers at once, at most two fewer than"
        " KNOWLOG_DATABASE_POOL_SIZE. How many it really lets in, it finds out: while they take no longer than they"
        " must, more; else fewer.",
    )
    question_wait_s: float = Field(
        5,
        ge=0,
        le=60,
        description="Longest wait of a question for its turn. Where as many questions of several tenants have waited as"
        " were answered, for more than a second, it is half a second, and 429 or 503 afterwards.",
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
    cuts_at_once: int = Field(
        1,
        ge=1,
        description="Most documents cut at the same time to be looked at (POST /v1/documents/{id}/cuts).",
    )
    fetches_at_once: int = Field(
        16, ge=1, description="Most documents by URL fetched at the same time, a quarter for each tenant."
    )
    fetch_ports: frozenset[int] = Field(
        frozenset({80, 443}), description="Ports from which documents by URL may be fetched."
    )
    fetch_private_hosts: Annotated[frozenset[str], AfterValidator(known_hosts)] = Field(
        frozenset(),
        description="Names of hosts inside your network from which documents by URL may be fetched.",
    )
    sign_on_private_hosts: Annotated[frozenset[str], AfterValidator(known_hosts)] = Field(
        frozenset(),
        description="Names of hosts inside your network, or host:port, that may be tenants' providers of single "
        "sign-on. They may speak plain http, for development.",
    )
    sign_on_timeout_s: float = Field(
        10, gt=0, le=60, description="Longest time for one answer of a provider of single sign-on."
    )
    audit_uploads: bool = Field(
        True, description="Record in the audit log, for each request, how many documents came in."
    )
    audit_reads: bool = Field(
        False, description="Record in the audit log that somebody searched or asked; never what."
    )

    @property
    def development(self) -> bool:
        """Whether nobody but this machine is meant to reach the server: then weak secrets will do."""
        public = self.public_url or self.base_domain or self.trusted_proxies or self.tls_certificate
        return self.host in _AT_HOME and not public

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, named: frozenset[str]) -> frozenset[str]:
        for each in named:
            ip_network(each)  # its ValueError says what is wrong
        return named

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if "subdomain" in self.tenant_hints and not self.base_domain:
            raise ValueError("KNOWLOG_API_TENANT_HINTS has subdomain, so KNOWLOG_API_BASE_DOMAIN must be set")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(
                "KNOWLOG_API_TLS_CERTIFICATE and KNOWLOG_API_TLS_KEY are given both or not at all"
            )
        return self


class TelemetrySettings(BaseModel):
    """How the process reports on itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least grave line that is logged."
    )
    access_log: bool = Field(
        True,
        description="Log one JSON line for each request; of questions refused in an overload, one a second.",
    )
    otlp_endpoint: str | None = Field(
        None, description="OTLP/HTTP collector for spans, such as http://localhost:4318. Needs knowlog[otel]."
    )
    service_name: str = Field("knowlog", description="Name of this service in the spans.")
    sample_ratio: float = Field(1.0, ge=0, le=1, description="Share of requests whose spans are kept.")
