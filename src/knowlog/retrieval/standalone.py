"""A question that leans on earlier ones, made to stand alone by their words. No language model is asked.

A question leans where a pronoun in it has nothing before it to stand for ("When did he die?"), or where it is no whole
question ("And in 2022?", "Why?"). What it leans on is the question before it: a pronoun on its names, or, where it has
none, on all its words that say something; half a question on all of them, but for a figure or a name in whose place it
sets another. A question that stands alone ends the matter: nothing is carried over it. Pronouns and beginnings of
English, German, French and Spanish are known; a question in another language leans where it says nothing by itself.
"""

import re
from collections.abc import Iterable, Sequence
from functools import reduce

from knowlog.stores import lexemes

# ruff: noqa: SIM905 - a list of words reads better without quotes
_MOST_CARRIED = 12
_WORD = re.compile(r"\w+(?:['’.,&-]\w+)*")
_DIGIT = re.compile(r"\d")
_PERSONS = frozenset(
    """
    he she it they him her them his hers its their theirs this these those
    er sie ihn ihm ihnen sein seine seinen seiner seinem ihr ihre ihren ihrer ihrem dessen deren diese dieser dieses
    il elle ils elles lui leur leurs son sa ses celui celle ceux
    él ella ellos ellas su sus suyo suya
    """.split()
)
_LAST_ONLY = frozenset(("that", "there", "one", "ones", "same", "so", "das", "dort", "dies", "ça", "eso"))
"""What stands for something at the end of a question, and seldom elsewhere."""
_POINTING = frozenset("this these those such diese dieser dieses celui celle ceux".split())
"""What points at a thing that is named behind it again."""
_ANYBODY = frozenset(
    "someone somebody anyone anybody everyone everybody people person one jemand man quelqu'un".split()
)
_SAYS_NOTHING = re.compile(r"\b(?:it|es|il)\s+\w+\s+(?:to|that|for|zu|dass|de|que)\b", re.IGNORECASE)
"""A pronoun that stands for what comes behind it: "Is it possible to ..."."""
_POSSESSIVE = frozenset(("his", "its", "their"))
_HALF = re.compile(
    r"(?:and|but|or|what about|how about|what else|und|aber|oder|was ist mit|wie ist es mit|et|mais|ou|qu'en est-il"
    r"|y|e|pero|o|qué hay de|qué tal)\b",
    re.IGNORECASE,
)
_ASKING = frozenset(
    """
    who whom whose what which when where why how is are was were do does did can could will would has have had should may
    must in on at by for from with of since until to the and but or about please name list tell give show explain describe
    wer wen wem wessen was welche welcher welches wann wo warum wie ist sind war waren hat haben und aber oder in im am
    seit bis von mit für der die das
    qui que quel quelle quand où pourquoi comment est sont et mais ou depuis le la les de
    quién qué cuál cuándo dónde por cómo es son y pero desde el los las
    """.split()
)
_VERBS = frozenset(
    "is are was were do does did can could will would has have had should may must ist sind war waren hat haben est sont"
    " es son".split()
)
_WHO = frozenset(("who", "wer", "qui", "quién"))
_FURTHER = frozenset(
    "else exactly first second third next last noch sonst genau zuerst zuletzt d'autre exactement más".split()
)
"""What asks on: "Who else from Ghent?", "Who came second?"."""
_LINKING = frozenset(("of", "the", "and", "de", "la", "von", "der", "und", "du", "des", "del", "y", "et"))
_GERMAN = frozenset("der das und ist sind wie wer wann mit für ein eine wird hat".split())
"""Where one of these stands, every noun is capitalised, and a capital tells no name."""
_FEW = 4
_CARRIED = re.compile(r"(.+[?.!]?) \(([^()]+)\)", re.DOTALL)


def stand_alone(question: str, history: Iterable[str]) -> str:
    """Return the question, with what it leans on in the `history` of questions before it, the oldest first."""
    *earlier, last = (*history, question)
    return _leaned(reduce(_leaned, earlier, ""), last)


def _leaned(before: str, question: str) -> str:
    """A question with the words of the one before it, where it leans on that."""
    if not before or not question.strip():
        return question
    words = _WORD.findall(question)
    if is_half(question, words):
        return _with(question, _but_replaced(_saying(before), question, words))
    place = None if _SAYS_NOTHING.search(question) else _pronoun(words)
    if place is None:
        return question
    names = _new(_names(_WORD.findall(before)), question)
    if len(names) == 1 and words[place].casefold() in _PERSONS - _POINTING:
        return _put_in(question, words, place, names[0])
    return _with(question, names or _saying(before))


