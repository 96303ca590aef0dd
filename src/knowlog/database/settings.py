"""What the database room wants to know. Environment: KNOWLOG_DATABASE_*."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_SILO = re.compile(r"([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)=(here|postgres(?:ql)?://\S+)")
HERE = "here"
"""Instead of the address of a silo: another database on the server of the home."""


class DatabaseSettings(BaseModel):
    """Where PostgreSQL is, or how to run the embedded one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr | None = Field(
        None,
        description="PostgreSQL 16+ with pgvector 0.8+. Unset: an embedded server in the data directory.",
    )
    owner_url: SecretStr | None = Field(
        None,
        description="Login that owns the schema: migrations and index builds. Unset: the same login as url.",
    )
    bin_dir: Path | None = Field(
        None, description="Programs of PostgreSQL 17+ for the embedded server, instead of the wheel's."
    )
    run_as: str | None = Field(
        None,
        description="User that runs the embedded server when knowlog runs as root. Unset: knowlog, postgres or nobody.",
    )
    pool_size: int = Field(12, ge=1, le=200, description="Most connections of one process.")
    statement_timeout_s: float = Field(60, gt=0, description="A statement that takes longer is cancelled.")
    prepared_statements: bool = Field(True, description="Set to false behind a pooler that cannot keep them.")
    silos: SecretStr | None = Field(
        None,
        description="Databases of their own for tenants: name=url, several with blanks between. A url as above, or here.",
    )
    silo_owners: SecretStr | None = Field(
        None,
        description="Logins that own the schema in a silo, in the same form. Unset: the same login as in silos.",
    )

    @field_validator("silos", "silo_owners")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        read_silos(value)
        return value

    @property
    def silo_urls(self) -> Mapping[str, tuple[str, str]]:
        """For each silo, by name: where the application logs in, and where the schema's owner does."""
        owners = read_silos(self.silo_owners)
        return {name: (url, owners.get(name, url)) for name, url in read_silos(self.silos).items()}


def read_silos(value: SecretStr | None) -> dict[str, str]:
    """Read `name=url name=url`. Raises ValueError, which shows nothing of an address: there are passwords in them."""
    found: dict[str, str] = {}
    for number, part in enumerate(value.get_secret_value().split() if value else (), 1):
        match = _SILO.fullmatch(part)
        if match is None:
            raise ValueError(
                f"has a part, number {number}, that is neither name=postgresql://... nor name=here"
            )
        if match[1] in found:
            raise ValueError(f"names the silo {match[1]} twice")
        found[match[1]] = match[2]
    return found


def beside(url: str, name: str) -> str:
    """The address of a silo on the server that `url` speaks of."""
    return urlsplit(url)._replace(path=f"/{database_of(name)}").geturl()


def database_of(name: str) -> str:
    """How the database of a silo is called that is made on the server of the home."""
    return f"knowlog-silo-{name}"
