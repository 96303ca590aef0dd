"""What the tests of provisioning do again and again."""

from typing import Any
from uuid import uuid4

import httpx
from api_scene import Client

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
STRANGE = "0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b"


class Provider:
    """An identity provider with a key of a tenant."""

    def __init__(self, client: Client) -> None:
        self.http = client

    async def user(self, called: str = "bob", /, **more: Any) -> dict[str, Any]:
        """Make a user whose address nobody else has."""
        address = f"{called}-{uuid4().hex[:12]}@example.com"
        body = {
            "schemas": [USER],
            "userName": address,
            "emails": [{"value": address, "primary": True}],
            **more,
        }
        made = await self.http.post("/scim/v2/Users", json=body)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def group(self, name: str, *members: str) -> dict[str, Any]:
        """Make a group."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in members]}
        made = await self.http.post("/scim/v2/Groups", json=body)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def patch(self, place: str, *operations: dict[str, Any], **headers: str) -> httpx.Response:
        """Change a resource by operations."""
        body = {"schemas": [PATCH], "Operations": operations}
        return await self.http.patch(f"/scim/v2/{place}", json=body, headers=headers)

    async def get(self, place: str, **query: Any) -> Any:
        """Read something that is there."""
        answer = await self.http.get(f"/scim/v2/{place}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def names(self, expression: str, place: str = "Users", name: str = "userName") -> list[str]:
        """The names of what fits a filter."""
        return [each[name] for each in (await self.get(place, filter=expression)).get("Resources", ())]


def refused(answer: httpx.Response, status: int, kind: str | None = None) -> str:
    """Check that an answer is a whole error of the protocol; returns its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/scim+json"
    told = answer.json()
    assert (told["schemas"], told["status"], told.get("scimType")) == ([ERROR], str(status), kind)
    assert told["detail"].endswith(".")
    return str(told["detail"])
