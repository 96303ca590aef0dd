"""Ids of answers: what an answer is called by whoever asked, and by nobody else.

Who asked is stored nowhere. The id carries a keyed digest of the question's row and its asker, made with a key of the
tenant, so that it proves that the caller who names it is the one who got it.
"""

from hashlib import blake2b
from hmac import compare_digest
from uuid import UUID

_BYTES = 16


def seal(key: bytes, principal: str, question_id: UUID) -> str:
    """The id of an answer that `principal` got: 64 hexadecimal digits."""
    return question_id.hex + _mark(key, principal, question_id)


def unseal(key: bytes, principal: str, answer_id: str) -> UUID | None:
    """The row of an answer; None where the id is none, or somebody else's."""
    try:
        question_id = UUID(hex=answer_id[: 2 * _BYTES])
    except ValueError:
        return None
    proof = answer_id[2 * _BYTES :].encode(errors="replace")
    return question_id if compare_digest(proof, _mark(key, principal, question_id).encode()) else None


def _mark(key: bytes, principal: str, question_id: UUID) -> str:
    content = question_id.bytes + principal.encode()
    return blake2b(content, key=key, person=b"answer", digest_size=_BYTES).hexdigest()
