"""Where mail goes, and how people sign in."""

from collections.abc import AsyncIterator

from knowlog.bootstrap import is_here
from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.settings import Settings
from knowlog.tenants import is_known, open_mail


async def check_mail(settings: Settings) -> AsyncIterator[Finding]:
    """Connect to the mail server as a worker would. Printing mail, and cookies without TLS, are for development."""
    found = await open_mail(settings.mail).check()
    if settings.mail.host is None and not (is_here(settings) and settings.api.development):
        yield warn(
            "mail", f"{found}, links that set passwords among it",
            "Set KNOWLOG_MAIL_HOST: nobody gets an invitation or a new password, and whoever reads the output can.",
        )  # fmt: skip
    elif settings.mail.tls == "none" and settings.mail.host not in (None, "localhost", "127.0.0.1"):
        yield warn("mail", f"{found}: in the clear", "Set KNOWLOG_MAIL_TLS to starttls or tls.")
    else:
        yield ok("mail", found)
    if settings.people.insecure_cookies:
        yield warn(
            "cookies", "sent without TLS", "Unset KNOWLOG_PEOPLE_INSECURE_COOKIES outside development."
        )
    if known := settings.people.breached_passwords:
        is_known("password", known)
        yield ok("known passwords", f"refused: those in {known}")
