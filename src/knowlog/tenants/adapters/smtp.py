"""SMTP, by aiosmtplib. A connection for each letter: there are few."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from knowlog.kernel.errors import Invalid, KnowlogError, Misconfigured, Unavailable
from knowlog.tenants.letters import Letter
from knowlog.tenants.people_settings import MailSettings

_PERMANENT = 500


class Smtp:
    """Hands letters to the server that the settings name. TLS is never given up: a server without it gets nothing."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, letter: Letter) -> None:
        """Hand a letter over, within the time that the settings give."""
        async with self._connected() as server:
            await server.send_message(self._message(letter))

    async def check(self) -> str:
        """Connect, and log in where a name is set."""
        async with self._connected():
            return f"{self._settings.host}:{self._settings.port}, {self._settings.tls}"

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_s):
                server = SMTP(
                    hostname=settings.host, port=settings.port, timeout=settings.timeout_s,
                    use_tls=settings.tls == "tls", start_tls=settings.tls == "starttls",
                    username=settings.username,
                    password=settings.password.get_secret_value() if settings.password else None,
                    tls_context=ssl.create_default_context(),
                )  # fmt: skip
                async with server:
                    try:
                        yield server
                    except asyncio.CancelledError:
                        server.close()  # or the client would part with a word, and wait for its answer
                        raise
        except TimeoutError as error:
            raise Unavailable(
                f"{self._named()} did not take the mail in {settings.timeout_s:g} s."
            ) from error
        except (SMTPException, OSError, ValueError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> KnowlogError:
        said = str(error).rstrip(".") or type(error).__name__
        if isinstance(error, SMTPResponseException) and error.code in (530, 534, 535, 538):
            return Misconfigured(f"{self._named()} refuses the login: {said}. Check KNOWLOG_MAIL_USERNAME.")
        if isinstance(error, SMTPResponseException) and error.code >= _PERMANENT:
            return Invalid(f"{self._named()} refuses this mail: {said}.")
        refused = getattr(error, "recipients", None)
        if refused and all(each.code >= _PERMANENT for each in refused):
            return Invalid(f"{self._named()} refuses the address: {refused[0].message}.")
        return Unavailable(f"{self._named()} does not take the mail: {said}.")

    def _named(self) -> str:
        return f"The mail server {self._settings.host}:{self._settings.port}"

    def _message(self, letter: Letter) -> EmailMessage:
        """The letter as RFC 5322 has it; a line break in a header is refused by EmailMessage itself."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._settings.sender, letter.to, letter.subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="knowlog")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        return message
