"""Signing in with e-mail address and password, and what people do with these.

Whoever asks learns nothing about an address: unknown, without a password and with another password get the same words
after the same work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from knowlog.bus import append_events
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Forbidden, KnowlogError, NotFound, Unauthenticated
from knowlog.tenants import throttle
from knowlog.tenants.audit import record
from knowlog.tenants.model import Principal, Role
from knowlog.tenants.passwords import check_own_words, check_password, hash_password, is_password
from knowlog.tenants.people_settings import PeopleSettings
from knowlog.tenants.second_factor import Proposal, confirm, drop_second_factor, propose, use_code
from knowlog.tenants.sessions import (
    Device,
    Opened,
    Sessions,
    end_sessions_of_person,
    person_of_caller,
)
from knowlog.tenants.sign_on.model import SignOnNeeded
from knowlog.tenants.throttle import Attempt
from knowlog.tenants.vault import INSTALLATION, Vault

_SQL = load_queries("knowlog.tenants", "people.sql")
_WRONG = "The e-mail address or the password is not right."
_NO_LINK = "This link is not valid, or not any more. Ask for another one."
_RESETS_AN_HOUR, _ASKED_AN_HOUR = 5, 30


class CodeNeeded(KnowlogError):
    """The password is right, and a code of the second factor is missing or wrong."""

    status, code = 401, "code-needed"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an e-mail address, over all tenants. Never shown to a tenant."""

    person_id: UUID
    email: str
    password_hash: str | None
    second_factor: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant that a person is a member of."""

    tenant_id: UUID
    tenant: str
    member_id: UUID
    role: Role


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody offers to sign in with."""

    email: str
    password: str
    code: str | None = None


