"""HTTP for programs: parse, call a room, render. One file per noun."""

from knowlog.api.application import create_api
from knowlog.api.server import run_api, run_server

__all__ = ["create_api", "run_api", "run_server"]
