"""A SCIM server is asked what scim2-tester asks.."""

from typing import Annotated, Any

import httpx
from scim2_client import BaseSyncSCIMClient
from scim2_models import Required, ScimProvider
from scim2_tester import CheckResult, Status, check_server

from knowlog.provisioning import schemas

_BAD = {Status.ERROR, Status.CRITICAL, Status.DEVIATION}


class Email(schemas.Email):
    """An address that is one."""

    value: Annotated[str | None, Required.true] = None


class User(schemas.User):
    """A user as this server takes them: without an address they could not sign in, so that one is always given; and they
    are active or not, of which nothing can be taken away.
    """

    active: Annotated[bool | None, Required.true] = None
    emails: Annotated[list[Email] | None, Required.true] = None


class _Client(BaseSyncSCIMClient):
    """Speaks over httpx, as the library's own client does over another version of it."""

    def __init__(self, http: httpx.Client, provider: ScimProvider) -> None:
        super().__init__(provider=provider)
        self.http = http

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return str(self.http.build_request("GET", endpoint).url).startswith(str(self.http.base_url))

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        return self.http.request(method, url, **kwargs)


def asked(base: str, headers: dict[str, str]) -> list[CheckResult]:
    """Everything that was asked of the server at an address, and how it answered."""
    with httpx.Client(base_url=base, headers=headers, timeout=30, trust_env=False) as http:
        return list(check_server(_Client(http, ScimProvider(models=[User, schemas.Group]))))


def faults(results: list[CheckResult]) -> list[tuple[Any, ...]]:
    """What it answered wrongly."""
    return [(each.title, each.resource_type, each.reason) for each in results if each.status in _BAD]


def passed(results: list[CheckResult]) -> int:
    """How many answers were right."""
    return sum(each.status in (Status.SUCCESS, Status.COMPLIANT) for each in results)