class SigningIn:
    """What people do with their passwords. One for a process."""

    def __init__(self, database: Database, vault: Vault, settings: PeopleSettings) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._sessions = Sessions(database, vault, settings)

    async def sign_in(
        self, offered: Credentials, device: Device, origin: str, tenant_id: UUID | None = None
    ) -> tuple[Opened, list[Membership]]:
        """Open a session in a tenant, or in the one where the person was last. Returns also all their tenants.

        A tenant in a silo is to be named: the accounts of its people are there.

        Raises Unauthenticated, CodeNeeded, LimitReached after too many wrong passwords, Forbidden for one who is no
        member, SignOnNeeded where the tenant's own sign-on is enforced.
        """
        at = self if tenant_id is None else await self._at(tenant_id)
        person = await at.identify(offered, origin)
        found = await memberships(at._database, person.person_id)
        wanted = [each for each in found if tenant_id in (None, each.tenant_id)]
        if not wanted:
            raise Forbidden("You are no member of this tenant. Ask one of its admins to invite you.")
        return await self._open_first(wanted, device), found

    async def _open_first(self, wanted: Sequence[Membership], device: Device) -> Opened:
        """A session in the first of these tenants that takes passwords. Raises SignOnNeeded where none does."""
        refusal = None
        for each in wanted:
            try:
                return await self._sessions.open(each.tenant_id, each.member_id, "password", device)
            except SignOnNeeded as error:
                refusal = refusal or error
        assert refusal is not None
        raise refusal

    async def identify(self, offered: Credentials, origin: str) -> Person:
        """Find out who this is, by password and, where one is in force, second factor. Raises as `sign_in` does."""
        email = offered.email.strip().lower()
        attempt = Attempt(origin, email)
        await throttle.begin(self._database, attempt)
        person = await self._find(email)
        kept = None if person is None else person.password_hash
        if not await is_password(offered.password, kept) or person is None:
            raise Unauthenticated(_WRONG)
        async with self._database.transaction(INSTALLATION) as connection:
            if person.second_factor:
                await self._require_code(connection, person.person_id, offered.code)
            await throttle.succeed(connection, attempt, person.person_id)
        return person

    async def switch(self, caller: Principal, tenant_id: UUID, device: Device) -> Opened:
        """Open a session of the same person in another tenant.

        Raises Forbidden for a session that a tenant's sign-on has opened: that tenant vouches for nobody elsewhere.
        NotFound for a tenant that they are no member of.
        """
        async with self._database.transaction(caller.scope) as connection:
            person_id, method = await person_of_caller(connection, caller)
        if method != "password":
            raise Forbidden(
                "This session was opened by the sign-on of one tenant. Sign in to the other one itself."
            )
        place = await self._database.of(caller.scope.tenant_id)
        for each in await memberships(place, person_id):
            if each.tenant_id == tenant_id:
                return await self._sessions.open(tenant_id, each.member_id, "password", device)
        raise NotFound("You are a member of no such tenant. `GET /v1/sessions/current` lists yours.")

    async def change_password(self, caller: Principal, old: str, new: str, origin: str) -> None:
        """Choose another password; all other sessions end. Raises Unauthenticated, Invalid, LimitReached."""
        at = await self._at(caller.scope.tenant_id)
        person = await at._confirmed(caller, old, origin)
        check_password(new, self._settings.breached_passwords)
        check_own_words(new, person.email)
        await at._set_password(person.person_id, await hash_password(new), kept=caller.session_id)
        await at._record(caller, "password.changed")
        await tell(at._database, person.person_id, "password_changed")

    async def propose_second_factor(self, caller: Principal, password: str, origin: str) -> Proposal:
        """Make a secret for codes. Raises Unauthenticated, Conflict."""
        at = await self._at(caller.scope.tenant_id)
        person = await at._confirmed(caller, password, origin)
        async with at._database.transaction(INSTALLATION) as connection:
            return await propose(connection, self._vault, person.person_id, person.email)

    async def confirm_second_factor(self, caller: Principal, code: str) -> list[str]:
        """Ask for codes from now on; all other sessions end. Returns recovery codes. Raises Conflict, Invalid."""
        person_id = await self._person_of(caller)
        place = await self._database.of(caller.scope.tenant_id)
        await throttle.count_asking(place, "codes", str(person_id), _ASKED_AN_HOUR)
        async with place.transaction(INSTALLATION) as connection:
            codes = await confirm(connection, self._vault, person_id, code)
        await end_sessions_of_person(place, person_id, caller.session_id, "second factor")
        await self._record(caller, "second_factor.added")
        await tell(place, person_id, "second_factor_on")
        return codes

    async def remove_second_factor(self, caller: Principal, offered: Credentials, origin: str) -> None:
        """Ask for no codes any more. Raises Unauthenticated, CodeNeeded."""
        at = await self._at(caller.scope.tenant_id)
        person = await at._confirmed(caller, offered.password, origin)
        async with at._database.transaction(INSTALLATION) as connection:
            if person.second_factor:
                await self._require_code(connection, person.person_id, offered.code)
            await drop_second_factor(connection, person.person_id)
        await self._record(caller, "second_factor.removed")
        await tell(at._database, person.person_id, "second_factor_off")

    async def ask_for_reset(self, email: str, origin: str) -> None:
        """Have a link mailed with which the password can be set anew, if the address is somebody's. Says nothing.

        Raises LimitReached for a caller that asks too often.
        """
        await throttle.count_asking(self._database, "resets", origin, _ASKED_AN_HOUR)
        address = email.strip().lower()
        for place in await self._database.reachable():  # somebody may have an account in each
            await self._post_reset(place, address)

    async def _post_reset(self, database: Database, address: str) -> None:
        async with database.transaction(INSTALLATION) as connection:
            too_often = await throttle.asks_too_often(connection, "reset", address, _RESETS_AN_HOUR)
            row = await connection.fetchrow(_SQL["find_person"], address)
            if row is None or too_often:
                return
            reset_id = new_id()
            life = timedelta(minutes=self._settings.reset_minutes)
            await connection.execute(_SQL["insert_reset"], reset_id, row["person_id"], life)
        await post(database, row["person_id"], "reset", reset_id)

    async def reset_password(self, link: str, password: str, origin: str) -> None:
        """Set a password by the link that was mailed; every session of the person ends. Raises NotFound, Invalid."""
        await throttle.count_asking(self._database, "links", origin, _ASKED_AN_HOUR)
        check_password(password, self._settings.breached_passwords)
        hashed = await hash_password(password)
        reset_id, secret = _parts(link)
        for place in await self._database.reachable():
            if await self._in(place)._reset(reset_id, secret, password, hashed, origin):
                return
        raise NotFound(_NO_LINK)

    async def _reset(self, reset_id: UUID, secret: bytes, password: str, hashed: str, origin: str) -> bool:
        """Set a password here; False where nothing is known of the link. Raises Invalid, which uses up no link."""
        async with self._database.transaction(INSTALLATION) as connection:
            person_id = await connection.fetchval(_SQL["use_reset"], reset_id, secret)
            if person_id is None:
                return False
            await connection.execute(_SQL["drop_resets"], person_id)
            row = await connection.fetchrow(_SQL["get_person"], person_id)
            check_own_words(password, row["email"])
            await throttle.succeed(connection, Attempt(origin, row["email"]), person_id)
        await self._set_password(person_id, hashed, kept=None)
        await tell(self._database, person_id, "password_changed")
        return True

    async def _at(self, tenant_id: UUID) -> "SigningIn":
        """The same, with the accounts of the database in which a tenant lives."""
        return self._in(await self._database.of(tenant_id))

    def _in(self, database: Database) -> "SigningIn":
        return self if database is self._database else SigningIn(database, self._vault, self._settings)

    async def _set_password(self, person_id: UUID, hashed: str, kept: UUID | None) -> None:
        async with self._database.transaction(INSTALLATION) as connection:
            await connection.execute(_SQL["set_password"], person_id, hashed)
            await connection.execute(_SQL["drop_resets"], person_id)
        await end_sessions_of_person(self._database, person_id, kept, "another password")

    async def _confirmed(self, caller: Principal, password: str, origin: str) -> Person:
        """The caller, who says the password once more."""
        async with self._database.transaction(INSTALLATION) as connection:
            row = await connection.fetchrow(_SQL["get_person"], await self._person_of(caller))
        person = Person(**row)
        attempt = Attempt(origin, person.email)
        await throttle.begin(self._database, attempt)
        if not await is_password(password, person.password_hash):
            raise Unauthenticated("The password is not right.")
        async with self._database.transaction(INSTALLATION) as connection:
            await throttle.succeed(connection, attempt, person.person_id)
        return person

    async def _record(self, caller: Principal, action: str) -> None:
        """Tell the audit log of the tenant in which the person is at this moment."""
        async with self._database.transaction(caller.scope) as connection:
            await record(connection, caller.scope, action, f"member:{caller.member_id}")

    async def _person_of(self, caller: Principal) -> UUID:
        """Raises Forbidden for a session that a tenant's sign-on has opened, which is nobody over all tenants."""
        async with self._database.transaction(caller.scope) as connection:
            person_id, method = await person_of_caller(connection, caller)
        if method != "password":
            raise Forbidden(
                "This session was opened by the sign-on of one tenant. Sign in with your password for this."
            )
        return person_id

    async def _find(self, email: str) -> Person | None:
        async with self._database.transaction(INSTALLATION) as connection:
            row = await connection.fetchrow(_SQL["find_person"], email)
        return None if row is None else Person(**row)

    async def _require_code(self, connection: Connection, person_id: UUID, code: str | None) -> None:
        if code is None or not await use_code(connection, self._vault, person_id, code):
            raise CodeNeeded(
                "A code of your second factor is needed, one that was not used before. Send it as `code`."
            )


