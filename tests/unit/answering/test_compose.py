"""Composing: the right sentence, quoted exactly, once, or an honest refusal."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.answering import NOT_IN_DOCUMENTS, Done, PassagesFound, StatementFound, as_events, compose
from knowlog.kernel.errors import Invalid, LimitReached, Misconfigured, Unavailable

HANDBOOK = (
    "Preface. Alder Pumps was founded by Ruth Alder in Leeds in 1978. It moved to York in 1991.\n\n"
    "Every employee has 28 days of paid holiday a year. Unused days expire at the end of March."
)
PARTS = [
    "Ruth Alder founded it. ",
    "It has 28 days. ",
    "| pump | 3 |\n",
    "- pump oil\n",
    "你好。",
    "😀 ",
    "\n\n",
    "# Pump\n",
]


async def test_the_sentence_that_answers_comes_first(embedder, passage):
    """The best statement is the sentence that says most about the question, quoted exactly."""
    answer = await compose(
        "How many days of paid holiday does an employee have?", [passage(HANDBOOK)], embedder
    )
    citation = answer.statements[0].citations[0]
    assert answer.status == "answered"
    assert citation.quote == "Every employee has 28 days of paid holiday a year."
    assert HANDBOOK[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize("year", ["2018", "FY2018", "FY 2018"])
@pytest.mark.parametrize("asked", ["2018", "FY2018", "FY 2018"])
async def test_a_year_is_found_however_it_is_written(embedder, passage, year: str, asked: str):
    """With the letters of a fiscal year or without, together or apart; another year is another year."""
    text = f"Net sales were $27 million in 2016. Net sales were $30 million in {year}."
    answer = await compose(f"What were net sales in {asked}?", [passage(text)], embedder)
    assert answer.statements[0].text.startswith("Net sales were $30 million")


async def test_citations_count_from_the_start_of_the_version(embedder, passage):
    """The span of a quote is that of the document, not of the passage."""
    cut = HANDBOOK.index("Every")
    answer = await compose(
        "paid holiday days of every employee", [passage(HANDBOOK[cut:], start=cut)], embedder
    )
    citation = answer.statements[0].citations[0]
    assert HANDBOOK[citation.start : citation.end] == citation.quote


async def test_a_sentence_that_leans_on_the_one_before_is_quoted_with_it(embedder, passage):
    """A sentence that begins with a pronoun brings along the sentence that names what it is about."""
    answer = await compose("When did Alder Pumps move to York?", [passage(HANDBOOK)], embedder)
    assert answer.statements[0].text.endswith("in Leeds in 1978. It moved to York in 1991.")


@pytest.mark.parametrize("faq", ["## When is the shop open?\n{}\n", "When is the shop open?\n{}\n"])
async def test_what_stands_beneath_the_same_question_answers_it(embedder, passage, faq: str):
    """Though its own words are none of the question's; what stands beneath the next question is another matter."""
    others = "Open a second shop in Bruges in spring. The shop sells tea."
    hours = (
        faq.format("Tuesday to Saturday from 8:00 to 18:00.") + "\n## Do you ship abroad?\nYes, to Belgium.\n"
    )
    found = [passage(others), passage(hours)]
    answer = await compose("When does the shop open?", found, embedder)
    assert answer.statements[0].text == "Tuesday to Saturday from 8:00 to 18:00."
    answer = await compose("Where is the shop?", found, embedder)
    assert all("Tuesday" not in each.text for each in answer.statements[:1])


async def test_a_question_about_something_else_is_not_answered(embedder, passage):
    """Nonsense and foreign topics end in "Not in your documents.", with the nearest passages."""
    found = passage(HANDBOOK)
    for question in ("Which spacecraft photographed Pluto?", "flurb zanth quobble", "???", "😀"):
        answer = await compose(question, [found], embedder)
        assert (answer.status, answer.text, answer.statements) == ("not_in_documents", NOT_IN_DOCUMENTS, ())
        assert answer.nearest == (found,)


async def test_without_passages_there_is_no_answer(embedder):
    """An empty collection abstains with confidence 0."""
    answer = await compose("Who?", [], embedder)
    assert (answer.status, answer.confidence, answer.nearest) == ("not_in_documents", 0.0, ())


