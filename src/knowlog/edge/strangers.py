"""How often an address may offer keys that are none: looking a key up costs the database a moment."""

from collections import OrderedDict
from hashlib import blake2b
from time import monotonic

from knowlog.edge.addresses import origin_of
from knowlog.kernel.errors import LimitReached

_MOST_ADDRESSES = 10_000
_MOST_KNOWN = 10_000


class Strangers:
    """A bucket of refusals for each address, `per_minute` deep. Keys that were right before pass by it.

    To pass by means to be looked up: a key that was revoked meanwhile is refused then.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, address: str, secret: str) -> None:
        """Raise LimitReached when the address has offered too many wrong keys, unless this one is known."""
        if not self._spent or _digest(secret) in self._known:
            return
        if self._level(origin_of(address)) > self._per_minute - 1:
            raise LimitReached(
                "Too many wrong API keys came from your address. Check the key, and try again in a minute.",
                retry_after_s=60,
            )

    def welcome(self, secret: str) -> None:
        """Remember a key that was right."""
        digest = _digest(secret)
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def refuse(self, address: str) -> None:
        """Count a key that was wrong."""
        origin = origin_of(address)
        self._spent[origin] = (self._level(origin) + 1, monotonic())
        self._spent.move_to_end(origin)
        if len(self._spent) > _MOST_ADDRESSES:
            self._spent.popitem(last=False)

    def _level(self, origin: str) -> float:
        level, at = self._spent.get(origin, (0.0, 0.0))
        return max(0.0, level - (monotonic() - at) * self._per_minute / 60)


def _digest(secret: str) -> bytes:
    return blake2b(secret.encode("utf-8", "replace"), digest_size=16).digest()
