"""A document cut in several ways, beside each other."""

import pytest
from api_scene import Client, problem, settled, working

from knowlog.bootstrap import App

TEXT = "# Care\n\n" + "\n\n".join(
    f"Probe {n} is cleaned with water every {n} days, and kept dry." for n in range(40)
)


@pytest.fixture
async def care(app: App, alice: Client) -> str:
    """A document of Alice's that is long enough to be cut."""
    async with working(app):
        file = {"file": ("care.md", TEXT.encode(), "text/markdown")}
        answer = await alice.post("/v1/collections/handbook/documents", files=file)
        document_id = str(answer.json()["items"][0]["document_id"])
        assert (await settled(alice, document_id))["state"] == "indexed"
    return document_id


async def test_each_profile_cuts_the_whole_text(alice: Client, care: str) -> None:
    """Side by side; every chunk is a span of the text that is shown."""
    asked = {
        "profiles": [{"strategy": "fixed", "size_tokens": 64}, {"strategy": "paragraph", "size_tokens": 128}]
    }
    made = (await alice.post(f"/v1/documents/{care}/cuts", json=asked)).json()
    assert [each["profile"]["strategy"] for each in made["cuts"]] == ["fixed", "paragraph"]
    for cut in made["cuts"]:
        covered = "".join(made["text"][each["start"] : each["end"]] for each in cut["chunks"])
        assert "".join(covered.split()) == "".join(made["text"].split())
        assert max(each["tokens"] for each in cut["chunks"]) <= cut["profile"]["size_tokens"]


async def test_a_question_finds_the_chunk_with_its_words_under_each(alice: Client, care: str) -> None:
    """By both legs, as if the chunks were all that there is."""
    asked = {
        "profiles": [{"strategy": "sentence", "size_tokens": 32}, {"strategy": "fixed", "size_tokens": 64}],
        "question": "How is probe 17 cleaned?",
    }
    made = (await alice.post(f"/v1/documents/{care}/cuts", json=asked)).json()
    for cut in made["cuts"]:
        best = cut["chunks"][cut["found"][0]["chunk"]]
        assert "Probe 17" in made["text"][best["start"] : best["end"]]
        assert set(cut["found"][0]["legs"]) == {"lexical", "dense"}
    assert made["embedded_tokens"] > 0


async def test_the_end_of_a_long_document_is_cut_from_an_offset(alice: Client, care: str) -> None:
    """Offsets stay those of the version's text, and headings above the stretch stand above its chunks."""
    start = (await alice.get(f"/v1/documents/{care}/text")).json()["text"].index("Probe 30")
    asked = {"profiles": [{"strategy": "fixed", "size_tokens": 64}], "start": start}
    made = (await alice.post(f"/v1/documents/{care}/cuts", json=asked)).json()
    first = made["cuts"][0]["chunks"][0]
    assert (made["start"], first["start"], first["headings"]) == (start, start, ["Care"])


async def test_cuts_are_refused_to_a_reader_and_hidden_from_a_stranger(
    bob: Client, charlie: Client, care: str
) -> None:
    """Bob may only read; for Charlie there is no such document."""
    asked = {"profiles": [{"strategy": "fixed"}]}
    problem(await bob.post(f"/v1/documents/{care}/cuts", json=asked), 403, "forbidden")
    problem(await charlie.post(f"/v1/documents/{care}/cuts", json=asked), 404, "not-found")


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"profiles": [{"strategy": "llm"}]}, "knowlog chunk"),
        ({"profiles": [{"strategy": "fixed", "size_tokens": 3}]}, "size_tokens"),
        ({"profiles": [{"strategy": "fixed"}], "start": 90_000}, "no text behind"),
    ],
    ids=["llm", "tiny", "beyond"],
)
async def test_what_cannot_be_cut_is_refused_in_a_sentence(
    alice: Client, care: str, asked: dict[str, object], word: str
) -> None:
    """It says what to do."""
    assert word in str(
        problem(await alice.post(f"/v1/documents/{care}/cuts", json=asked), 422, "invalid")["detail"]
    )
