"""A mover of its own that dies in the middle.

python mover_process.py TENANT STEP   does the tenant's move, and kills itself with SIGKILL when it comes to this step
"""

import asyncio
import os
import signal
import sys

from knowlog.database import open_database
from knowlog.settings import load_settings
from knowlog.tenants import Mover, open_vault, unfinished_moves


async def nothing(_database: object) -> None:
    """No index is built ahead."""


async def main(tenant: str, step: str) -> None:
    """Go on with the move as far as the step."""

    async def die(*_args: object, **_named: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Mover, step, die)
    settings = load_settings()
    home = await open_database(settings.database, settings.data_dir)
    vault = open_vault(settings.secrets, settings.data_dir, here=True)
    for move in await unfinished_moves(home):
        if str(move.tenant_id) == tenant:
            await Mover(home, vault, move, nothing).run()


asyncio.run(main(*sys.argv[1:3]))
