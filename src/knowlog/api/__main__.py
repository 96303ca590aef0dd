"""Print the OpenAPI document, without a server: `python -m knowlog.api`. The web application's types are made of it."""

import sys

import orjson
from fastapi import FastAPI

from knowlog.api.application import ROUTERS, scoped
from knowlog.api.documentation import describe_api


def main() -> None:
    """Write the document of all routes to standard output."""
    api = FastAPI()
    api.router.routes.extend(scoped(ROUTERS))
    sys.stdout.buffer.write(orjson.dumps(describe_api(api)))


if __name__ == "__main__":
    main()
