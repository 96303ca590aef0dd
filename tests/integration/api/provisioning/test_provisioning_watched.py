"""What operators see of provisioning: figures, and doctor's word."""

import re

from api_scene import Client
from fastapi import FastAPI
from provisioning_scene import Provider

from knowlog.bootstrap import App
from knowlog.cli.doctor.provisioning import check_provisioning


async def figures(api: FastAPI, app: App) -> tuple[int, int]:
    """How many members are kept, and how many tenants have no key for it any more."""
    text = (await api.state.metrics.render(app.database)).decode()
    kept, unkept = (
        re.search(rf"^knowlog_provisioning_{name} (\d+)", text, re.M)
        for name in ("members", "tenants_without_key")
    )
    assert kept
    assert unkept
    return int(kept[1]), int(unkept[1])


async def test_a_provider_that_lost_its_key_is_told_of(
    api: FastAPI, app: App, alice: Client, provider: Provider
) -> None:
    """Because it shuts nobody out any more; a key that ends soon is told of before."""
    kept, unkept = await figures(api, app)
    await provider.user()
    assert await figures(api, app) == (kept + 1, unkept)
    (key,) = [each for each in (await alice.get("/v1/keys")).json()["items"] if each["role"] == "provisioner"]
    assert (await alice.delete(f"/v1/keys/{key['key_id']}")).status_code == 200
    assert await figures(api, app) == (kept + 1, unkept + 1)
    (finding,) = [each async for each in check_provisioning(app.settings)]
    assert (finding.outcome, "leavers stay" in finding.found) == ("warn", True)
