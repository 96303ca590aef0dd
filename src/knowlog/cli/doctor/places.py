"""What the functions of the database tell, of the home and of each silo."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from knowlog.cli.doctor.database import owner_url
from knowlog.cli.doctor.model import Finding
from knowlog.database import HERE, beside, connect
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings


async def told_by(settings: Settings, function: str, *given: Any) -> AsyncIterator[tuple[str, Sequence[Any]]]:
    """Yield, for each database that answers and has the function, its name (the home has none) and the rows."""
    arguments = ", ".join(f"${number}" for number in range(1, len(given) + 1))
    for name, url in _urls(settings):
        try:
            connection = await connect(url)
        except KnowlogError:
            continue  # said by the checks of databases
        try:
            if await connection.fetchval("select to_regproc($1)", f"knowlog.{function}") is not None:
                await connection.execute("set role knowlog_system")
                yield name, await connection.fetch(f"select * from knowlog.{function}({arguments})", *given)  # noqa: S608 - names of ours
        finally:
            await connection.close()


def of_place(name: str, finding: Finding) -> Finding:
    """The finding, by the name of its silo where it is of one."""
    return replace(finding, part=f"silo {name}: {finding.part}") if name else finding


def _urls(settings: Settings) -> Iterator[tuple[str, str]]:
    home = owner_url(settings)
    if home is not None:
        yield "", home
    for name, (_, url) in settings.database.silo_urls.items():
        if url != HERE:
            yield name, url
        elif home is not None:
            yield name, beside(home, name)
