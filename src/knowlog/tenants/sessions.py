"""Sessions of members: a short access token that every call compares with the session's row, and a refresh token that
changes with each use.

A refresh token is `kr_<tenant>_<session>_<family>_<secret>`. Its family stays the same, its secret does not: a token of
the family whose secret has been used before was copied by somebody, and ends the session. Two tabs of one browser may
come with the same token within seconds: the second is told so and given nothing, and finds the first one's tokens in its
cookies.
"""

import hashlib
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal
from uuid import UUID

from knowlog.bus import notify_progress
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable
from knowlog.tenants import tokens
from knowlog.tenants.audit import record
from knowlog.tenants.members import principal_of
from knowlog.tenants.model import Principal
from knowlog.tenants.people_settings import PeopleSettings
from knowlog.tenants.sign_on.model import SignOnNeeded
from knowlog.tenants.signing_keys import signer
from knowlog.tenants.vault import Vault

_SQL = load_queries("knowlog.tenants", "sessions.sql")
Method = Literal["password", "sign_on"]
REFRESH_TOKEN = re.compile(r"kr_([0-9a-f]{32})_([0-9a-f]{32})_([A-Za-z0-9_-]{22})_([A-Za-z0-9_-]{43})")
_NAMES_TENANT = re.compile(r"k[ri]_([0-9a-f]{32})_")
_GRACE = timedelta(seconds=10)
SUSPENDED = "Your tenant is suspended: nothing of it is lost. Ask whoever runs this installation."
_OVER = "The session has ended, or this is no token of it. Sign in again."
_REUSED = "This refresh token was used before, so it may have been copied: the session has been ended. Sign in again."


