"""Which pattern a name means."""

from importlib import import_module
from typing import cast

from knowlog.kernel.errors import Invalid
from knowlog.retrieval.patterns.port import Pattern
from knowlog.retrieval.port import Writer

PATTERNS = {
    "hybrid": "knowlog.retrieval.patterns.hybrid:Hybrid",
    "multi_query": "knowlog.retrieval.patterns.multi_query:MultiQuery",
    "decomposition": "knowlog.retrieval.patterns.decomposition:Decomposition",
    "feedback": "knowlog.retrieval.patterns.feedback:Feedback",
    "filtered": "knowlog.retrieval.patterns.filtered:Filtered",
    "late_interaction": "knowlog.retrieval.patterns.late_interaction:LateInteraction",
    "reflective": "knowlog.retrieval.patterns.reflective:Reflective",
    "raptor": "knowlog.retrieval.patterns.raptor:Raptor",
    "entity_graph": "knowlog.retrieval.patterns.entity_graph:EntityGraph",
    "adaptive": "knowlog.retrieval.patterns.adaptive:Adaptive",
    "conversational": "knowlog.retrieval.patterns.conversational:Conversational",
    "rewriting": "knowlog.retrieval.patterns.rewriting:Rewriting",
    "hyde": "knowlog.retrieval.patterns.hyde:Hyde",
    "step_back": "knowlog.retrieval.patterns.step_back:StepBack",
    "corrective": "knowlog.retrieval.patterns.corrective:Corrective",
    "drafting": "knowlog.retrieval.patterns.drafting:Drafting",
    "agentic": "knowlog.retrieval.patterns.agentic:Agentic",
}


def open_pattern(name: str, writer: Writer | None = None) -> Pattern:
    """Return the pattern of that name. Raises Invalid as `require_pattern` does."""
    return require_pattern(name, has_model=writer is not None)


def require_pattern(name: str, *, has_model: bool) -> Pattern:
    """Return the pattern of that name. Raises Invalid where there is none, or no language model for one that asks it."""
    place = PATTERNS.get(name)
    if place is None:
        raise Invalid(f"There is no retrieval pattern {name!r:.80}. Choose one of: {', '.join(PATTERNS)}.")
    pattern = _made(place)
    if pattern.needs_llm and not has_model:
        offline = ", ".join(each.name for each in all_patterns() if not each.needs_llm)
        raise Invalid(
            f"The retrieval pattern {name} asks a language model, and there is none. Choose one of: {offline}."
        )
    return pattern


def all_patterns() -> list[Pattern]:
    """Return every pattern, in the order in which they are listed."""
    return [_made(place) for place in PATTERNS.values()]


def _made(place: str) -> Pattern:
    module, _, name = place.partition(":")
    return cast(Pattern, getattr(import_module(module), name)())
