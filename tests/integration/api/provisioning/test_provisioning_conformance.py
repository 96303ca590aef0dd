"""What others ask of a SCIM server (scim2-tester), asked of a real one over a socket."""

import asyncio
from typing import Annotated, Any

import httpx
from provisioning_scene import Provider
from scim2_client import BaseSyncSCIMClient
from scim2_models import Required, ScimProvider
from scim2_tester import Status, check_server

from knowlog.provisioning import schemas


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


async def test_others_find_no_fault(address: str, provider: Provider) -> None:
    """Discovery, CRUD, filters, attributes, and PATCH of every attribute: no error, and nothing but what is declared as
    not supported is passed over.
    """

    def check() -> Any:
        base = f"{address}/scim/v2"
        headers = {"Authorization": provider.http.headers["Authorization"]}
        with httpx.Client(base_url=base, headers=headers, timeout=30, trust_env=False) as http:
            return check_server(_Client(http, ScimProvider(models=[User, schemas.Group])))

    results = await asyncio.to_thread(check)
    bad = {Status.ERROR, Status.CRITICAL, Status.DEVIATION}
    assert [(each.title, each.resource_type, each.reason) for each in results if each.status in bad] == []
    assert sum(each.status in (Status.SUCCESS, Status.COMPLIANT) for each in results) > 40
