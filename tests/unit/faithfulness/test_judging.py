"""The offline judge: what it says of answers to passages that we wrote, and how it learns."""

import numpy as np
import pytest

from knowlog.faithfulness import (
    CalibratedWeights,
    Labelled,
    cross_validate,
    judged,
    read_answer,
    read_source,
    shipped_weights,
    train,
)
from knowlog.faithfulness.calibration import Calibration, fit
from knowlog.faithfulness.lexicon import learn, look_up
from knowlog.faithfulness.weights import ANSWER_FEATURES, CLAIM_FEATURES

PASSAGES = [
    "The Harbour Bridge was opened to traffic on 19 March 1932. It took eight years to build, and 1,400 people worked.",
    "The bridge carries eight lanes of road and two railway tracks. Tolls are collected from cars that drive south.",
]
TRUE = "The Harbour Bridge was opened to traffic on 19 March 1932. The bridge carries eight lanes of road."
FALSE = (
    "The Harbour Bridge was opened to traffic on 4 July 1951 by Queen Elizabeth. It was designed by the Danish architect "
    "Jorn Utzon, and won several international awards for its cosy restaurants."
)


async def _judge(answer: str):
    read = read_answer("What is known of the bridge?", answer, read_source(PASSAGES))
    return judged(read, shipped_weights(), "test")


async def test_what_the_passages_say_is_told_from_what_they_do_not() -> None:
    """The invented answer is the less likely one, and its verdicts say which figures and names are missing."""
    true, false = await _judge(TRUE), await _judge(FALSE)
    assert true.score > 0.7 > 0.3 > false.score
    assert (true.faithful, false.faithful) == (True, False)
    assert "1951" in false.verdicts[0].reason
    assert "Utzon" in false.verdicts[1].reason


async def test_every_verdict_rests_on_a_span_of_a_passage() -> None:
    """The nearest sentence, letter for letter."""
    for verdict in (await _judge(TRUE)).verdicts:
        basis = verdict.basis
        assert basis is not None
        assert PASSAGES[basis.passage][basis.start : basis.end] == basis.quote
        assert set(verdict.claim.text.split()[:3]) & set(basis.quote.split())


async def test_a_faithful_answer_has_no_unsupported_claim_and_another_has() -> None:
    """The two decisions never contradict each other; an answer that says nothing is faithful."""
    for answer in (TRUE, FALSE, f"{TRUE} {FALSE}", "", "..."):
        judgement = await _judge(answer)
        assert judgement.faithful is all(each.label == "supported" for each in judgement.verdicts)
    assert (await _judge("")).score == 1


async def test_what_a_record_denies_is_not_claimed() -> None:
    """The verdict's reason says that the record speaks otherwise."""
    passages = [
        "{'name': 'Harbour Inn', 'WiFi': 'no', 'OutdoorSeating': True, 'city': 'Hobart', 'stars': 4.5}"
    ]
    read = read_answer("", "Harbour Inn in Hobart has WiFi.", read_source(passages))
    assert read.evidence[0].denied_fields == 1
    assert judged(read, shipped_weights(), "t").score < 0.6


async def _examples(count: int = 60) -> list[Labelled]:
    """Answers of our own: half of them name a year that the passage does not have."""
    made = []
    for number in range(count):
        year, record = 1900 + number, number % 2
        fact = f"The mill of ward {number} was built in {year} by the river."
        source = read_source([f"{{'text': '{fact}', 'open': True}}" if record else fact])
        wrong = number % 4 >= 2
        answer = f"The mill was built in {1800 + number if wrong else year}."
        read = read_answer("When?", answer, source)
        made.append(Labelled(read, ((22, 26),) if wrong else (), f"ward {number}"))
    return made


async def test_weights_are_learned_from_labels_and_judge_what_they_have_not_seen() -> None:
    """Each answer is judged by weights of the other groups; the same data gives the same weights."""
    examples = await _examples()
    found = cross_validate(examples, 3)
    right = [
        judgement.faithful is not bool(each.wrong) for judgement, each in zip(found, examples, strict=True)
    ]
    assert np.mean(right) > 0.9
    assert train(examples, "v").as_json() == train(examples, "v").as_json()


async def test_weights_survive_their_file() -> None:
    """Rounded, and still the same judgements."""
    examples = await _examples()
    weights = train(examples, "v")
    kept = CalibratedWeights.from_json(weights.as_json())
    for each in examples[:10]:
        assert judged(each.read, kept, "v").score == pytest.approx(
            judged(each.read, weights, "v").score, abs=0.02
        )


def test_the_weights_that_ship_are_of_the_evidence_that_is_gathered() -> None:
    """Feature by feature; a check that is added or renamed needs weights made anew."""
    weights = shipped_weights()
    for own in (weights.prose, weights.record):
        assert own.claims.features == CLAIM_FEATURES
        assert own.answers.features == ANSWER_FEATURES


async def test_labels_of_one_kind_teach_nothing() -> None:
    """It is said, and no weights come of it."""
    supported = [each for each in await _examples() if not each.wrong]
    with pytest.raises(ValueError, match="Supported and unsupported"):
        train(supported, "v")


async def test_data_of_one_kind_of_source_teaches_both() -> None:
    """Where no answer rests on a record, those that do are judged as if on prose."""
    prose = [each for each in await _examples() if not each.read.is_record]
    weights = train(prose, "v")
    assert weights.record is weights.prose


def test_a_calibration_finds_the_odds_that_made_the_labels() -> None:
    """From 4,000 draws of a curve that is no line, within three points; and what lies outside of them is cut off."""
    random = np.random.default_rng(2)
    rows = random.uniform(-2, 2, (4_000, 1))
    truth = 1 / (1 + np.exp(-(2 * np.abs(rows[:, 0]) - 2)))
    made = fit(("x",), rows, random.random(4_000) < truth, ridge=1.0)
    assert np.abs(made.probability(rows) - truth).mean() < 0.03
    assert made.probability(np.array([[90.0]])) == pytest.approx(
        made.probability(np.array([[2.0]])), abs=0.02
    )
    kept = Calibration.from_json(made.as_json())
    assert kept.probability(rows[:50]) == pytest.approx(made.probability(rows[:50]), abs=1e-3)


def test_the_lexicon_knows_what_is_often_invented() -> None:
    """A word that is missing in wrong claims weighs against a claim, one of right claims for it; a rare one nothing."""
    claims = [("parking",)] * 30 + [("overall",)] * 30 + [("zebra",)]
    lexicon = learn(claims, np.array([True] * 28 + [False] * 32 + [True]))
    assert lexicon["parking"] > 0.5 > -0.5 > lexicon["overall"]
    assert "zebra" not in lexicon
    assert look_up(lexicon, [(), ("parking", "zebra")])[0].tolist() == [0, 0, 0, 0]
