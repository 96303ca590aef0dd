"""The key that an operator issues to a tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from knowlog.cli import tenants

TENANT = "01a20847-a149-7483-a54b-757460409815"


class Server:
    """Keeps what is asked of it, in the place of a client."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Issue a key."""
        self.asked.append(body)
        return {"secret": "kl_x"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """What the commands of the operator are connected to."""
    made = Server()

    @contextmanager
    def connect(*_: object) -> Iterator[Server]:
        yield made

    monkeypatch.setattr(tenants, "connect_operator", connect)
    return made


def test_an_empty_expiry_is_sent_to_be_refused(server: Server) -> None:
    """As of a variable that is not set: the key would never end, where its end was asked for."""
    tenants.key(TENANT, expires="")
    tenants.key(TENANT)
    assert [each.get("expires_at") for each in server.asked] == ["", None]
