"""What a request meets before a handler: request id, principal, limits, errors as problem documents, metrics,
spans.

Workers want the settings and the log, the command line the settings alone: the rest, and FastAPI with it, is
loaded when asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from knowlog.edge.settings import ApiSettings, TelemetrySettings

if TYPE_CHECKING:
    from knowlog.edge.admission import Admission
    from knowlog.edge.connections import Connections
    from knowlog.edge.cookies import CSRF_HEADER, Cookies, check_named, new_browser
    from knowlog.edge.crowd import Crowd
    from knowlog.edge.cursor import decode_cursor, encode_cursor
    from knowlog.edge.demand import Demand, Open
    from knowlog.edge.early import Early
    from knowlog.edge.fetches import Fetches
    from knowlog.edge.fetching import Fetched, FetchFailed, fetch
    from knowlog.edge.gate import Gate
    from knowlog.edge.hints import WrongTenant, check_hints, hinted_tenant
    from knowlog.edge.idempotency import (
        KEPT,
        Answer,
        check_key,
        fingerprint,
        kept_answer,
        once,
        once_claimed,
    )
    from knowlog.edge.leave import Leave, pass_while
    from knowlog.edge.metrics import METRICS_TYPE, Metrics
    from knowlog.edge.names import Resolver, names_on_account_of, resolve
    from knowlog.edge.outgoing import ReachTransport, reach_of_models, require_safe_form
    from knowlog.edge.pace import Pace
    from knowlog.edge.preconditions import entity_tag, expected_revision
    from knowlog.edge.principal import Caller, Operator, credential_of, origin_of_request
    from knowlog.edge.problem import HANDLED, RequestTimeout, as_error, check_body, handle, problem_document
    from knowlog.edge.proofs import find_proof, where_to_prove
    from knowlog.edge.protocol import bounded_protocol
    from knowlog.edge.provider_line import ProviderLine
    from knowlog.edge.ranges import wanted_span
    from knowlog.edge.reach import Reach, checked_address, connection_to, parse_url, reach_of_webhooks
    from knowlog.edge.routing import ScopedRoute
    from knowlog.edge.servers_beside import figures_beside
    from knowlog.edge.strangers import Strangers
    from knowlog.edge.streams import HEARTBEAT, STREAM_HEADERS, STREAM_TYPE, Progress, Slots, Watcher, event
    from knowlog.edge.telemetry import set_up_logging, set_up_spans
    from knowlog.edge.visit import Visit, visit_of

_PLACES = {
    "admission": ("Admission",),
    "connections": ("Connections",),
    "cookies": ("CSRF_HEADER", "Cookies", "check_named", "new_browser"),
    "crowd": ("Crowd",),
    "cursor": ("decode_cursor", "encode_cursor"),
    "demand": ("Demand", "Open"),
    "early": ("Early",),
    "fetches": ("Fetches",),
    "fetching": ("FetchFailed", "Fetched", "fetch"),
    "gate": ("Gate",),
    "hints": ("WrongTenant", "check_hints", "hinted_tenant"),
    "idempotency": ("KEPT", "Answer", "check_key", "fingerprint", "kept_answer", "once", "once_claimed"),
    "leave": ("Leave", "pass_while"),
    "metrics": ("METRICS_TYPE", "Metrics"),
    "names": ("Resolver", "names_on_account_of", "resolve"),
    "pace": ("Pace",),
    "outgoing": ("ReachTransport", "reach_of_models", "require_safe_form"),
    "preconditions": ("entity_tag", "expected_revision"),
    "principal": ("Caller", "Operator", "credential_of", "origin_of_request"),
    "problem": ("HANDLED", "RequestTimeout", "as_error", "check_body", "handle", "problem_document"),
    "proofs": ("find_proof", "where_to_prove"),
    "protocol": ("bounded_protocol",),
    "provider_line": ("ProviderLine",),
    "ranges": ("wanted_span",),
    "reach": ("Reach", "checked_address", "connection_to", "parse_url", "reach_of_webhooks"),
    "routing": ("ScopedRoute",),
    "servers_beside": ("figures_beside",),
    "strangers": ("Strangers",),
    "streams": ("HEARTBEAT", "STREAM_HEADERS", "STREAM_TYPE", "Progress", "Slots", "Watcher", "event"),
    "telemetry": ("set_up_logging", "set_up_spans"),
    "visit": ("Visit", "visit_of"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "CSRF_HEADER",
    "HANDLED",
    "HEARTBEAT",
    "KEPT",
    "METRICS_TYPE",
    "STREAM_HEADERS",
    "STREAM_TYPE",
    "Admission",
    "Answer",
    "ApiSettings",
    "Caller",
    "Connections",
    "Cookies",
    "Crowd",
    "Demand",
    "Early",
    "FetchFailed",
    "Fetched",
    "Fetches",
    "Gate",
    "Leave",
    "Metrics",
    "Open",
    "Operator",
    "Pace",
    "Progress",
    "ProviderLine",
    "Reach",
    "ReachTransport",
    "RequestTimeout",
    "Resolver",
    "ScopedRoute",
    "Slots",
    "Strangers",
    "TelemetrySettings",
    "Visit",
    "Watcher",
    "WrongTenant",
    "as_error",
    "bounded_protocol",
    "check_body",
    "check_hints",
    "check_key",
    "check_named",
    "checked_address",
    "connection_to",
    "credential_of",
    "decode_cursor",
    "encode_cursor",
    "entity_tag",
    "event",
    "expected_revision",
    "fetch",
    "figures_beside",
    "find_proof",
    "fingerprint",
    "handle",
    "hinted_tenant",
    "kept_answer",
    "names_on_account_of",
    "new_browser",
    "once",
    "once_claimed",
    "origin_of_request",
    "parse_url",
    "pass_while",
    "problem_document",
    "reach_of_models",
    "reach_of_webhooks",
    "require_safe_form",
    "resolve",
    "set_up_logging",
    "set_up_spans",
    "visit_of",
    "wanted_span",
    "where_to_prove",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACE_OF[name]}"), name)