def apart(standalone: str) -> tuple[str, str]:
    """Return a question and the words that were carried over to it; of one that people wrote so, the same is meant."""
    found = _CARRIED.fullmatch(standalone)
    return (found[1], found[2]) if found else (standalone, "")


def is_half(question: str, words: Sequence[str]) -> bool:
    """Whether it is no whole question: it goes on with the one before."""
    if _HALF.match(question.strip()):
        return True
    lower = [word.casefold() for word in words]
    saying = [word for word in lower if word not in _ASKING and word not in _PERSONS and lexemes(word)]
    if not saying:
        return True
    return (
        len(words) <= _FEW
        and lower[0] in _ASKING
        and not _VERBS.intersection(lower)
        and not _who_does_what(lower)
    )


def _who_does_what(lower: Sequence[str]) -> bool:
    """Whether a verb of its own and something behind it follow "who": "Who painted Guernica?"."""
    return (
        lower[0] in _WHO and len(lower) > 2 and lower[1] not in _ASKING and not _FURTHER.intersection(lower)
    )


def _pronoun(words: Sequence[str]) -> int | None:
    """The place of the first pronoun for which nothing in the question itself can stand."""
    for place, word in enumerate(words):
        lower = word.casefold()
        if lower in _PERSONS or (lower in _LAST_ONLY and place == len(words) - 1 > 0):
            return place
        if lower in _ANYBODY or (place and word[0].isupper() and lower not in _ASKING):
            return None
    return None


def _names(words: Sequence[str]) -> list[str]:
    """The names in a question: capitalised words that follow each other, and words with a digit."""
    capitals = not _GERMAN.intersection(words) and sum(word[0].isupper() for word in words[1:]) < 0.7 * len(
        words
    )
    found: list[list[str]] = []
    open_name = False
    for place, word in enumerate(words):
        named = capitals and word[0].isupper() and word.casefold() not in _ASKING and bool(lexemes(word))
        if named and open_name:
            found[-1].append(word)
        elif named:
            found.append([word])
        elif open_name and word in _LINKING and place + 1 < len(words) and words[place + 1][0].isupper():
            found[-1].append(word)
            continue
        elif _DIGIT.search(word):
            found.append([word])
        open_name = named
    if found and found[0] == list(words[:1]):  # a sentence begins with a capital
        del found[0]
    return list(dict.fromkeys(" ".join(name) for name in found))


def _saying(question: str) -> list[str]:
    """The words of a question that say something, names as they are, in their order."""
    return [
        word
        for word in dict.fromkeys(_WORD.findall(question))
        if word.casefold() not in _ASKING and word.casefold() not in _PERSONS and lexemes(word)
    ]


def _but_replaced(saying: Sequence[str], question: str, words: Sequence[str]) -> list[str]:
    """Without the figures, or the last name, in whose place half a question sets its own."""
    named = _names(words)
    figures = [name for name in named if _DIGIT.search(name)]
    kept = [word for word in saying if not (figures and _DIGIT.search(word))]
    if len(named) > len(figures):
        capitals = [word for word in kept if word[0].isupper() and not _DIGIT.search(word)]
        kept = [word for word in kept if word not in capitals[-1:]]
    return _new(kept, question)


def _new(words: Iterable[str], question: str) -> list[str]:
    """Words that are not in the question already."""
    there = set(lexemes(question))
    return [word for word in words if not there.issuperset(lexemes(word))]


def _put_in(question: str, words: Sequence[str], place: int, name: str) -> str:
    """A name in the place of a pronoun."""
    pronoun = words[place].casefold()
    possessive = pronoun in _POSSESSIVE or (pronoun == "her" and place < len(words) - 1)
    put = f"{name}'s" if possessive else name
    return re.sub(rf"\b{re.escape(words[place])}\b", lambda _: put, question, count=1)


def _with(question: str, carried: Sequence[str]) -> str:
    """A question, and behind it the words that it leans on."""
    new = _new(carried, question)[-_MOST_CARRIED:]
    return f"{question.strip()} ({' '.join(new)})" if new else question
