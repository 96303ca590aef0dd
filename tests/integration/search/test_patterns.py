"""Ways from a question to passages, on a real database: what each adds, and what none may touch."""

from dataclasses import replace
from uuid import uuid4

import pytest

from knowlog.kernel.errors import Invalid, Unavailable
from knowlog.retrieval import RetrievalProfile, Retrieved, Search, all_patterns, retrieve
from knowlog.stores import parse_filter

OFFLINE = [each.name for each in all_patterns() if not each.needs_llm]
TEXTS = [
    "The pump stops with fault E7.",
    "Fault E7 is mended by changing the gasket of the impeller.",
    "Invoices are paid within thirty days.",
    "The gasket of the impeller is kept in cabinet nine.",
]


async def test_feedback_finds_what_only_the_best_passage_speaks_of(
    database, tenant, collection, put, store, embedder
) -> None:
    """The question says nothing of an impeller; its best passages do."""
    await put(tenant, collection, TEXTS)

    async def lexical(pattern: str) -> set[str]:
        search = Search("pump fault E7", (collection,), pattern=pattern)
        found = await retrieve(database, tenant, embedder, store, search)
        return {each.text for each in found.passages if "lexical" in each.legs}

    assert TEXTS[3] not in await lexical("hybrid")
    assert TEXTS[3] in await lexical("feedback")


async def test_a_pattern_says_what_it_did(database, tenant, collection, put, store, embedder) -> None:
    """In the order in which it was done, with the words that it added."""
    await put(tenant, collection, TEXTS)
    search = Search("pump fault E7", (collection,), pattern="feedback")
    found = await retrieve(database, tenant, embedder, store, search)
    assert (found.pattern, found.calls) == ("feedback", 0)
    assert "gasket" in found.steps[-1].detail["added_words"]


@pytest.mark.parametrize("pattern", OFFLINE)
async def test_what_may_not_be_seen_feeds_no_pattern(
    database, tenant, collection, put, store, embedder, pattern: str
) -> None:
    """Neither scores nor steps tell of a document that is hidden, however well it fits."""
    bob = replace(tenant, subjects=frozenset())
    await put(tenant, collection, TEXTS)

    async def told() -> list[object]:
        search = Search("pump fault E7", (collection,), pattern=pattern)
        found = await retrieve(database, bob, embedder, store, search)
        return [found.passages, found.statistics, found.steps]

    before = await told()
    hidden = await put(tenant, collection, ["pump fault E7 canary", "fault E7 canary in the pump"])
    async with database.transaction(tenant) as connection:
        await connection.execute(
            "update documents set audience = $2 where document_id = any($1)", hidden, [uuid4()]
        )
    assert await told() == before


@pytest.mark.parametrize("pattern", OFFLINE)
async def test_the_filter_holds_in_every_look(
    database, tenant, collection, put, store, embedder, pattern: str
) -> None:
    """What does not pass is not shown, and gives no words for a second look."""
    await put(tenant, collection, TEXTS, [{"year": 2020 + n} for n in range(4)])
    search = Search(
        "pump fault E7", (collection,), filter=parse_filter({"year": {"gte": 2022}}), pattern=pattern
    )
    found = await retrieve(database, tenant, embedder, store, search)
    assert {each.metadata["year"] for each in found.passages} == {2022, 2023}
    assert "mend" not in str(found.steps)


@pytest.mark.parametrize("pattern", OFFLINE)
async def test_a_pattern_finds_nothing_where_there_is_nothing(
    database, tenant, collection, store, embedder, pattern: str
) -> None:
    """An empty collection is no error."""
    search = Search("pump fault E7", (collection,), pattern=pattern)
    assert (await retrieve(database, tenant, embedder, store, search)).passages == ()


