"""How many wrong passwords are borne: from an address, for a person from an address, and for a person altogether.

The last would let anybody lock anybody out. So it does not hold for addresses from which this person has signed in, or
set the password by a mailed link: who is attacked from everywhere goes on signing in from where they are.
What is counted is kept in the database, the same for every server, as hashes that tell no address.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from knowlog.database import Connection, Database, load_queries
from knowlog.kernel.errors import LimitReached
from knowlog.tenants.vault import INSTALLATION

_SQL = load_queries("knowlog.tenants", "people.sql")


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together: so many at once, and they are forgotten evenly over `period_s`."""

    name: bytes
    most: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody at an address offers a secret for an e-mail address. It counts as wrong until it is found right."""

    origin: str
    email: str

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Where it counts, always in the same order, so that attempts do not lock each other."""
        return (
            Bucket(_name("person", self.email), 100, 3600),
            Bucket(_name("person here", self.email, self.origin), 10, 900),
            Bucket(_name("origin", self.origin), 30, 300),
        )


async def begin(database: Database, attempt: Attempt) -> None:
    """Count an attempt before it is looked at. Raises LimitReached when there were too many wrong ones."""
    async with database.transaction(INSTALLATION) as connection:
        known = await connection.fetchval(_SQL["origin_known"], attempt.email, _name(attempt.origin))
        waits = [
            await _charge(connection, bucket)
            for index, bucket in enumerate(attempt.buckets)
            if index or not known
        ]
    _refuse(max(waits))


async def succeed(connection: Connection, attempt: Attempt, person_id: UUID) -> None:
    """The attempt was right: it does not count, and its address is known from now on."""
    await connection.execute(_SQL["forget_failures"], attempt.buckets[1].name)
    for bucket in (attempt.buckets[0], attempt.buckets[2]):
        await connection.execute(_SQL["refund_failure"], bucket.name)
    await connection.execute(_SQL["know_origin"], person_id, _name(attempt.origin))


async def count_asking(database: Database, what: str, origin: str, most: int) -> None:
    """Bear so many of something from an address in an hour. Raises LimitReached."""
    async with database.transaction(INSTALLATION) as connection:
        wait = await _charge(connection, Bucket(_name(what, origin), most, 3600))
    _refuse(wait)


async def asks_too_often(connection: Connection, what: str, email: str, most: int) -> bool:
    """Whether something was asked for an e-mail address more than `most` times in an hour."""
    return await _charge(connection, Bucket(_name(what, email), most, 3600)) > 0


async def _charge(connection: Connection, bucket: Bucket) -> float:
    """Put one more into a bucket. Returns for how many seconds it is full, 0 when there was room."""
    per_s = bucket.most / bucket.period_s
    level = float(await connection.fetchval(_SQL["charge_failure"], bucket.name, per_s, bucket.most + 1.0))
    return 0.0 if level <= bucket.most else max(1.0, (level - bucket.most + 1) / per_s)


def _refuse(wait_s: float) -> None:
    if wait_s:
        raise LimitReached(
            "Too many attempts were wrong. Wait a while, or have a link mailed with which you set the password anew.",
            retry_after_s=round(wait_s),
        )


def _name(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
