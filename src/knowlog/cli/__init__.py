"""The command line: the HTTP API's verbs in a terminal, and the processes of an installation."""

from knowlog.cli.app import main

__all__ = ["main"]
