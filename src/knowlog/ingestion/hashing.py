"""What identifies a text that was embedded."""

import hashlib
from uuid import UUID


def content_hash(text: str) -> UUID:
    """Return the same id for the same text, by which its vector is found again."""
    return UUID(bytes=hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
