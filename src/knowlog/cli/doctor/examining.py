"""Run every check."""

import re
from collections.abc import AsyncIterator, Callable

from knowlog.cli.doctor.broker import check_broker
from knowlog.cli.doctor.chunking import check_language_model
from knowlog.cli.doctor.clocks import check_clocks
from knowlog.cli.doctor.database import check_database
from knowlog.cli.doctor.embeddings import check_embeddings
from knowlog.cli.doctor.judge import check_judge
from knowlog.cli.doctor.limits import check_limits
from knowlog.cli.doctor.llm import check_providers
from knowlog.cli.doctor.machine import check_machine
from knowlog.cli.doctor.mail import check_mail
from knowlog.cli.doctor.model import Finding, fail, ok
from knowlog.cli.doctor.own_models import check_own_models
from knowlog.cli.doctor.parts import check_blobs, check_model, check_parser
from knowlog.cli.doctor.provisioning import check_provisioning
from knowlog.cli.doctor.safety import check_safety
from knowlog.cli.doctor.secrets import check_secrets
from knowlog.cli.doctor.server import Target, check_server
from knowlog.cli.doctor.sign_on import check_sign_on
from knowlog.cli.doctor.silos import check_silos
from knowlog.cli.doctor.sources import check_sources
from knowlog.cli.doctor.summaries import check_summaries
from knowlog.cli.doctor.threads import check_threads
from knowlog.cli.running import here
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.settings import Settings, load_settings

Check = Callable[[Settings], AsyncIterator[Finding]]
CHECKS: tuple[tuple[str, Check, str], ...] = (
    ("machine", check_machine, "Set KNOWLOG_DATA_DIR to a folder that this user may write."),
    ("database", check_database, "Start PostgreSQL, or correct KNOWLOG_DATABASE_URL; then run this again."),
    ("silos", check_silos, "Start PostgreSQL, or correct KNOWLOG_DATABASE_SILOS; then run this again."),
    ("secrets", check_secrets, "Start PostgreSQL, or correct KNOWLOG_SECRETS_KEY; then run this again."),
    (
        "limits",
        check_limits,
        "Start PostgreSQL, or correct the KNOWLOG_LIMITS_ settings; then run this again.",
    ),
    ("sources", check_sources, "Start PostgreSQL, or correct the KNOWLOG_SOURCES_ settings."),
    (
        "embedding model",
        check_model,
        "Correct the KNOWLOG_EMBEDDING_ settings that `knowlog config` shows; then run this again.",
    ),
    (
        "embeddings",
        check_embeddings,
        "Start PostgreSQL and correct the KNOWLOG_EMBEDDING_ settings; then run this again.",
    ),
    (
        "language model",
        check_language_model,
        "Correct the KNOWLOG_CHUNKING_LLM_ settings, or start that endpoint; only the chunking strategy llm needs it.",
    ),
    (
        "model for answers",
        check_providers,
        "Correct the KNOWLOG_LLM_ settings, or start that endpoint; meanwhile answers are made of quotations.",
    ),
    ("models of tenants", check_own_models, "Start PostgreSQL, or correct KNOWLOG_LLM_PRIVATE_HOSTS."),
    (
        "threads",
        check_threads,
        "Start PostgreSQL, or correct KNOWLOG_THREADS_KEEP_DAYS; then run this again.",
    ),
    ("summaries", check_summaries, "Start PostgreSQL, or correct KNOWLOG_DATABASE_URL; then run this again."),
    ("judge", check_judge, "Correct the KNOWLOG_FAITHFULNESS_ settings; then run this again."),
    ("mail", check_mail, "Correct the KNOWLOG_MAIL_ and KNOWLOG_PEOPLE_ settings; then run this again."),
    (
        "provisioning",
        check_provisioning,
        "Start PostgreSQL, or correct KNOWLOG_DATABASE_URL; then run this again.",
    ),
    (
        "single sign-on",
        check_sign_on,
        "Start PostgreSQL, or correct KNOWLOG_SECRETS_KEY; then run this again.",
    ),
    ("parser", check_parser, "Install knowlog again; its readers of files do not start."),
    ("safety", check_safety, "Start PostgreSQL, or correct the setting that is named; then run this again."),
    ("blob store", check_blobs, "Correct KNOWLOG_DOCUMENTS_BLOBS, or make that place writable."),
)
"""Part, check, and what to do when the check breaks off."""
ASKING: tuple[tuple[str, Callable[[Settings, Target], AsyncIterator[Finding]], str], ...] = (
    ("broker", check_broker, "Start the broker, or correct KNOWLOG_BUS_BROKER and KNOWLOG_BUS_URL."),
    ("clocks", check_clocks, "Start PostgreSQL, or correct KNOWLOG_DATABASE_URL; then run this again."),
    ("server", check_server, "Start it with `knowlog up`, or correct --url and KNOWLOG_URL."),
)
"""The same for what the running server is asked about."""


async def examine(target: Target) -> list[Finding]:
    """Run every check. One that breaks off is a finding too."""
    try:
        settings = here(load_settings())
    except Misconfigured as error:
        named = re.search(r"KNOWLOG_\w+", error.detail)
        return [fail("settings", error.detail, f"Correct or unset {named[0] if named else 'it'}.")]
    findings = [
        ok("settings", f"{len(settings.origins)} set, the rest at its default; `knowlog config` shows them")
    ]
    for part, check, remedy in CHECKS:
        findings += await _found(part, check(settings), remedy)
    for part, ask, remedy in ASKING:
        findings += await _found(part, ask(settings, target), remedy)
    return findings


async def _found(part: str, check: AsyncIterator[Finding], remedy: str) -> list[Finding]:
    findings = []
    try:
        async for finding in check:
            findings.append(finding)
    except KnowlogError as error:
        findings.append(fail(part, error.detail, remedy))
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        findings.append(
            fail(part, said, "Report these words and what `knowlog config` prints as a fault of knowlog.")
        )
    return findings
