"""The language model that a tenant entrusts for its own questions. Its key goes in and never out."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field, SecretStr

from knowlog.api.dependencies import NO_NUL, AsAdminOfAll, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.edge import checked_address, reach_of_models, require_safe_form
from knowlog.kernel.errors import KnowlogError, NotFound
from knowlog.llm import Prompt, TenantAccount
from knowlog.tenants import MOST_SECRET_CHARS, remove_own_model, set_own_model

router = APIRouter(
    prefix="/v1/language-model", tags=["language model"], route_class=Route, responses=problems()
)
_WORD = Prompt("Answer with one word.", "Is this text read? Say yes.", 16)
_MODEL = "^openai:[^\\s\x00-\x1f]+$"


class NewOwnModel(Body):
    """A model behind an endpoint that speaks OpenAI's chat completions, and its key."""

    model: Annotated[
        str, Field(min_length=8, max_length=200, pattern=_MODEL, examples=["openai:gpt-4o-mini"]), NO_NUL
    ]
    url: Annotated[str, Field(min_length=8, max_length=2000, examples=["https://api.openai.com/v1"]), NO_NUL]
    api_key: SecretStr | None = Field(
        None, min_length=1, max_length=MOST_SECRET_CHARS, description="Null: the endpoint needs none."
    )
    alone: bool = Field(
        False, description="Where it does not answer, ask no model of the operator's: quotations stand in."
    )


class OwnModelBody(Body):
    """A tenant's own language model. `hint`: the end of its key. `state`: how its guard sees it, in the process asked."""

    model: str
    url: str
    alone: bool
    hint: str
    state: Literal["closed", "open", "half-open"]
    changed_at: datetime
    changed_by: str


class Checked(Body):
    """Whether the model answers, and what is wrong where it does not."""

    answers: bool
    told: str


@router.get("", response_model=OwnModelBody, responses=problems(404), summary="Show the own language model")
async def show(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Show which model is asked first for this tenant's questions, and how it stands. Never its key."""
    return reply(await _shown(app, caller.scope))


@router.put("", response_model=OwnModelBody, summary="Entrust an own language model")
async def put(body: NewOwnModel, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Entrust a model that answers this tenant's questions before those of the operator do. What it costs is between you
    and its provider; tokens are counted, and held against the tenant's limits.

    Example: `{"model": "openai:gpt-4o-mini", "url": "https://api.openai.com/v1", "api_key": "sk-..."}`.
    """
    reach = reach_of_models(app.settings.llm.private_hosts)
    await checked_address(require_safe_form(body.url, reach), reach)
    key = body.api_key.get_secret_value() if body.api_key else None
    async with app.database.transaction(caller.scope) as connection:
        await set_own_model(connection, app.vault, caller.scope, body.model, body.url, key, alone=body.alone)
    return reply(await _shown(app, caller.scope))


@router.post(":check", response_model=Checked, responses=problems(404), summary="Ask the own language model")
async def check(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Ask it for one word, and say what is wrong where none comes."""
    found = await app.own_models.of(caller.scope)
    if found is None:
        raise _none()
    account = TenantAccount(app.database, app.limiter, caller.scope)
    try:
        used = (await found[1].complete(_WORD, account)).usage.tokens
        return reply({"answers": True, "told": f"It answers ({used} tokens)."})
    except KnowlogError as error:
        return reply({"answers": False, "told": error.detail})
    finally:
        await account.settle()


@router.delete("", status_code=204, responses=problems(404), summary="Forget the own language model")
async def remove(caller: AsAdminOfAll, app: TheApp) -> Response:
    """Forget the model and its key, from the next question on."""
    async with app.database.transaction(caller.scope) as connection:
        await remove_own_model(connection, caller.scope)
    return Response(status_code=204)


async def _shown(app: App, scope: Scope) -> dict[str, object]:
    found = await app.own_models.of(scope)
    if found is None:
        raise _none()
    own, provider = found
    return {
        "model": own.model, "url": own.url, "alone": own.alone, "hint": own.hint,
        "state": provider.guard.breaker.state, "changed_at": own.changed_at, "changed_by": own.changed_by,
    }  # fmt: skip


def _none() -> NotFound:
    return NotFound(
        "There is no language model of your tenant's own. `knowlog language-model set` entrusts one."
    )
