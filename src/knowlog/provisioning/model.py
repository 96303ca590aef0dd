"""Ids and versions of users and groups."""

import hashlib
from typing import Any
from uuid import UUID

import orjson
from scim2_models import PreconditionFailedException, Resource


def as_id(text: str) -> UUID | None:
    """The id that a text is, in the one form in which ids are given; None for anything else."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


def version_of(*state: object) -> str:
    """The entity tag of a state: another one where anything of it is another."""
    return f'W/"{hashlib.sha256(orjson.dumps(state, default=str)).hexdigest()[:32]}"'


def require_version(found: Resource[Any], seen: str | None) -> None:
    """Raise PreconditionFailedException where a resource is not any more in the state that a change builds upon."""
    assert found.meta is not None
    if seen is not None and found.meta.version != seen:
        raise PreconditionFailedException(
            detail="It was changed meanwhile. Read it again, then repeat the change."
        )
