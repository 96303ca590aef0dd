"""Questions that could be asked next, of what was found and is not in the answer. No language model is asked.

They are about headings that passages stand under, and about names that passages bring up again and again. A heading that
is a question is that question. Each is answered by a passage that was found: by its words alone, as an answer is judged
where no model answers.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from knowlog.answering.abstention import LEAST_CONFIDENCE, confidence
from knowlog.answering.addresses import leads_away
from knowlog.answering.extractive import candidates
from knowlog.answering.language import language_of
from knowlog.answering.model import Statement
from knowlog.answering.question import read_question
from knowlog.retrieval import Passage
from knowlog.stores import lexemes

MOST = 3
_SHORTEST, _LONGEST = 3, 80
_LEAST_MENTIONS = 2
_ASKED = {
    "English": "What is there about {}?",
    "German": "Was gibt es zu {}?",
    "French": "Qu'y a-t-il sur {} ?",
    "Spanish": "¿Qué hay sobre {}?",
    "Italian": "Che cosa c'è su {}?",
    "Portuguese": "O que há sobre {}?",
    "Dutch": "Wat is er over {}?",
}
_NAME = re.compile(r"(?<![.!?:|\n] )(?<!^)\b[^\W\d_a-z][\w-]+(?: (?:of |de |von |the )?[^\W\d_a-z][\w-]+)+")
_NUMBERING = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2})*|[IVX]+)[.)]?\s+|^\W+|[\s:.]+$")
_UNFIT = re.compile(r"[<>\[\]{}|`]|\\")


def follow_ups(
    question: str, passages: Sequence[Passage], statements: Sequence[Statement]
) -> tuple[str, ...]:
    """Return at most three questions that the passages answer and the statements do not, in the question's language."""
    asked = _ASKED[language_of(question) or "English"]
    told = set(lexemes(" ".join([question, *(each.text for each in statements)])))
    found: dict[str, str] = {}
    for passage, subject in _subjects(passages, statements):
        says = frozenset(lexemes(subject))
        if not says or says <= told or len(found) == MOST:
            continue
        wording = subject if subject.endswith("?") else asked.format(subject)
        if _answered(subject, passage):
            found.setdefault(subject.casefold(), wording)
            told |= says
    return tuple(found.values())


def _subjects(passages: Sequence[Passage], statements: Sequence[Statement]) -> Iterator[tuple[Passage, str]]:
    """What passages are about that are not quoted and give no orders: the headings first, then the names."""
    used = [(each.document_id, each.start, each.end) for said in statements for each in said.citations]
    unused = [each for each in passages if not (each.flagged or _is_quoted(each, used))]
    for passage in unused:
        for heading in reversed(passage.headings):
            if heading.casefold() != passage.title.casefold() and (subject := _fit(heading)):
                yield passage, subject
                break
    names = Counter(name for each in unused for name in set(_NAME.findall(each.text)))
    for name, mentions in names.most_common():
        if mentions >= _LEAST_MENTIONS and (subject := _fit(name)):
            yield next(each for each in unused if name in each.text), subject


def _is_quoted(passage: Passage, used: Iterable[tuple[object, int, int]]) -> bool:
    return any(
        document == passage.document_id and start < passage.end and passage.start < end
        for document, start, end in used
    )


def _fit(text: str) -> str:
    """A heading or name as it can stand in a question; empty where it cannot."""
    subject = _NUMBERING.sub("", " ".join(text.split()).replace("#", " ").strip())
    return subject if _SHORTEST <= len(subject) <= _LONGEST and harmless(subject) else ""


def harmless(text: str) -> bool:
    """Whether it is plain words on one line, without markup, and leads nowhere."""
    plain = text.isprintable() and not _UNFIT.search(text) and any(each.isalpha() for each in text)
    return plain and not leads_away(text, (), "")


def _answered(subject: str, passage: Passage) -> bool:
    """Whether a passage says something about it, judged by words alone."""
    found = candidates(read_question(subject), [passage])
    return bool(found) and confidence(None, found[0].support, found[0].missing) >= LEAST_CONFIDENCE
