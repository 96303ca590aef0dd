"""The HTTP application: every route, inside the gate."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import get_args

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from knowlog import __version__
from knowlog.answering import STANDING, Rung
from knowlog.api import (
    access,
    addresses,
    answers,
    audit,
    collections,
    cuts,
    datasets,
    dead_letters,
    documentation,
    documents,
    domains,
    event_log,
    events,
    feedback,
    groups,
    health,
    invitations,
    jobs,
    kept_questions,
    keys,
    language_model,
    limits,
    lives,
    members,
    moves,
    origins,
    passwords,
    performance,
    pieces,
    queues,
    runs,
    schedules,
    scim,
    search,
    second_factor,
    secrets,
    sessions,
    sign_on,
    sources,
    summaries,
    summary_batches,
    switches,
    tenants,
    threads,
    tunings,
    uploads,
    web,
    webhooks,
)
from knowlog.bootstrap import App
from knowlog.edge import (
    HANDLED,
    Admission,
    Connections,
    Cookies,
    Crowd,
    Early,
    Fetches,
    Gate,
    Metrics,
    Pace,
    Progress,
    ProviderLine,
    ScopedRoute,
    Slots,
    Strangers,
    handle,
)
from knowlog.resilience import AdaptiveLimit, Turns
from knowlog.settings import Settings
from knowlog.tenants import LoggingOut, Sessions, SigningIn, SigningOn

ROUTERS = tuple(
    noun.router
    for noun in (
        search,
        answers,
        threads,
        uploads,
        pieces,
        documents,
        cuts,
        events,
        event_log,
        collections,
        access,
        keys,
        limits,
        performance,
        secrets,
        language_model,
        sessions,
        sign_on,
        passwords,
        second_factor,
        invitations,
        members,
        groups,
        scim,
        jobs,
        schedules,
        datasets,
        kept_questions,
        feedback,
        runs,
        summary_batches,
        summaries,
        switches,
        webhooks,
        sources,
        dead_letters,
        lives,
        moves,
        tenants,
        tunings,
        addresses,
        domains,
        origins,
        audit,
        queues,
        health,
        documentation,
        web,
    )
)
"""Searched in this order: what is asked for most comes first."""

_UPLOAD = re.compile(r"/v1/collections/[^/]+/documents")
_PIECE = re.compile(r"/v1/uploads/[^/]+")
_BATCH = re.compile(r"/v1/collections/[^/]+/documents:batch|/v1/datasets")
_QUESTIONS = ("/v1/search", "/v1/answers")
"""What takes a turn, also behind the name of a tenant."""
_FORM_OVERHEAD = 1024 * 1024


def create_api(app: App) -> FastAPI:
    """Make the application that serves `app`, which must stay open as long as it does."""
    api = FastAPI(
        title="knowlog",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    api.router.routes.extend(scoped(ROUTERS))
    for kind in HANDLED:
        api.add_exception_handler(kind, handle)
    api.add_exception_handler(404, web.absent)
    api.openapi = lambda: documentation.describe_api(api)  # type: ignore[method-assign]
    _furnish(api, app)
    api.add_middleware(
        Gate,
        settings=app.settings.api,
        body_limit=_BodyLimit(app.settings),
        metrics=api.state.metrics,
        admission=api.state.admission,
        database=app.database,
        form=scim.in_its_form,
        pace=api.state.pace,
        asks=_asks,
        turns=api.state.turns,
        crowd=api.state.crowd,
    )
    return api


def scoped(routers: Iterable[APIRouter]) -> Iterator[BaseRoute]:
    """Yield the routes. Raises TypeError for one that need not say who may call it: a socket, a mount, a plain route."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, ScopedRoute):
                raise TypeError(f"{route} is no ScopedRoute: make its router with route_class=Route.")
            yield route


def _furnish(api: FastAPI, app: App) -> None:
    """Put what requests of one process share where they find it."""
    settings = app.settings.api
    api.state.knowlog = app
    api.state.database = app.database
    api.state.settings = settings
    api.state.admission = Admission(
        settings.concurrency, settings.bodies_in_flight_mb * 1024 * 1024, settings.tenant_share
    )
    at_once = min(settings.questions_at_once, app.database.room)  # each has a transaction
    api.state.turns = Turns(AdaptiveLimit(most=at_once), settings.question_wait_s)
    api.state.crowd = Crowd(api.state.turns)
    api.state.connections = Connections(settings.concurrency, settings.waiting_per_address)
    api.state.strangers = Strangers(settings.wrong_keys_per_minute)
    people = app.settings.people
    api.state.cookies = Cookies(people.session_days, insecure=people.insecure_cookies)
    api.state.signing_in = SigningIn(app.database, app.vault, people)
    api.state.sessions = Sessions(app.database, app.vault, people)
    api.state.line = ProviderLine(settings)
    api.state.signing_on = SigningOn(app.database, app.vault, api.state.sessions, api.state.line)
    api.state.logging_out = LoggingOut(app.database, api.state.signing_on.providers)
    api.state.metrics = Metrics(api.state.admission, api.state.connections)
    api.state.early = Early(api.state.crowd, _asks, api.state.metrics)
    api.state.pace = Pace()
    api.state.metrics.watch_limits(app.limiter.meters.takes, lambda: app.limiter.meters.resting)
    api.state.metrics.watch_turns(api.state.turns)
    api.state.metrics.watch_answers(STANDING, get_args(Rung))
    api.state.slots = Slots(settings.streams_per_tenant, settings.concurrency // 2)
    api.state.fetches = Fetches(settings.fetches_at_once)
    api.state.cutting = asyncio.Semaphore(settings.cuts_at_once)
    api.state.progress = Progress(app.database)
    api.state.readiness = health.Readiness(api.state.turns)


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    yield
    await api.state.progress.close()


def _asks(method: str, path: str) -> bool:
    return method == "POST" and path.endswith(_QUESTIONS)


class _BodyLimit:
    """How many bytes the body of a request may have."""

    def __init__(self, settings: Settings) -> None:
        self._plain = settings.api.max_body_bytes
        self._batch = settings.api.max_batch_bytes
        self._piece = settings.documents.max_upload_bytes
        self._upload = self._piece + _FORM_OVERHEAD

    def __call__(self, method: str, path: str) -> int:
        if method == "PATCH" and _PIECE.fullmatch(path):
            return self._piece
        if method != "POST":
            return self._plain
        if _UPLOAD.fullmatch(path):
            return self._upload
        return self._batch if _BATCH.fullmatch(path) else self._plain
