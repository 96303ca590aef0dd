"""The second factor: codes that change every 30 seconds (TOTP, RFC 6238), each good once, and recovery codes.

It belongs to a person and holds in all their tenants. The secret is sealed; recovery codes are kept as hashes.
"""

import hashlib
import time
from dataclasses import dataclass
from hmac import compare_digest
from uuid import UUID

import pyotp

from knowlog.database import Connection, load_queries
from knowlog.kernel.errors import Conflict, Invalid
from knowlog.tenants.vault import Vault

_SQL = load_queries("knowlog.tenants", "people.sql")
_STEP_S = 30
_CODES = 10
_WRONG = "The code is not right. Give the newest one that the app shows; each is good once."


@dataclass(frozen=True, slots=True)
class Proposal:
    """A secret for an app that makes codes: as text, and as the address that a QR code holds."""

    secret: str
    uri: str


async def propose(connection: Connection, vault: Vault, person_id: UUID, email: str) -> Proposal:
    """Make a secret, in force once `confirm` has seen its first code. Raises Conflict where one is in force."""
    secret = pyotp.random_base32()
    sealed = await vault.seal(connection, purpose_of_factor(person_id), secret)
    if not await connection.fetchval(_SQL["propose_totp"], person_id, sealed):
        raise Conflict("A second factor is in force already. Remove it first.")
    return Proposal(secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="knowlog"))


async def confirm(connection: Connection, vault: Vault, person_id: UUID, code: str) -> list[str]:
    """Put the proposed secret into force. Returns recovery codes, each good once in place of a code.

    Raises Conflict where nothing was proposed, Invalid for a wrong code.
    """
    row = await connection.fetchrow(_SQL["second_factor"], person_id)
    if row is None or row["totp_sealed"] is None or row["totp_since"] is not None:
        raise Conflict("No second factor waits to be confirmed. Ask for one first.")
    step = _step_of(
        code, await vault.open(connection, purpose_of_factor(person_id), row["totp_sealed"]), row["totp_step"]
    )
    if step is None:
        raise Invalid(_WRONG)
    codes = [pyotp.random_base32(32)[:24].lower() for _ in range(_CODES)]
    await connection.execute(_SQL["enforce_totp"], person_id, step, [_hash(each) for each in codes])
    return codes


async def use_code(connection: Connection, vault: Vault, person_id: UUID, code: str) -> bool:
    """Use up a code, or a recovery code. Returns whether it was good; nobody can use it again."""
    row = await connection.fetchrow(_SQL["second_factor"], person_id)
    if row is None or row["totp_since"] is None:
        return False
    if row["totp_sealed"] is not None:  # null: lost with the key of the installation
        secret = await vault.open(connection, purpose_of_factor(person_id), row["totp_sealed"])
        if (step := _step_of(code, secret, row["totp_step"])) is not None:
            await connection.execute(_SQL["use_step"], person_id, step)
            return True
    return bool(await connection.fetchval(_SQL["use_recovery_code"], person_id, _hash(_plain(code))))


async def drop_second_factor(connection: Connection, person_id: UUID) -> None:
    """Ask for no code any more."""
    await connection.execute(_SQL["drop_totp"], person_id)


def _step_of(code: str, secret: str, used: int) -> int | None:
    """The step whose code this is: this one, the one before or after, and none that was used or is older."""
    totp, present = pyotp.TOTP(secret), int(time.time()) // _STEP_S
    found = None
    for step in (present - 1, present, present + 1):
        if compare_digest(totp.generate_otp(step).encode(), _plain(code).encode()) and step > used:
            found = step
    return found


def _plain(code: str) -> str:
    return code.replace(" ", "").replace("-", "").lower()


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()  # 120 random bits: nobody searches them


def purpose_of_factor(person_id: UUID) -> str:
    """What the sealed secret of a second factor is bound to."""
    return f"second factor:{person_id}"