@dataclass(frozen=True, slots=True)
class Device:
    """What a session is opened with: its owner knows it again by that."""

    agent: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session as its owner may see it."""

    session_id: UUID
    method: Method
    agent: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and its tokens, which cannot be read again. `csrf_token` is for browsers that keep them in cookies."""

    tenant_id: UUID
    member_id: UUID
    session_id: UUID
    access_token: str
    expires_in_s: int
    refresh_token: str
    csrf_token: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """The word of a tenant's provider: by which sign-on it came, what the provider calls its own session, if it says so,
    and how long it is believed.
    """

    sign_on: str
    provider_session: str | None
    life: timedelta


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opens sessions and renews their tokens."""

    database: Database
    vault: Vault
    settings: PeopleSettings

    async def open(
        self,
        tenant_id: UUID,
        member_id: UUID,
        method: Method,
        device: Device = Device(),
        vouched: Vouched | None = None,
    ) -> Opened:
        """Open a session of a member, who was found to be who they say: by a password, or by a provider that `vouched`.

        Raises Forbidden for one who is disabled, SignOnNeeded for a password where the tenant has its sign-on enforced.
        """
        session_id, family, secret = new_id(), secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        word = vouched or Vouched("", None, timedelta(days=self.settings.session_days))
        async with self.database.transaction(Scope(tenant_id, f"member:{member_id}")) as connection:
            if method == "password":
                await _check_not_enforced(connection, tenant_id)
            made = await connection.fetchval(
                _SQL["insert_session"], session_id, member_id, method, _shown(device.agent, 200),
                _shown(device.address, 64), _hash(family), _hash(secret), word.life, word.sign_on or None,
                word.provider_session, self.settings.idle_life,
            )  # fmt: skip
            if made is None:
                raise Forbidden("You are no member of this tenant. Ask one of its admins.")
            await connection.execute(_SQL["touch_session"], session_id)
            scope = Scope(tenant_id, f"member:{member_id}")
            await record(connection, scope, "session.opened", f"session:{session_id}", {"method": method})
        return await self._opened(tenant_id, member_id, session_id, family, secret)

    async def refresh(self, refresh_token: str) -> Opened:
        """Give new tokens for a refresh token. Raises Unauthenticated; Conflict for one that was used a moment ago."""
        match = REFRESH_TOKEN.fullmatch(refresh_token)
        if match is None:
            raise Unauthenticated(_OVER)
        tenant_id, session_id, family, secret = UUID(match[1]), UUID(match[2]), match[3], match[4]
        renewed = secrets.token_urlsafe(32)
        async with self.database.transaction(Scope(tenant_id, "authentication")) as connection:
            row = await connection.fetchrow(_SQL["refreshable"], session_id, _GRACE)
            if row is None or not compare_digest(row["family_hash"], _hash(family)):
                raise Unauthenticated(_OVER)
            if not compare_digest(row["refresh_hash"], _hash(secret)):
                _bear_twin(row, secret)
                await _end(connection, tenant_id, session_id, "a refresh token was used twice")
                owner = Scope(tenant_id, f"member:{row['member_id']}")
                await record(connection, owner, "session.reused", f"session:{session_id}")
                reused = True
            else:
                await connection.execute(
                    _SQL["rotate_session"], session_id, _hash(renewed), self.settings.idle_life
                )
                reused = False
        if reused:
            raise Unauthenticated(_REUSED, reused=True)
        return await self._opened(tenant_id, row["member_id"], session_id, family, renewed)

    async def _opened(
        self, tenant_id: UUID, member_id: UUID, session_id: UUID, family: str, secret: str
    ) -> Opened:
        life_s, now = int(self.settings.access_life.total_seconds()), int(time.time())
        csrf = csrf_of(family)
        claims = tokens.Claims(tenant_id, member_id, session_id, now, now + life_s, tokens.guard_of(csrf))
        place = self.database.known_place(tenant_id)  # each database has its own
        access = (await signer(place, self.vault)).sign(claims)
        refresh = f"kr_{tenant_id.hex}_{session_id.hex}_{family}_{secret}"
        return Opened(tenant_id, member_id, session_id, access, life_s, refresh, csrf)


async def authenticate_member(database: Database, token: str) -> Principal:
    """Find out whose access token this is. The session is read from the database at each call, so that signing out,
    another role, and leaving the tenant or a group hold at once.

    Raises Unauthenticated, always with the same words; Forbidden when the tenant is suspended.
    """
    try:
        key_id, claims = tokens.read(token)
        scope = Scope(claims.tenant_id, "authentication")
        async with database.transaction(scope) as connection:
            row = await connection.fetchrow(_SQL["session_rights"], claims.session_id, key_id)
            if row is None or row["public_key"] is None or row["member_id"] != claims.member_id:
                raise tokens.NoToken
            tokens.verify(token, row["public_key"], claims)
            if row["suspended"]:
                raise Forbidden(SUSPENDED)
        if row["used_again"]:
            with suppress(Unavailable):  # who only reads needs no room on the database's disk
                async with database.transaction(scope) as connection:
                    await connection.execute(_SQL["touch_session"], claims.session_id)
    except tokens.NoToken as error:
        raise Unauthenticated(
            "The access token is not valid, or not any more. Renew it with the refresh token, or sign in again."
        ) from error
    return principal_of(claims.tenant_id, claims.member_id, row, claims.session_id)


async def list_sessions(connection: Connection, caller: Principal) -> list[Session]:
    """List the caller's open sessions in this tenant. Raises Forbidden for a key."""
    rows = await connection.fetch(_SQL["list_sessions"], own_member(caller))
    return [Session(**row, current=row["session_id"] == caller.session_id) for row in rows]


async def end_session(connection: Connection, caller: Principal, session_id: UUID) -> None:
    """Sign out of one of the caller's sessions. Raises NotFound for one that is not theirs, or has ended."""
    if session_id not in {each.session_id for each in await list_sessions(connection, caller)}:
        raise NotFound("There is no such session of yours. `GET /v1/sessions` lists them.")
    await _end(connection, caller.scope.tenant_id, session_id, "signed out")
    await record(connection, caller.scope, "session.ended", f"session:{session_id}")


