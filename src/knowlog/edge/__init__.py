"""What a request meets before a handler: request id, principal, limits, errors as problem documents, metrics, spans."""

from knowlog.edge.settings import ApiSettings, TelemetrySettings

__all__ = ["ApiSettings", "TelemetrySettings"]
