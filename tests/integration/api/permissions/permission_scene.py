"""A document that is not for everybody, and what speaks of it."""

from typing import NamedTuple
from uuid import UUID

from api_scene import Client, settled, upload, working

from knowlog.bootstrap import App

CANARY = "xylocarp"
TEXT = f"# Settlement\n\nThe {CANARY} settlement costs nine million euros and is not to be told."


class Secret(NamedTuple):
    """A document, and what else speaks of it."""

    document_id: str
    job_id: str
    event_id: str


async def make_secret(app: App, alice: Client, legal: UUID) -> Secret:
    """Upload the document; wait until it is indexed."""
    async with working(app):
        document_id = await upload(
            alice, TEXT, external_id="settlement", metadata={"kind": CANARY}, access=[str(legal)]
        )
        await settled(alice, document_id)
    jobs = (await alice.get("/v1/jobs", params={"document_id": document_id})).json()["items"]
    events = (await alice.get("/v1/events", params={"subject": document_id})).json()["items"]
    return Secret(document_id, jobs[0]["job_id"], events[0]["id"])
