"""Secrets that a tenant entrusts, by name. Their values go in and never out."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field, SecretStr

from knowlog.api.dependencies import AS_OPERATOR, AsAdmin, Route, TheApp, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.database import Scope
from knowlog.kernel.errors import Forbidden
from knowlog.tenants import (
    MOST_SECRET_CHARS,
    OPERATORS_CHAIN,
    SECRET_NAME,
    Principal,
    Rotation,
    StoredSecret,
    list_secrets,
    record_in_operators_chain,
    remove_secret,
    set_secret,
)

router = APIRouter(prefix="/v1/secrets", tags=["secrets"], route_class=Route, responses=problems())

Name = Annotated[
    str, Path(pattern=SECRET_NAME, description="Small letters, digits, points, dashes, underscores.")
]


class SecretValue(Body):
    """The value of a secret, which cannot be read back."""

    value: SecretStr = Field(min_length=1, max_length=MOST_SECRET_CHARS)


@router.get("", response_model=Listing[StoredSecret], summary="List the tenant's secrets")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List names and hints: the last four characters of a secret that has sixteen or more. Never a value."""
    _require_whole(caller)
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_secrets(connection), "next_cursor": None})


@router.put(
    "/{name}", response_model=StoredSecret, responses=problems(409), summary="Keep or replace a secret"
)
async def put(name: Name, body: SecretValue, caller: AsAdmin, app: TheApp) -> Response:
    """Keep a secret under a name, in place of an older one: encrypted, for this tenant and this name alone.

    Example: `{"value": "sk-..."}`.
    """
    _require_whole(caller)
    async with app.database.transaction(caller.scope) as connection:
        value = body.value.get_secret_value()
        return reply(await set_secret(connection, app.vault, caller.scope, name, value))


@router.delete("/{name}", status_code=204, responses=problems(404), summary="Forget a secret")
async def remove(name: Name, caller: AsAdmin, app: TheApp) -> Response:
    """Forget a secret. What uses it stops working."""
    _require_whole(caller)
    async with app.database.transaction(caller.scope) as connection:
        await remove_secret(connection, caller.scope, name)
    return Response(status_code=204)


@router.post(
    ":rotate",
    response_model=Rotation,
    dependencies=[AS_OPERATOR],
    summary="Wrap data keys anew",
)
async def rotate(app: TheApp) -> Response:
    """For the operator: wrap some of the tenants' data keys by the first key of KNOWLOG_SECRETS_KEY. Repeat it until none
    is `left`; then older keys can go. Everything works meanwhile.
    """
    done = await app.vault.rotate(app.database)
    async with app.database.system() as connection:
        scope = Scope(OPERATORS_CHAIN, "operator")
        await record_in_operators_chain(connection, scope, "secrets.rewrapped", None, asdict(done))
    return reply(done)


def _require_whole(caller: Principal) -> None:
    if caller.scope.collections is not None:
        raise Forbidden("Your key is limited to some collections; secrets are the whole tenant's.")
