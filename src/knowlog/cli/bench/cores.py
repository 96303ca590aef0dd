"""Where the processor time of a benchmark's phase goes: to each part of a private knowlog, to the asking, elsewhere."""

import os
from time import perf_counter

from knowlog.cli.bench.machine import cores
from knowlog.cli.bench.process_tree import processor_s, tree, unused_s
from knowlog.cli.bench.system import System
from knowlog.database import EmbeddedServer

_ELSEWHERE = "elsewhere"


class Cores:
    """Looks at the processes of a private system from its making on."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._began = perf_counter()
        self._before = self._seconds()

    @property
    def passed_s(self) -> float:
        """Seconds since then."""
        return perf_counter() - self._began

    def taken(self) -> dict[str, float]:
        """How many cores each part has taken since then. `idle` is what nobody took, `elsewhere` what others did, on the
        machine or beneath it; `generator_kernel` is in `generator`.
        """
        passed_s, after = self.passed_s, self._seconds()
        found = {
            name: max(0.0, each - self._before.get(name, 0.0)) / passed_s for name, each in after.items()
        }
        of_others = cores() - sum(each for name, each in found.items() if name != "generator_kernel")
        return {**found, _ELSEWHERE: max(0.0, of_others)}

    def _seconds(self) -> dict[str, float]:
        system, own = self._system, os.times()
        assert system.stack is not None
        programs = system.stack.supervisor.process_ids
        database = EmbeddedServer(system.settings.data_dir, system.settings.database).process_id
        return {
            "servers": sum(processor_s(pid) for name, pid in programs.items() if name.startswith("api")),
            "postgresql": sum(map(processor_s, tree(database))) if database else 0.0,
            "generator": own.user + own.system,
            "generator_kernel": own.system,
            "idle": unused_s(),
        }