async def end_all_sessions(database: Database, caller: Principal) -> None:
    """Sign out everywhere: of all sessions in all tenants, if this one was opened with the password.

    A session that a tenant's sign-on has opened ends those of this tenant: no tenant rules over another's.
    """
    member_id, session_id = own_member(caller), caller.session_id
    async with database.transaction(caller.scope) as connection:
        row = await connection.fetchrow(_SQL["person_of_session"], session_id)
        await end_sessions_of_member(connection, caller.scope.tenant_id, member_id, "signed out everywhere")
        await record(connection, caller.scope, "session.ended", f"member:{member_id}", {"everywhere": True})
    if row["method"] == "password":
        place = await database.of(caller.scope.tenant_id)
        await end_sessions_of_person(place, row["person_id"], None, "signed out everywhere")


async def end_sessions_of_member(
    connection: Connection, tenant_id: UUID, member_id: UUID, reason: str
) -> None:
    """End every session of a member, at once, with the streams that they have open."""
    for row in await connection.fetch(_SQL["end_sessions_of_member"], member_id, reason):
        await notify_progress(connection, tenant_id, row["session_id"])


async def end_sessions_of_person(database: Database, person_id: UUID, kept: UUID | None, reason: str) -> None:
    """End every session of a person in every tenant of this database, but for one."""
    async with database.system() as connection:
        await connection.fetchval("select end_sessions_of_person($1, $2, $3)", person_id, kept, reason)


async def person_of_caller(connection: Connection, caller: Principal) -> tuple[UUID, Method]:
    """Who the caller is over all tenants, and how the session was opened. Raises Forbidden for a key."""
    own_member(caller)
    row = await connection.fetchrow(_SQL["person_of_session"], caller.session_id)
    return row["person_id"], row["method"]


def own_member(caller: Principal) -> UUID:
    """The caller's own member. Raises Forbidden for a key, which is nobody."""
    if caller.member_id is None:
        raise Forbidden("This is for people in a session of theirs; an API key has none. Sign in first.")
    return caller.member_id


def tenant_of_token(token: str) -> UUID | None:
    """The tenant that a refresh token, or the token of an invitation, names."""
    match = _NAMES_TENANT.match(token)
    return match and UUID(match[1])


def csrf_of(family: str) -> str:
    """The token against forged requests that belongs to a family; the family cannot be told from it."""
    return tokens.encoded(hashlib.sha256(b"csrf\0" + family.encode()).digest())


def csrf_of_refresh_token(refresh_token: str) -> str | None:
    """The same, of a whole refresh token; None for what is none."""
    match = REFRESH_TOKEN.fullmatch(refresh_token)
    return match and csrf_of(match[3])


def _bear_twin(row: Any, secret: str) -> None:
    """Raise Conflict where a token was used by another tab, or twice by a program, a moment ago."""
    if (
        row["previous_hash"]
        and row["rotated_just_now"]
        and compare_digest(row["previous_hash"], _hash(secret))
    ):
        raise Conflict(
            "This refresh token was used a moment ago. Go on with the tokens that were given then.",
            retry_after_s=1,
        )


async def _check_not_enforced(connection: Connection, tenant_id: UUID) -> None:
    """Raise SignOnNeeded where a sign-on is enforced. None can be until the transaction ends: its row is locked."""
    rows = await connection.fetch(_SQL["lock_sign_ons"])
    enforced = [f"/v1/sign-on/{tenant_id}/{row['name']}" for row in rows if row["enforced"]]
    if enforced:
        raise SignOnNeeded(
            f"Members of this tenant sign in by its provider. Open {enforced[0]} of this server in your browser.",
            sign_on=enforced,
        )


async def _end(connection: Connection, tenant_id: UUID, session_id: UUID, reason: str) -> None:
    await connection.execute(_SQL["end_session"], session_id, reason)
    await notify_progress(connection, tenant_id, session_id)


def _shown(text: str, most: int) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:most]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