async def test_adaptive_reads_the_rarer_words_where_the_legs_find_nothing_in_common(
    database, tenant, collection, put, store, embedder
) -> None:
    """What the question is about comes before what is only worded like it, and nothing else is looked for."""
    wording = "What is it that they do when this is so and there is more of it than before and the"
    worded = [f"{wording} {n}" for n in range(20)]
    await put(tenant, collection, [*worded, "gasket leaks", *[f"valve {n}" for n in range(20, 40)]])
    profile = RetrievalProfile(dense_weight=0.8)

    async def found(pattern: str) -> Retrieved:
        question = f"{wording} valve gasket leaks"
        search = Search(question, (collection,), limit=50, profile=profile, pattern=pattern)
        return await retrieve(database, tenant, embedder, store, search)

    plain, adaptive = await found("hybrid"), await found("adaptive")
    assert (plain.passages[0].text in worded, adaptive.passages[0].text) == (True, "gasket leaks")
    assert {each.chunk_id for each in adaptive.passages} == {each.chunk_id for each in plain.passages}
    assert adaptive.embedded_tokens > plain.embedded_tokens


async def test_adaptive_compares_tokens_only_for_a_short_question(
    database, tenant, collection, put, store, embedder
) -> None:
    """Both legs have the same passages and differ about the first; of a long question not every word matters."""
    names = [f"part{n}" for n in range(30)]
    await put(tenant, collection, ["pump the the the", "pump pump of another kind"])

    async def did(question: str) -> str:
        search = Search(question, (collection,), pattern="adaptive")
        return (await retrieve(database, tenant, embedder, store, search)).steps[-1].what

    assert await did("the pump") == "compared tokens"
    assert await did(f"the pump {' '.join(names)}") == "kept the plain search"


@pytest.mark.parametrize("missing", ["words", "meaning", "all but one", "whatever passes"])
async def test_adaptive_needs_neither_leg_nor_much_to_find(
    database, tenant, collection, put, store, embedder, missing: str
) -> None:
    """Words that nothing has, a model that is down, a single document, a filter that nothing passes."""
    await put(tenant, collection, TEXTS[:1] if missing == "all but one" else TEXTS)

    async def down(_text: str) -> None:
        raise Unavailable("The model does not answer.")

    if missing == "meaning":
        embedder.embed_query = down
    search = Search(
        "xyzzy plugh" if missing == "words" else "pump fault E7",
        (collection,),
        pattern="adaptive",
        filter=parse_filter({"year": 1999}) if missing == "whatever passes" else None,
    )
    found = await retrieve(database, tenant, embedder, store, search)
    assert (found.pattern, bool(found.passages)) == ("adaptive", missing != "whatever passes")


async def test_a_question_names_the_documents_that_it_means(
    database, tenant, collection, put, store, embedder
) -> None:
    """A year in the question is looked for in the metadata; one that no document has narrows nothing."""
    await put(tenant, collection, ["pump sales rose", "pump sales fell"], [{"year": 2023}, {"year": 2024}])
    profile = RetrievalProfile(pattern="filtered", filter_names=("year", "team"))
    for year, texts in (("2024", {"pump sales fell"}), ("1999", {"pump sales rose", "pump sales fell"})):
        search = Search(f"pump sales in the {year} report?", (collection,), profile=profile)
        found = await retrieve(database, tenant, embedder, store, search)
        assert {each.text for each in found.passages} == texts


async def test_the_call_overrules_the_profile(database, tenant, collection, put, store, embedder) -> None:
    """And without a word in the call the profile decides."""
    await put(tenant, collection, TEXTS)
    search = Search("pump", (collection,), profile=RetrievalProfile(pattern="feedback"))
    for asked, pattern in ((search, "feedback"), (replace(search, pattern="hybrid"), "hybrid")):
        assert (await retrieve(database, tenant, embedder, store, asked)).pattern == pattern


async def test_an_unknown_pattern_is_refused(database, tenant, collection, store, embedder) -> None:
    """With the names of those that there are."""
    with pytest.raises(Invalid, match="Choose one of: hybrid"):
        await retrieve(database, tenant, embedder, store, Search("pump", (collection,), pattern="magic"))
