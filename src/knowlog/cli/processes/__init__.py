"""The processes of one installation on one machine: PostgreSQL, the HTTP server, a worker; watched."""

from knowlog.cli.processes.own_database import own_database
from knowlog.cli.processes.ports import free_port, require_port
from knowlog.cli.processes.program import Program
from knowlog.cli.processes.stack import Stack, open_stack
from knowlog.cli.processes.supervisor import Supervisor

__all__ = ["Program", "Stack", "Supervisor", "free_port", "open_stack", "own_database", "require_port"]
