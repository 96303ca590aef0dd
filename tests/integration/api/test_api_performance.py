"""How fast a tenant is served, as its admins see it."""

from api_scene import Client, problem


async def test_questions_and_jobs_of_the_last_hour_are_counted(alice: Client, warranty: str) -> None:
    """The document that was indexed, and the questions since."""
    for _ in range(3):
        await alice.post("/v1/search", json={"question": "How long is the warranty?"})
    found = (await alice.get("/v1/performance")).json()
    assert sum(each["questions"] for each in found["questions"]) == 3
    assert sum(each["done"] for each in found["jobs"]) == 1
    assert all(0 < each["p50_ms"] <= each["p95_ms"] for each in found["questions"])


async def test_a_question_that_is_refused_counts_as_failed(alice: Client) -> None:
    """It was asked, and nothing was found for it."""
    await alice.post("/v1/search", json={"question": "x", "collections": ["nothing"]})
    (minute,) = (await alice.get("/v1/performance")).json()["questions"]
    assert (minute["questions"], minute["failed"]) == (1, 1)


async def test_nothing_of_it_is_told_to_others(
    alice: Client, bob: Client, charlie: Client, warranty: str
) -> None:
    """Bob is no admin; Charlie's tenant was idle."""
    await alice.post("/v1/search", json={"question": "How long?"})
    problem(await bob.get("/v1/performance"), 403, "forbidden")
    told = (await charlie.get("/v1/performance")).json()
    assert (told["questions"], told["jobs"]) == ([], [])


async def test_models_inside_are_no_dependencies(alice: Client, bob: Client) -> None:
    """There is nothing on the network that this installation asks."""
    assert (await alice.get("/v1/dependencies")).json()["items"] == []
    problem(await bob.get("/v1/dependencies"), 403, "forbidden")
