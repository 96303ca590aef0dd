"""What `knowlog secrets give-up` does: it works on the database itself, since no server starts without its key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from knowlog.bootstrap import require_safe
from knowlog.cli.processes import own_database
from knowlog.cli.running import here, is_up
from knowlog.database import Home, open_database
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.wording import counted
from knowlog.settings import Settings, load_settings
from knowlog.tenants import Vault, all_wrappings, count_shut, give_up_lost, open_vault


def give_up_here(yes: bool) -> dict[str, int]:
    """Give up what the present key does not open, after asking unless `yes`. Returns how many of each kind; nothing where
    all opens. Raises Misconfigured where knowlog runs, or has no key at all.
    """
    settings = here(load_settings())
    if is_up(settings.data_dir):
        raise Misconfigured("knowlog runs here, and has its key. Stop it before you give anything up.")
    require_safe(settings)
    with own_database(settings):
        shut = asyncio.run(_count_shut(settings))
        if not shut:
            return {}
        if not yes:
            typer.confirm(
                f"Give up {counted(shut, 'data key')} and all that was sealed under it?", abort=True, err=True
            )
        return asyncio.run(_give_up(settings))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Home, Vault]]:
    database = await open_database(settings.database, settings.data_dir)
    try:
        yield database, open_vault(settings.secrets, settings.data_dir, here=False)
    finally:
        await database.close()


async def _count_shut(settings: Settings) -> int:
    async with _opened(settings) as (database, vault):
        return sum([count_shut(vault, await all_wrappings(each)) for each in await database.everywhere()])


async def _give_up(settings: Settings) -> dict[str, int]:
    async with _opened(settings) as (database, vault):
        return dict(await give_up_lost(database, vault))
