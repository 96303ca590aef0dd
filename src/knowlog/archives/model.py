"""The nouns of archives. The format is described in docs/archive-format.md; its version counts what breaks readers."""

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import orjson

from knowlog.kernel.errors import Invalid

FORMAT = "knowlog-tenant"
VERSION = 1
MANIFEST = "manifest.json"
BLOCK = 512


def refuse(what: str) -> Invalid:
    """The refusal of an archive: nothing was brought in."""
    return Invalid(f"{what} The archive is refused, nothing was brought in. Export it again.")


@dataclass(slots=True)
class Manifest:
    """What an archive says of itself, in its last member.

    `tables`: name -> columns and number of rows. `parts`: each part of rows with its size and SHA-256. `originals`: how
    many, how many bytes, and the SHA-256 over the lines "name size sha256" of all in their order. `missing`: originals
    that were deleted while the archive was written.
    """

    tenant_id: str
    tenant_name: str
    written_at: str
    written_by: str
    audit_head: dict[str, Any]
    format: str = FORMAT
    version: int = VERSION
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: list[dict[str, Any]] = field(default_factory=list)
    originals: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def dump(self) -> bytes:
        """As it stands in the archive."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)

    @classmethod
    def load(cls, content: bytes) -> "Manifest":
        """Read it. Raises Invalid for one that is damaged or of a version that is not known."""
        try:
            values = orjson.loads(content)
            known = values["format"] == FORMAT
        except (ValueError, TypeError, KeyError) as error:
            raise refuse("Its manifest cannot be read.") from error
        if not known or values.get("version") != VERSION:
            raise refuse(f"It is not of the format {FORMAT}, version {VERSION}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise refuse("Its manifest cannot be read.") from error


@dataclass(frozen=True, slots=True)
class Brought:
    """A tenant that was brought in. The secret opens it as owner; it is shown once."""

    tenant_id: UUID
    name: str
    from_tenant: str
    rows: dict[str, int]
    originals: int
    missing: int
    to_be_indexed: int
    secret: str
