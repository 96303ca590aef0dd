"""What tenants want to know. Environment: KNOWLOG_SECRETS_* and KNOWLOG_LIMITS_*."""

import base64
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

KEY_BYTES = 32
Most = Annotated[int | None, Field(ge=0, le=2**53)]
"""A limit: at most so many; None is no limit. JSON holds numbers up to 2^53 exactly."""


class SecretsSettings(BaseModel):
    """The key-encryption keys, under which the data key of each tenant is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: SecretStr | None = Field(
        None,
        description="Key-encryption key: 32 random bytes in base64 (`openssl rand -base64 32`). Several, separated by"
        " blanks: the first is current, the others open what they wrapped. Unset: secrets.key in the data"
        " directory, which is made with the embedded PostgreSQL; with another one, `knowlog serve` refuses.",
    )

    @field_validator("key")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read_keys(value.get_secret_value())
        return value


def read_keys(text: str) -> tuple[bytes, ...]:
    """The keys that a setting or a file holds, the current one first. Raises ValueError; its words hold no key."""
    keys = tuple(_read_key(each) for each in re.split(r"[\s,]+", text.strip()) if each)
    if not keys:
        raise ValueError("holds no key; make one with `openssl rand -base64 32`")
    return tuple(dict.fromkeys(keys))


def _read_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("is no list of keys of 32 bytes in base64; make one with `openssl rand -base64 32`")
    if len(set(key)) < KEY_BYTES // 4:
        raise ValueError("holds a key that is no random one; make one with `openssl rand -base64 32`")
    return key


class LimitsSettings(BaseModel):
    """What a tenant may use for which the operator has set nothing of its own, and where requests are counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: Most = Field(600_000, description="Requests of one tenant in a minute.")
    uploads_per_minute: Most = Field(
        None, description="Documents that one tenant uploads over HTTP in a minute."
    )
    upload_bytes_per_day: Most = Field(
        None, description="Bytes that one tenant sends in to be stored in a day (UTC)."
    )
    stored_bytes: Most = Field(None, description="Bytes of originals that one tenant may have stored.")
    documents: Most = Field(None, description="Documents that one tenant may have.")
    embedding_tokens_per_day: Most = Field(
        None, description="Tokens of one tenant's documents that are embedded in a day (UTC)."
    )
    llm_tokens_per_day: Most = Field(
        None, description="Tokens that language models read and write for one tenant in a day (UTC)."
    )
    money_micros_per_month: Most = Field(
        None, description="What one tenant may cost in a month (UTC), in millionths of your currency."
    )
    store: Literal["postgresql", "redis"] = Field(
        "postgresql",
        description="Where requests and uploads of a minute are counted. Redis when there are many servers.",
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis that counts: redis://... Unreachable, PostgreSQL counts in its place."
    )
