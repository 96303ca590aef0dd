"""Passwords: changed by who knows the old one, and set anew by who reads the mailbox."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsReader, Route
from knowlog.api.model import Body, problems
from knowlog.api.sessions import HAS_LINK, Secret, TheSigningIn, even_time
from knowlog.edge import origin_of_request

router = APIRouter(prefix="/v1", tags=["sessions"], route_class=Route, responses=problems())

NewPassword = Annotated[
    str, Field(min_length=8, max_length=1024, description="8 to 1,024 characters; any will do.")
]
Link = Annotated[str, Field(min_length=10, max_length=200), NO_NUL]


class Change(Body):
    """The password as it is, and as it is to be."""

    password: Secret
    new_password: NewPassword


class Asking(Body):
    """Whose password is to be set anew."""

    email: Annotated[str, Field(max_length=254, examples=["bob@example.com"]), NO_NUL]


class Reset(Body):
    """The link's token, and the password to be set."""

    token: Link
    password: NewPassword


@router.put("/password", status_code=204, summary="Change your password")
async def change(body: Change, request: Request, caller: AsReader, people: TheSigningIn) -> Response:
    """Choose another password. All your other sessions end, in every tenant, and you are mailed about it."""
    await people.change_password(caller, body.password, body.new_password, origin_of_request(request))
    return Response(status_code=204)


@router.post(
    "/password-resets",
    dependencies=[HAS_LINK],
    status_code=202,
    response_class=Response,
    summary="Ask for a reset link",
)
async def ask(body: Asking, request: Request, people: TheSigningIn) -> Response:
    """Have a link mailed with which the password can be set anew. The answer is the same, after the same time, whether
    the address is known or not.
    """
    async with even_time():
        await people.ask_for_reset(body.email, origin_of_request(request))
    return Response(status_code=202)


@router.post(
    "/password-resets:use",
    dependencies=[HAS_LINK],
    status_code=204,
    responses=problems(404),
    summary="Set a password anew",
)
async def use(body: Reset, request: Request, people: TheSigningIn) -> Response:
    """Set the password with the token of a mailed link, which is good once. Every session of the person ends; a second
    factor stays in force.
    """
    await people.reset_password(body.token, body.password, origin_of_request(request))
    return Response(status_code=204)
