"""The scene: a document of Alice's that is for the legal department. Dora is in it; Bob, an editor like her, is not."""

from uuid import UUID, uuid4

import pytest
from api_scene import Client, MakeClient, settled, upload, working
from permission_scene import Secret, make_secret

from knowlog.bootstrap import App
from knowlog.database import Scope


@pytest.fixture
def legal() -> UUID:
    """The group. Its id is all that lists know of it."""
    return uuid4()


@pytest.fixture
async def bob(make_client: MakeClient, tenant: Scope) -> Client:
    """A colleague who may write, and is in no group."""
    return await make_client(tenant, "editor")


@pytest.fixture
async def dora(make_client: MakeClient, tenant: Scope, legal: UUID) -> Client:
    """A colleague of the legal department."""
    return await make_client(tenant, "editor", groups=[legal])


@pytest.fixture
async def handbook(app: App, alice: Client) -> str:
    """A document that everybody may see."""
    async with working(app):
        document_id = await upload(alice, "The warranty of the probe lasts 24 months.", external_id="w")
        await settled(alice, document_id)
    return document_id


@pytest.fixture
async def secret(app: App, alice: Client, legal: UUID, handbook: str) -> Secret:
    """A document for the legal department, beside one for all."""
    return await make_secret(app, alice, legal)
