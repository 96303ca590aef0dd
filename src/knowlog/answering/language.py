"""Which language a question is in, told by its small words. Unknown is better than wrong."""

import re
from collections.abc import Mapping

_WORD = re.compile(r"[^\W\d_]+")
_SMALL: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "English": "the what who when where which how is are was were do does did of and for with from this many much",
        "German": "der die das was wer wann wo welche welches wie ist sind war wird und für mit von dem eine nicht",
        "French": "le la les qui que quoi quel quelle quand où combien comment est sont et pour avec des du une dans il",
        "Spanish": "el los las qué quién cuál cuándo dónde cuánto cómo es son fue y para con del de un una en hay por",
        "Italian": "il lo gli che chi quale quando dove quanto come è sono era e per con del della di un una nel quanti",
        "Portuguese": "o os as que quem qual quando onde quanto como é são foi e para com do da de um uma no na há",
        "Dutch": "de het wat wie wanneer waar welke hoe is zijn was en voor met van een niet er hoeveel",
    }.items()
}


def language_of(text: str) -> str | None:
    """Return the English name of a language; None where no language has more of its small words in the text."""
    words = [word.casefold() for word in _WORD.findall(text)]
    found = sorted(
        ((sum(word in small for word in words), name) for name, small in _SMALL.items()), reverse=True
    )
    (most, name), (next_most, _) = found[:2]
    return name if most > next_most and most >= 1 else None