async def memberships(database: Database, person_id: UUID) -> list[Membership]:
    """The tenants that a person is a member of, the one where they were last first."""
    async with database.system() as connection:
        rows: Sequence[dict[str, object]] = await connection.fetch("select * from memberships($1)", person_id)
    return [Membership(**row) for row in rows]  # type: ignore[arg-type]


async def tell(database: Database, person_id: UUID, letter: str) -> None:
    """Mail a person that something about their sign-in has changed."""
    await post(database, person_id, letter, person_id)


async def post(database: Database, person_id: UUID, letter: str, subject: UUID) -> None:
    """Ask for a mail to a person, as a job of a tenant of theirs. Nothing secret is in it."""
    for each in (await memberships(database, person_id))[:1]:
        scope = Scope(each.tenant_id, f"member:{each.member_id}")
        async with database.transaction(scope) as connection:
            await append_events(connection, "mail.requested", [(subject, {"letter": letter})])


def _parts(link: str) -> tuple[UUID, bytes]:
    """The id and the hashed secret of a link that sets a password. Raises NotFound."""
    try:
        kind, reset_id, secret = link.split("_", 2)
        if kind != "kp" or len(secret) != 43:
            raise ValueError
        return UUID(hex=reset_id), sha256(secret.encode()).digest()
    except ValueError as error:
        raise NotFound(_NO_LINK) from error
