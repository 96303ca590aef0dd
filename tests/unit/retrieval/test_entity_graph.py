"""Entities by plain rules, and the walk from those that a question names."""

from knowlog.retrieval.patterns.entity_graph import edges_of, entities_of, named_in, reached_from


def test_entities_are_names_acronyms_and_codes() -> None:
    """Not the word that opens a sentence, nor a bare number; a code is none of the name beside it."""
    found = entities_of("The pump KL-2041 of Acme Pumps Ltd went from NASA to Marie van Gogh in 2019.")
    assert found == ["kl-2041", "acme pumps ltd", "nasa", "marie van gogh"]
    assert entities_of("Invoices are paid") == []
    assert entities_of("E7 is a fault.") == ["e7"]


def test_a_walk_reaches_what_is_two_steps_away_after_what_is_one() -> None:
    """By sentences in which both stand; a question may write a name as it likes."""
    edges = edges_of(
        ["Fault E7 stops the Pump Nine.", "The Pump Nine is of Acme Corp.", "In Oslo is no Rain."]
    )
    assert reached_from(named_in("who made what e7 stops?", edges), edges) == ["pump nine", "acme corp"]
    assert reached_from(named_in("who made what stops?", edges), edges) == []
