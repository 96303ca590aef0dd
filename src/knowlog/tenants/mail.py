"""Sending mail: to an SMTP server, or to the console where none is set."""

import sys
from typing import Protocol

from knowlog.tenants.letters import Letter
from knowlog.tenants.people_settings import MailSettings


class Mail(Protocol):
    """Takes letters."""

    async def send(self, letter: Letter) -> None:
        """Hand a letter over. Raises Unavailable when it may work later, Invalid when this letter never will."""

    async def check(self) -> str:
        """Say where letters go, once that place has answered. Raises Unavailable, Misconfigured."""


class Console:
    """Prints letters where the process runs: for development, and for whoever tries knowlog out."""

    async def send(self, letter: Letter) -> None:
        """Print it."""
        lines = (f"To: {letter.to}", f"Subject: {letter.subject}", "", *letter.text.rstrip().splitlines())
        sys.stderr.write("".join(f"mail | {line}\n" for line in lines))
        sys.stderr.flush()

    async def check(self) -> str:
        """Nothing can be wrong with it."""
        return "printed on the console of the worker"


def open_mail(settings: MailSettings) -> Mail:
    """What the settings name."""
    if settings.host is None:
        return Console()
    from knowlog.tenants.adapters.smtp import Smtp  # loaded where it is chosen

    return Smtp(settings)
