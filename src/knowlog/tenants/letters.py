"""What is mailed to people. The secret of a link comes into being here, when a worker is about to send it: what is kept
is its hash, so that neither the job nor the database can open anything.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from uuid import UUID

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.tenants.vault import INSTALLATION

_INVITATIONS = load_queries("knowlog.tenants", "invitations.sql")
_PEOPLE = load_queries("knowlog.tenants", "people.sql")

_NOTICES = {
    "password_changed": (
        "Your password was changed",
        "Your password for knowlog was changed. All other sessions ended.",
    ),
    "second_factor_on": (
        "A second factor is in force",
        "From now on knowlog asks for a code when you sign in.",
    ),
    "second_factor_off": (
        "The second factor was removed",
        "knowlog asks for no code any more when you sign in.",
    ),
}
_NOT_YOU = "If this was not you, have a link mailed to set your password anew: `knowlog sessions forgot {}`."


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail: to whom, about what, in plain text."""

    to: str
    subject: str
    text: str


async def write_letter(
    database: Database, scope: Scope, letter: str, subject: UUID, home: str
) -> Letter | None:
    """Write the mail that a job asks for; None where it is of no use any more. `home` is the installation's address."""
    if letter == "invitation":
        return await _invitation(database, scope, subject, home)
    async with database.transaction(INSTALLATION) as connection:
        if letter == "reset":
            return await _reset(connection, subject, home)
        row = await connection.fetchrow(_PEOPLE["get_person"], subject)
    if row is None or letter not in _NOTICES:
        return None
    title, text = _NOTICES[letter]
    return Letter(row["email"], title, f"{text}\n\n{_NOT_YOU.format(row['email'])}\n")


async def note_sending(
    database: Database, scope: Scope, letter: str, subject: UUID, failure: str | None
) -> None:
    """Let the tenant see how the mailing of its invitation went."""
    if letter == "invitation":
        async with database.transaction(scope) as connection:
            await connection.execute(_INVITATIONS["note_sending"], subject, failure)


async def _invitation(database: Database, scope: Scope, invitation_id: UUID, home: str) -> Letter | None:
    secret = token_urlsafe(32)
    async with database.transaction(scope) as connection:
        row = await connection.fetchrow(_INVITATIONS["add_invitation_secret"], invitation_id, _hash(secret))
    if row is None:
        return None
    token = f"ki_{scope.tenant_id.hex}_{invitation_id.hex}_{secret}"
    text = (
        f"You are invited to {row['tenant']} on knowlog, with the role {row['role']}.\n\n"
        f"Accept: {home}/accept#{token}\nOr in a terminal: knowlog sessions accept {token}\n\n"
        f"The link is good once, until {_moment(row['expires_at'])}. If you expected no invitation, do nothing.\n"
    )
    return Letter(row["email"], f"You are invited to {_line(row['tenant'])}", text)


async def _reset(connection: Connection, reset_id: UUID, home: str) -> Letter | None:
    secret = token_urlsafe(32)
    row = await connection.fetchrow(_PEOPLE["add_reset_secret"], reset_id, _hash(secret))
    if row is None:
        return None
    token = f"kp_{reset_id.hex}_{secret}"
    text = (
        "Somebody, probably you, wants to set your password for knowlog anew.\n\n"
        f"Set it: {home}/reset#{token}\nOr in a terminal: knowlog sessions reset-password {token}\n\n"
        f"The link is good once, until {_moment(row['expires_at'])}. If it was not you, do nothing.\n"
    )
    return Letter(row["email"], "Set your password anew", text)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _line(text: str) -> str:
    return " ".join(text.split())
