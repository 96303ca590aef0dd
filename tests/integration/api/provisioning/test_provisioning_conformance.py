"""What others ask of a SCIM server (scim2-tester), asked of a real one over a socket."""

import asyncio

from provisioning_scene import Provider


async def test_others_find_no_fault(address: str, provider: Provider) -> None:
    """Discovery, CRUD, filters, attributes, and PATCH of every attribute: no error, and nothing but what is declared as
    not supported is passed over.
    """
    from scim_tester import asked, faults, passed  # takes a second to load

    headers = {"Authorization": provider.http.headers["Authorization"]}
    results = await asyncio.to_thread(asked, f"{address}/scim/v2", headers)
    assert faults(results) == []
    assert passed(results) > 40