async def test_the_same_sentence_twice_is_one_statement_with_two_citations(embedder, passage):
    """What another document repeats supports the statement instead of standing beside it."""
    text = "Every employee has 28 days of paid holiday a year."
    answer = await compose(
        "paid holiday days of every employee", [passage(text), passage(text, document=2)], embedder
    )
    assert [len(statement.citations) for statement in answer.statements] == [2]


async def test_overlapping_passages_quote_a_sentence_once(embedder, passage):
    """A sentence that two passages of one document share is cited once, whole."""
    cut = HANDBOOK.index("employee")
    passages = [passage(HANDBOOK), passage(HANDBOOK[cut:], start=cut)]
    answer = await compose("paid holiday days of every employee", passages, embedder)
    spans = [(c.start, c.end) for statement in answer.statements for c in statement.citations]
    assert all(end <= start for (_, end), (start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False))
    assert answer.statements[0].text == "Every employee has 28 days of paid holiday a year."


async def test_a_table_row_is_read_under_its_head_and_shown_without_bars(embedder, passage):
    """A row answers a question that uses the words of its table's head."""
    table = "| Plan | Monthly price |\n|---|---|\n| Basic | 10 € |\n| Pro | 20 € |"
    answer = await compose(
        "What is the monthly price of the Pro plan?", [passage(table, title="Prices")], embedder
    )
    assert answer.statements[0].text == "Pro | 20 €"
    assert answer.statements[0].citations[0].quote == "| Pro | 20 € |"


async def test_a_heading_is_never_an_answer(embedder, passage):
    """A heading that repeats the question is passed over for what stands below it."""
    text = "# How many days of paid holiday?\n\nTwenty-eight days of paid holiday a year."
    answer = await compose("How many days of paid holiday?", [passage(text)], embedder)
    assert answer.statements[0].text == "Twenty-eight days of paid holiday a year."


async def test_events_tell_the_same_answer(embedder, passage):
    """The stream gives the passages, then each statement, then the answer that `compose` gives."""
    question, found = "When did Alder Pumps move to York?", [passage(HANDBOOK)]
    whole = await compose(question, found, embedder)

    async def answer():
        return whole

    events = [event async for event in as_events(question, found, answer)]
    assert isinstance(events[0], PassagesFound)
    assert [event.statement for event in events if isinstance(event, StatementFound)] == list(
        whole.statements
    )
    assert isinstance(events[-1], Done)
    assert events[-1].answer.text == whole.text


async def test_confidence_does_not_depend_on_the_scale_of_cosines(embedder, passage):
    """A model whose cosines all lie between 0.6 and 1 gives the confidence that a model from 0 to 1 gives."""

    class Narrow:
        profile = SimpleNamespace(key="narrow")

        async def embed_documents(self, texts):
            return np.stack([await self.embed_query(text) for text in texts])

        async def embed_query(self, text):
            return np.append(await embedder.embed_query(text) * np.sqrt(0.4), np.sqrt(0.6)).astype(np.float32)

    for question in ("When did Alder Pumps move to York?", "Which spacecraft photographed Pluto?"):
        wide = await compose(question, [passage(HANDBOOK)], embedder)
        narrow = await compose(question, [passage(HANDBOOK)], Narrow())
        assert narrow.confidence == pytest.approx(wide.confidence, abs=0.01)


@pytest.mark.parametrize("error", [Unavailable, Misconfigured, LimitReached])
async def test_without_the_embedder_words_decide_alone(passage, error):
    """An embedder that is down, has a wrong key or asks for a pause costs the cosines, not the answer, which says so;
    nonsense is still refused.
    """

    class Down:
        profile = SimpleNamespace(key="down")

        async def embed_documents(self, texts):
            raise error("The embedding endpoint does not answer.")

    answer = await compose("When was Alder Pumps founded?", [passage(HANDBOOK)], Down())
    assert "1978" in answer.statements[0].text
    assert answer.by_words_alone
    assert not (await compose("Which spacecraft photographed Pluto?", [passage(HANDBOOK)], Down())).statements


async def test_a_bad_question_is_refused_before_anything_is_streamed(embedder, passage):
    """An empty question raises Invalid."""
    with pytest.raises(Invalid):
        await compose("  ", [passage(HANDBOOK)], embedder)


