"""Whether all workers have the same embedding model.

Two that differ would make each other's vectors anew for ever. So each says every few seconds which model it has, and
none makes anything anew while another was heard of lately: a collection goes on answering by the model that it has. Where
a fleet is changed from one model to another, the work begins when the last worker of the old one has ended.
"""

import logging
from datetime import timedelta

from knowlog.database import Database

_LOG = logging.getLogger("knowlog.ingestion")
_FRESH = timedelta(seconds=20)
"""A worker that has said nothing for so long is taken for ended; it says its word every five seconds."""
QUIET = timedelta(seconds=30)
"""So long nobody must have heard of two models."""


class Agreement:
    """One worker's word on its model, by the embedding key."""

    def __init__(
        self, database: Database, key: str, fresh: timedelta = _FRESH, quiet: timedelta = QUIET
    ) -> None:
        self._database = database
        self._key = key
        self._fresh = fresh
        self._quiet = quiet
        self._agreed = True

    async def announce(self) -> bool:
        """Say which model this worker has. False while another worker has another one."""
        async with self._database.system() as connection:
            agreed = bool(
                await connection.fetchval(
                    "select announce_model($1, $2, $3)", self._key, self._fresh, self._quiet
                )
            )
        if self._agreed and not agreed:
            _LOG.warning(
                "Workers have different embedding models, this one %s. No vectors are made anew until they agree: give"
                " all the same KNOWLOG_EMBEDDING_ settings.",
                self._key,
            )
        self._agreed = agreed
        return agreed

    async def withdraw(self) -> None:
        """This worker ends: its word holds no longer."""
        async with self._database.system() as connection:
            await connection.execute("select withdraw_model($1)", self._key)
