"""The second factor of a person: codes that an app makes."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from knowlog.api.dependencies import AsReader, Route, reply
from knowlog.api.model import Body, problems
from knowlog.api.sessions import Secret, TheSigningIn
from knowlog.edge import origin_of_request
from knowlog.tenants import Credentials, Proposal

router = APIRouter(prefix="/v1", tags=["sessions"], route_class=Route, responses=problems(409))

Code = Annotated[str, Field(min_length=6, max_length=40, examples=["123456"])]


class Password(Body):
    """The password, once more."""

    password: Secret


class First(Body):
    """The first code that the app makes."""

    code: Code


class Removal(Body):
    """The password, and a code."""

    password: Secret
    code: Code | None = None


class RecoveryCodes(BaseModel):
    """Codes for the day on which the app is lost, each good once. They are shown this once."""

    recovery_codes: list[str]


@router.post("/second-factor", status_code=201, response_model=Proposal, summary="Begin a second factor")
async def begin(body: Password, request: Request, caller: AsReader, people: TheSigningIn) -> Response:
    """Make a secret for an authenticator app. It is in force once its first code was confirmed."""
    made = await people.propose_second_factor(caller, body.password, origin_of_request(request))
    return reply(made, 201)


@router.post("/second-factor:confirm", response_model=RecoveryCodes, summary="Confirm a second factor")
async def confirm(body: First, caller: AsReader, people: TheSigningIn) -> Response:
    """Put the second factor into force: from now on, signing in asks for a code, and each is good once. All your other
    sessions end. Keep the recovery codes.
    """
    return reply({"recovery_codes": await people.confirm_second_factor(caller, body.code)})


@router.post("/second-factor:remove", status_code=204, summary="Remove a second factor")
async def remove(body: Removal, request: Request, caller: AsReader, people: TheSigningIn) -> Response:
    """Ask for no code any more. Needs the password and a code, or a recovery code."""
    offered = Credentials("", body.password, body.code)
    await people.remove_second_factor(caller, offered, origin_of_request(request))
    return Response(status_code=204)
