"""Queues: how much work there is, for the operator of the installation."""

from fastapi import APIRouter, Response

from knowlog.api.dependencies import AS_OPERATOR, Route, TheApp, reply
from knowlog.api.model import Listing, problems
from knowlog.bus import BrokerHealth, QueueDepth, broker_health, queue_depths

router = APIRouter(
    prefix="/v1/queues", tags=["tenants"], route_class=Route, dependencies=[AS_OPERATOR], responses=problems()
)


@router.get("", response_model=Listing[QueueDepth], summary="List the queues' depths")
async def listing(app: TheApp) -> Response:
    """List how much waits, runs and has failed, by tenant and queue, with each tenant's weight. Tenants without any
    work are left out.
    """
    return reply({"items": await queue_depths(app.database), "next_cursor": None})


@router.get("/broker", response_model=BrokerHealth, summary="Ask the broker how it is")
async def broker(app: TheApp) -> Response:
    """Ask the broker that this server's settings name for its name and version, and count the messages on its topics of
    work that nobody could read. `postgres` stands for none.
    """
    return reply(await broker_health(app.settings.bus))
