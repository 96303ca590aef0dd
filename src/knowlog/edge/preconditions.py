"""ETag and If-Match (RFC 9110, section 13).

An entity tag of ours is `"revision.more"`: the revision counts what people change, and is all that If-Match
compares, so that a worker which reports progress meanwhile does not get in a person's way.
"""

import re

from knowlog.kernel.errors import BadRequest, PreconditionFailed

_TAG = re.compile(r'"(\d{1,9})(?:\.[\x21\x23-\x7e]*)?"')
_QUOTED = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


def entity_tag(revision: int, *more: object) -> str:
    """Make the entity tag of a state: its revision, then whatever else makes its representation another."""
    return '"' + ".".join(str(part) for part in (revision, *more)) + '"'


def expected_revision(if_match: str | None) -> int | None:
    """Return the revision that If-Match demands, None for any.

    Raises BadRequest for a header that is none, PreconditionFailed for a tag that can match nothing of ours.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found:
        return int(found[1])
    if _QUOTED.fullmatch(if_match.strip()):
        raise PreconditionFailed(
            "It is not in the state that If-Match names. Read it again, then repeat the change."
        )
    raise BadRequest(
        'If-Match must be one entity tag as the ETag header gave it, such as "3.indexed.1", or *.'
    )
