"""A pair: something is taken back, and the very next call on a surface is refused."""

import asyncio

from isolation_oracle import Person
from isolation_scene import Paper, Scene


async def everywhere(scene: Scene, who: Person, paper: Paper) -> list[int]:
    """What every surface answers that a reader has."""
    asked = {"question": f"price of the {paper.word} probe"}
    calls = [("GET", f"/v1/{each}", None) for each in ("documents", "collections", "jobs", "events")]
    calls += [("POST", "/v1/search", asked), ("POST", "/v1/answers", asked)]
    place = f"/v1/documents/{paper.document_id}"
    calls += [("GET", place, None), ("GET", f"{place}/text", None), ("GET", f"{place}/content", None)]
    got = await asyncio.gather(*(scene.world.call(who, *each, surface="revocations") for each in calls))
    return [each.status for each in got]


async def around_paper(scene: Scene, who: Person, paper: Paper) -> list[int]:
    """What every surface answers that leads to one paper; searches and lists are held to the dictionary, so that they
    count as 404.
    """
    place, asked = f"/v1/documents/{paper.document_id}", {"question": f"price of the {paper.word} probe"}
    direct = [("GET", place + rest) for rest in ("", "/text", "/content", "/events")]
    direct += [("GET", f"/v1/jobs/{paper.job_id}")]
    around = [("POST", "/v1/search", asked), ("POST", "/v1/answers", asked), ("GET", "/v1/documents", None)]
    around += [("GET", "/v1/jobs", None), ("GET", "/v1/events", None)]
    world = scene.world
    got = await asyncio.gather(*(world.call(who, *each, surface="revocations") for each in direct))
    shown = await asyncio.gather(*(world.call(who, *each, surface="revocations") for each in around))
    return [*(each.status for each in got), *(404 if each.status == 200 else each.status for each in shown)]


def expect(scene: Scene, who: str, statuses: list[int], wanted: int = 200) -> None:
    """Before it is taken back it is there: else a refusal afterwards would show nothing."""
    if any(status != wanted for status in statuses):
        scene.world.tally.leak(f"{who} is refused: {statuses}")


def held(scene: Scene, what: str, statuses: list[int], wanted: int) -> int:
    """It was taken back, and holds. Returns the number of pairs."""
    if any(status != wanted for status in statuses):
        scene.world.tally.leak(f"after the {what} was revoked: {statuses}, not {wanted}")
    return len(statuses)
