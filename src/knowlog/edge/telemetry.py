"""Log lines as JSON, and spans to an OpenTelemetry collector where the settings name one."""

import logging
import sys
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import orjson
from opentelemetry import trace

from knowlog.edge.settings import TelemetrySettings
from knowlog.edge.visit import REQUEST_ID
from knowlog.kernel.errors import Misconfigured

_WORKER = "knowlog.worker"
_REPEATED_S = 60.0
_MOST_SAID = 1000


class JsonLines(logging.Formatter):
    """Writes each record as one JSON object: time, level, logger, message, request_id, and the fields it
    brings.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class SaidAlready(logging.Filter):
    """Drops what a worker has warned of within the last minute: its loops try again every second while something is
    away, and each would say so each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is written."""
        if record.name != _WORKER or record.levelno > logging.WARNING:
            return True
        if record.levelno < logging.WARNING:  # such as that it is there again
            self._said.clear()
            return True
        at, text = monotonic(), record.getMessage()
        if at - self._said.get(text, -_REPEATED_S) < _REPEATED_S:
            return False
        if len(self._said) >= _MOST_SAID:
            self._said.clear()
        self._said[text] = at
        return True


def set_up_logging(settings: TelemetrySettings) -> None:
    """Send every log line of the process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(SaidAlready())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.getLogger("knowlog.access").setLevel(logging.INFO if settings.access_log else logging.WARNING)
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def set_up_spans(settings: TelemetrySettings) -> None:
    """Send spans to the collector that the settings name, if they name one.

    Raises Misconfigured when that is asked for without the extra `knowlog[otel]`.
    """
    if settings.otlp_endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as error:
        raise Misconfigured(
            "KNOWLOG_TELEMETRY_OTLP_ENDPOINT needs the extra: pip install 'knowlog[otel]'."
        ) from error
    provider = TracerProvider(
        resource=Resource.create({"service.name": settings.service_name}),
        sampler=ParentBasedTraceIdRatio(settings.sample_ratio),
    )
    endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
