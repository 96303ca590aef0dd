"""Health and the front page, which answer without a key and hold no tenant's data; figures, for the operator."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from knowlog import __version__
from knowlog.api.dependencies import AS_OPERATOR, Route, TheApp, open_to_all, reply
from knowlog.api.model import problems
from knowlog.api.web import page, wants_page
from knowlog.bootstrap import App
from knowlog.edge import METRICS_TYPE, Metrics, figures_beside
from knowlog.kernel.errors import KnowlogError, Unavailable
from knowlog.resilience import Turns, dependencies

router = APIRouter(tags=["health"], route_class=Route)

_HEALTH = open_to_all("it tells the state of the process and holds no tenant's data")
_ROOT = open_to_all("it names addresses of this server, and no tenant")
_CHECK_TIMEOUT_S = 5.0
Alone = Annotated[bool, Query(description="Only the figures of the process that answers.")]
_FRESH_S = 1.0
_CAN_DO_WITHOUT = frozenset({"model", "language_models", "dependencies", "questions"})
"""Parts without which less is answered, and answered nevertheless."""

_Check = Callable[[App], Awaitable[None]]


class Readiness:
    """Whether the server can serve. Checked at most once a second, however often it is asked."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._checked_at = -_FRESH_S
        self._result: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def check(self, app: App) -> dict[str, str]:
        """Return each part with "ok" or what is wrong with it."""
        async with self._lock:
            if monotonic() - self._checked_at >= _FRESH_S:
                parts: dict[str, _Check] = {"database": _database, "queue": _queue, "model": _model}
                if app.providers:
                    parts["language_models"] = _language_models
                if _others(app):
                    parts["dependencies"] = _dependencies
                if self._turns.pressed:
                    parts["questions"] = self._overload
                found = await asyncio.gather(*(_try(check(app)) for check in parts.values()))
                self._result = dict(zip(parts, found, strict=True))
                self._checked_at = monotonic()
            return self._result

    async def _overload(self, _app: App) -> None:
        raise Unavailable(
            "several tenants ask more at once than can be answered: "
            f"{self._turns.limit.now} are answered at a time, few wait, the others are refused"
        )


@router.head("/", include_in_schema=False, dependencies=[_ROOT])
@router.get("/", dependencies=[_ROOT], summary="Where to go from here")
async def root(request: Request) -> Response:
    """Show a browser the web application; name the addresses worth knowing to a program."""
    if wants_page(request):
        return await page()
    return reply(
        {
            "name": "knowlog",
            "version": __version__,
            "documentation": "/docs",
            "openapi": "/openapi.json",
            "health": "/health/ready",
            "metrics": "/metrics",
        },
        headers={"Vary": "Accept"},
    )


@router.get("/health/live", dependencies=[_HEALTH], summary="Say that the process runs")
async def live() -> Response:
    """Say that the process runs."""
    return reply({"status": "ok"})


@router.get(
    "/health/ready",
    dependencies=[_HEALTH],
    responses={503: {"description": "A part is down; the body says which."}},
    summary="Say whether it can serve",
)
async def ready(request: Request, app: TheApp) -> Response:
    """Say whether requests can be served: database, queue and models. Without its models a server is ready and
    `degraded`: it takes documents in, and searches by words and by the vectors of models that answer.
    """
    checks = await request.app.state.readiness.check(app)
    wrong = {part for part, found in checks.items() if found != "ok"}
    down = bool(wrong - _CAN_DO_WITHOUT)
    status = "unavailable" if down else "degraded" if wrong else "ok"
    return reply({"status": status, "checks": checks}, 503 if down else 200)


@router.get(
    "/metrics",
    response_class=Response,
    dependencies=[AS_OPERATOR],
    responses={
        **problems(),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        503: {"description": "No database."},
    },
    summary="Read figures for Prometheus",
)
async def metrics(request: Request, app: TheApp, alone: Alone = False) -> Response:
    """Figures for Prometheus, over all tenants. It sends the operator's key as its bearer token. Servers of one port
    answer with the figures of all of them.
    """
    figures: Metrics = request.app.state.metrics
    if alone:
        return Response(figures.render_alone(), headers={"Content-Type": METRICS_TYPE})
    others = await figures_beside(app.settings.api.ports_beside, request.headers["Authorization"])
    return Response(await figures.render(app.database, others), headers={"Content-Type": METRICS_TYPE})


async def _try(check: Any) -> str:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await check
    except KnowlogError as error:
        return error.detail
    except TimeoutError:
        return f"did not answer in {_CHECK_TIMEOUT_S:g} seconds"
    return "ok"


async def _database(app: App) -> None:
    async with app.database.system() as connection:
        await connection.execute("select 1")


async def _queue(app: App) -> None:
    async with app.database.system() as connection:
        await connection.fetchrow("select * from queue_depth()")


async def _language_models(app: App) -> None:
    _require_none([each.name for each in app.providers if each.guard.breaker.state != "closed"])


async def _dependencies(app: App) -> None:
    _require_none(_others(app))


def _others(app: App) -> list[str]:
    """What else is left alone: judge, reranker, blob store, endpoints that embed and chunk."""
    named = {each.name for each in app.providers}
    return [each.name for each in dependencies() if each.left_alone and each.name not in named]


def _require_none(away: list[str]) -> None:
    if away:
        raise Unavailable(f"left alone for a moment, because they did not answer well: {'; '.join(away)}")


async def _model(app: App) -> None:
    await app.embedder.embed_query("ready")
