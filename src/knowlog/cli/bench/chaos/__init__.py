"""`knowlog bench chaos`: processes are killed at random; nothing may be lost, wrong, twice, stuck or out of order."""

from knowlog.cli.bench.chaos.command import chaos

__all__ = ["chaos"]
