"""The scene: identity providers with keys for provisioning, of Alice's tenant and of Charlie's."""

import pytest
from api_scene import Client, MakeClient
from provisioning_scene import Provider

from knowlog.database import Scope


@pytest.fixture
async def provider(make_client: MakeClient, tenant: Scope, alice: Client) -> Provider:
    """Alice's identity provider."""
    return Provider(await make_client(tenant, "provisioner"))


@pytest.fixture
async def strange(make_client: MakeClient, other_tenant: Scope, charlie: Client) -> Provider:
    """Charlie's identity provider: a stranger's."""
    return Provider(await make_client(other_tenant, "provisioner"))
