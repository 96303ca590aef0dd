"""A throw-away language model: a process of its own that plays one, and can be put into a mood, or killed."""

import sys
from collections.abc import Mapping

import httpx

from knowlog.cli.bench.servers import endpoint
from knowlog.cli.bench.servers.program import Program, Server

_TIMEOUT_S = 10


class ModelServer(Server):
    """One endpoint. It is well until it is told otherwise."""

    name = "The played language model"
    packages = "knowlog"

    @classmethod
    def installed(cls) -> bool:
        """It is part of this package."""
        return True

    @property
    def url(self) -> str:
        """Base address of the endpoint."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings of a knowlog that asks it."""
        return {"KNOWLOG_LLM_MODEL": f"openai:{endpoint.NAME}", "KNOWLOG_LLM_URL": self.url}

    def be(self, mood: endpoint.Mood) -> None:
        """Put it into a mood, from the next call on."""
        place = f"http://127.0.0.1:{self.port}/mood"
        httpx.post(place, json={"mood": mood}, timeout=_TIMEOUT_S, trust_env=False).raise_for_status()

    def _launch(self) -> Program:
        return Program([sys.executable, "-P", endpoint.__file__, str(self.port)], self.log, {})
