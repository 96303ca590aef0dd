"""How people sign in, and how mail reaches them. Environment: KNOWLOG_PEOPLE_* and KNOWLOG_MAIL_*."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class PeopleSettings(BaseModel):
    """Sessions, invitations, passwords."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_minutes: int = Field(
        10,
        ge=1,
        le=60,
        description="An access token is good for so long; the session it belongs to can end before.",
    )
    session_days: int = Field(
        30, ge=1, le=365, description="A session ends after so many days, whatever is done in it."
    )
    idle_hours: int = Field(
        168, ge=1, le=8760, description="A session ends when it was not refreshed for so many hours."
    )
    invitation_days: int = Field(7, ge=1, le=90, description="An invitation can be accepted for so long.")
    reset_minutes: int = Field(
        60, ge=5, le=1440, description="A link to set a password anew is good for so long."
    )
    breached_passwords: Path | None = Field(
        None,
        description="Passwords that are refused because they are known: a file with one on each line, a sorted file of"
        " SHA-1:count, or a folder of such files by prefix, as haveibeenpwned.com gives them.",
    )
    insecure_cookies: bool = Field(
        False,
        description="Cookies without Secure and __Host-, for a browser that keeps none of these at http://localhost."
        " For development alone.",
    )

    @property
    def access_life(self) -> timedelta:
        """How long an access token is good for."""
        return timedelta(minutes=self.access_minutes)

    @property
    def idle_life(self) -> timedelta:
        """How long a session goes on without being refreshed."""
        return timedelta(hours=self.idle_hours)


class MailSettings(BaseModel):
    """The server that takes our mail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str | None = Field(
        None, description="SMTP server. Unset: mail is printed where the worker runs, for development."
    )
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls (port 587), tls at once (465), or none, for a server beside this one.",
    )
    username: str | None = Field(None, description="Name to log in with.")
    password: SecretStr | None = Field(None, description="Password to log in with.")
    sender: str = Field("knowlog@localhost", max_length=254, description="Address that mail comes from.")
    timeout_s: float = Field(20, gt=0, le=300, description="The server must have taken a mail by then.")
    attempts: int = Field(
        12, ge=1, le=100, description="A mail that could not be sent this often is given up."
    )