@given(
    st.lists(st.sampled_from(PARTS) | st.text(max_size=15), max_size=20).map("".join),
    st.sampled_from(["Who founded the pump?", "你好", "28 days", "😀 it", "مرحبا"]),
    st.integers(0, 50),
)
async def test_every_quote_is_exact(embedder, passage, text, question, cut):
    """Whatever the text and the question, version_text[start:end] == quote for every citation."""
    passages = [passage(text), passage(text[cut:], start=cut), passage(text, document=2, score=0.5)]
    answer = await compose(question, passages, embedder, least_confidence=0)
    for statement in answer.statements:
        for citation in statement.citations:
            assert text[citation.start : citation.end] == citation.quote
            assert citation.quote.strip()


async def test_only_what_answers_is_the_text(embedder, passage):
    """Sentences that are merely near are offered, and marked, and not joined into the answer."""
    answer = await compose(
        "How many days of paid holiday does an employee have?", [passage(HANDBOOK)], embedder
    )
    assert answer.text == "Every employee has 28 days of paid holiday a year."
    assert [statement.answers for statement in answer.statements][:1] == [True]
    assert not any(statement.answers for statement in answer.statements[1:])


async def test_two_that_are_nearly_tied_both_answer(embedder, passage):
    """Where nothing tells which of two sentences is meant, both are the text."""
    text = "The red pump weighs 12 kg dry. The red pump weighs 14 kg wet. Orders go to Leeds."
    answer = await compose("What does the red pump weigh?", [passage(text)], embedder)
    assert [statement.answers for statement in answer.statements][:2] == [True, True]


async def test_names_that_the_passage_lacks_lower_the_confidence(embedder, passage):
    """The same words about somebody else are less of an answer."""
    found = [passage("Ruth Alder founded the company in Leeds in 1978.")]
    about = await compose("When did Ruth Alder found the company?", found, embedder)
    other = await compose("When did Hugo Baker found the company?", found, embedder)
    assert other.confidence < about.confidence - 0.2


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "- 40 degrees Celsius is the lowest temperature.",
            "- 40 degrees Celsius is the lowest temperature.",
        ),
        ("– 25 °C was the coldest reading of the year.", "– 25 °C was the coldest reading of the year."),
        ("12. July 2027 is the deadline of the tender.", "12. July 2027 is the deadline of the tender."),
        ("C. difficile is the germ that the ward has.", "C. difficile is the germ that the ward has."),
        ("- The pump needs oil every month.", "The pump needs oil every month."),
        ("• The pump needs oil every month.", "The pump needs oil every month."),
    ],
)
async def test_only_what_says_nothing_is_left_off_a_list_item(embedder, passage, line: str, shown: str):
    """A bullet says nothing. A dash before a figure may be its sign, a number a day, a letter a name."""
    answer = await compose(line, [passage(f"Notes of the week.\n\n{line}\n")], embedder)
    assert answer.text == shown


async def test_a_part_of_a_sentence_shows_that_it_is_one(embedder, passage):
    """What was cut off may deny what is quoted."""
    denied = (
        "It is not the case, and neither the board nor any clerk, agent, dealer or partner of ours in any country may"
        " say, write, print, publish, imply, hint or let others believe, in a brochure, letter, message, call or meeting,"
        " whether it was asked for or not, and however long ago the sale was made or the contract was signed,"
        " that the Petrel battery warranty lasts ten years; who does so leaves the house."
    )
    answer = await compose(
        "How many years does the Petrel battery warranty last?", [passage(denied)], embedder
    )
    assert answer.text.startswith("… ")
    assert answer.statements[0].citations[0].quote in denied


async def test_what_leads_to_a_list_is_never_the_answer_beside_one(embedder, passage):
    """A few words with a colon at their end say nothing by themselves."""
    text = "Holiday days of every employee:\n\nEvery employee has 28 days of paid holiday a year."
    answer = await compose("holiday days of every employee", [passage(text)], embedder)
    assert answer.text == "Every employee has 28 days of paid holiday a year."


async def test_a_passage_that_begins_in_a_sentence_shows_it(embedder, passage):
    """Its first words are not taken for the beginning; of two that say the same, the whole one is quoted first."""
    whole = "Every single employee of Alder Pumps has 28 days of paid holiday in a calendar year."
    cut = passage(whole[len("Every single ") :], start=500, score=1.0)
    question = "How many days of paid holiday does an employee have?"
    assert (await compose(question, [cut], embedder)).text.startswith("… employee of Alder Pumps")
    answer = await compose(question, [cut, passage(whole, document=2, start=9, score=0.9)], embedder)
    assert answer.text == whole
    assert [len(each.citations) for each in answer.statements] == [2]
