"""Whose turn a question takes, before its caller is looked up: a refusal in an overload has to cost next to nothing.

What is remembered is no right: it says only in whose name a credential was seen last, and the caller is found as ever.
"""

from collections import OrderedDict
from hashlib import blake2b

_MOST = 10_000
STRANGER = ""


class Askers:
    """The tenants of credentials that were right, by digest."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[bytes, str] = OrderedDict()

    def learn(self, secret: str, tenant: str) -> None:
        """A credential was right."""
        digest = _digest(secret.encode("latin-1", "replace"))
        self._tenants[digest] = tenant
        self._tenants.move_to_end(digest)
        if len(self._tenants) > _MOST:
            self._tenants.popitem(last=False)

    def tenant(self, headers: dict[bytes, bytes]) -> str:
        """In whose name a request asks, as far as it was seen before; all others are strangers to each other's harm."""
        kind, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer":
            return STRANGER
        return self._tenants.get(_digest(secret.strip()), STRANGER)


def _digest(secret: bytes) -> bytes:
    return blake2b(secret, digest_size=16).digest()
