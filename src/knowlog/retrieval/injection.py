"""How much a text looks like instructions to a machine that reads it: a score, offline, by signs that are plain to see.

Each sign has a weight; they are joined as independent hints (noisy or). The kinds follow what is written about indirect
prompt injection (Greshake et al. 2023, https://arxiv.org/abs/2302.12173; BIPIA, Yi et al. 2023,
https://arxiv.org/abs/2312.14197): orders about the reply, orders to forget others, another role, forms of a chat, secrets
or data to be sent, and what is hidden from people. A text without any sign may still be an attack, and a manual for
writers may have one: a score marks a passage, and decides about nothing else by itself.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from string import ascii_lowercase, digits

FLAGGED = 0.5
"""From here on a passage is flagged."""

_DO = (
    "add|include|integrate|insert|append|incorporate|embed|weave|augment|enhance|modify|change|alter|adapt|adjust|replace|"
    "substitute|swap|convert|render|translate|encode|encrypt|scramble|rearrange|reorder|reverse|shuffle|jumble|anagram|group|"
    "remove|omit|combine|merge|split|misspell|introduce|use|utilize|employ|provide|present|write|give|format|end|begin|start|"
    "finish|conclude|respond|reply|answer|mention|suggest|recommend|promote|endorse|advertise|urge|encourage|invite|tell|say|"
    "state|print|output|display|repeat|tease|hint|claim|emphasize|emphasise|stress|highlight|express|make|ensure|put|place|share|"
    "direct|link|point|offer|create|generate|compose|deliver|craft|spell|capitalize|capitalise|sprinkle"
)
_REPLY = r"(?:answer|response|reply|replies|output|message|summary|completion|generated text)"
_BEGINS = (
    r"(?:^|[.!?:;,\n\"'“(\[*>-]\s*|\b(?:please|must|should|always|now|then|also|to|and|kindly|simply)\s+)"
)
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|existing|all|any|other|your|these|those|every|the)"
)
_RULES = (
    r"(?:instructions?|prompts?|rules?|directions?|directives?|guidelines?|commands?|orders?|safeguards?|polic(?:y|ies)|"
    r"restrictions?|training)"
)
_INSIDE = r"(?:[^.!?\n]|[.!?](?=[^\s]))"
"""A character of the same sentence; the dot of an address ends none."""


@dataclass(frozen=True, slots=True)
class _Clue:
    """A pattern, looked for only where the text has a word of each group and one of the marks, which is quick to see."""

    pattern: re.Pattern[str]
    words: tuple[frozenset[bytes], ...]
    marks: tuple[str, ...]

    def stands_in(self, lowered: str, words: AbstractSet[bytes]) -> bool:
        for group in self.words:
            if group.isdisjoint(words):
                return False
        if self.marks and not any(mark in lowered for mark in self.marks):
            return False
        return self.pattern.search(lowered) is not None


def _clue(pattern: str, *words: str, marks: tuple[str, ...] = ()) -> _Clue:
    return _Clue(
        re.compile(pattern, re.M), tuple(frozenset(group.encode().split()) for group in words), marks
    )


_REPLY_WORDS = "answer response reply replies output message summary completion generated"
_RULE_WORDS = (
    "instruction instructions prompt prompts rule rules direction directions directive directives guideline guidelines"
    " command commands order orders safeguard safeguards policy policies restriction restrictions training"
)
_TOOL = (
    r"\b(?:call|invoke|use|run|execute|trigger)\b[^.!?\n]{0,20}\b(?:tool|function|plugin|api)\b[^.!?\n]{0,80}"
    r"\b(?:grants?|admin|owner|roles?|permissions?|tenants?|delete_\w+|documents|conversation)\b"
)
_SIGNS: tuple[tuple[float, tuple[_Clue, ...]], ...] = (
    (  # an order about the reply
        0.7,
        (
            _clue(
                rf"{_BEGINS}(?:{_DO})\b{_INSIDE}{{0,160}}?\b(?:your|this|each|every|the (?:next|final|whole|following))"
                rf"\s+(?:\w+\s+)?{_REPLY}\b",
                _REPLY_WORDS,
                _DO.replace("|", " "),
                "your this each every next final whole following",
            ),
            _clue(
                rf"\b(?:in|within|throughout|for|with) your (?:\w+ )?{_REPLY}s?\s*,\s*(?:please\s+)?(?:{_DO})\b",
                f"{_REPLY_WORDS} answers responses replys repliess outputs messages summarys completions",
                _DO.replace("|", " "),
                marks=(" your ",),
            ),
        ),
    ),
    (
        0.6,
        (
            _clue(
                r"(?:^|[.!?]\s+)(?:respond|reply|answer)\s+(?:only|solely|exclusively|with|in|as|using)\b",
                "respond reply answer",
            ),
        ),
    ),
    (  # an order to forget others
        0.9,
        (
            _clue(
                rf"\b(?:ignore|disregard|forget|override|overrule|bypass|neglect|discard)\b[^.!?\n]{{0,40}}\b{_BEFORE}\b"
                rf"[^.!?\n]{{0,30}}\b{_RULES}\b",
                "ignore disregard forget override overrule bypass neglect discard",
                _RULE_WORDS,
            ),
            _clue(
                rf"\b(?:do not|don't|stop|never)\s+(?:follow|obey|heed|comply with)\w*\b[^.!?\n]{{0,30}}\b{_RULES}\b",
                "not don stop never",
                _RULE_WORDS,
                marks=("follow", "obey", "heed", "comply with"),
            ),
            _clue(r"\bignorier\w*\b[^.!?\n]{0,40}\b(?:anweisung|regel|vorgabe)\w*", marks=("ignorier",)),
        ),
    ),
    (
        0.9,
        (
            _clue(
                r"\b(?:ignorez|oubliez|oublie)\b[^.!?\n]{0,40}\b(?:instructions|consignes|règles)\b",
                "ignorez oubliez oublie",
            ),
            _clue(
                r"\b(?:ignora|olvida)\b[^.!?\n]{0,40}\b(?:instrucciones|reglas|indicaciones)\b",
                "ignora olvida",
            ),
        ),
    ),
    (  # another role
        0.6,
        (
            _clue(r"\byou are (?:now|no longer|from now on)\b", "you", marks=("you are ",)),
            _clue(
                r"\byou are an? (?:\w+ )?(?:ai|assistant|language model|chatbot|bot|llm)\b",
                "you",
                "ai assistant language chatbot bot llm",
            ),
            _clue(
                r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)(?: (?:language )?model)?,",
                "ai artificial language",
                marks=("as a",),
            ),
            _clue(
                r"\b(?:developer|god|maintenance|dan) mode\b(?! )", "developer god maintenance dan", "mode"
            ),
            _clue(r"\b(?:jailbreak|do anything now)\b", "jailbreak anything"),
            _clue(
                r"\bnew (?:system )?(?:instructions?|prompt|task)\s*:",
                "new",
                "instruction instructions prompt task",
            ),
            _clue(r"\b(?:pretend|roleplay|act as (?:if|though)) you\b", "pretend roleplay act", "you"),
        ),
    ),
    (
        0.6,
        (
            _clue(
                r"\b(?:attention|note to|message to|instructions? (?:to|for))[ ,:]+(?:the |all |any )?"
                r"(?:ai|assistants?|llms?|language models?|chatbots?)\b",
                "attention note message instruction instructions",
                "ai assistant assistants llm llms language chatbot chatbots",
            ),
        ),
    ),
    (  # forms of a chat with a model
        0.9,
        (
            _clue(
                r"<\|\s*(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\s*\|>",
                marks=("<|",),
            ),
            _clue(r"\[/?inst\]|<</?sys>>", marks=("inst]", "sys>>")),
            _clue(
                r"</?\s*(?:system|assistant|instructions?)\s*>",
                "system assistant instruction instructions",
                marks=("<",),
            ),
            _clue(
                r"^\s*#{2,}\s*(?:system|assistant|human|new task|new instructions?)\s*:?\s*$", marks=("##",)
            ),
            _clue(r"\bsystem prompt\b", "system", "prompt"),
        ),
    ),
    (  # a secret to be told
        0.6,
        (
            _clue(
                r"\b(?:reveal|print|show|repeat|output|disclose|leak|expose|list|dump)\b[^.!?\n]{0,40}\b"
                r"(?:your (?:instructions|prompt|rules|configuration|context)|"
                r"(?:api|secret|access)[ _-]keys?|passwords|credentials)\b",
                "reveal print show repeat output disclose leak expose list dump",
                marks=("your ", "key", "passwords", "credentials"),
            ),
        ),
    ),
    (  # data to be sent
        0.6,
        (
            _clue(
                r"\b(?:send|post|forward|upload|e-?mail|transmit|exfiltrate|submit|leak|copy)\b[^.!?\n]{0,80}\b"
                r"(?:conversation|chat|history|question|answer|context|documents?|passwords?|api key|data|secrets?|"
                r"contents?)\b"
                r"[^.!?\n]{0,60}\b(?:to|at)\b[^!?\n]{0,20}(?:https?://|www\.|\S+@\S+|\S+\.(?:com|net|org|io|xyz|test|example)\b)",
                "send post forward upload email mail transmit exfiltrate submit leak copy",
                "to at",
                marks=("http", "www.", "@", ".com", ".net", ".org", ".io", ".xyz", ".test", ".example"),
            ),
            _clue(r"!\[[^\]]*\]\(\s*https?://[^)\s]*\?[^)]*[={]", marks=("![",)),
        ),
    ),
    (  # a tool to be used
        0.6,
        (
            _clue(
                _TOOL,
                "call invoke use run execute trigger",
                "tool function plugin api",
                "grant grants admin owner role roles permission permissions tenant tenants documents conversation",
            ),
            _clue(_TOOL, "call invoke use run execute trigger", marks=("delete_",)),
        ),
    ),
    (  # a right to be given, something to be deleted
        0.6,
        (
            _clue(
                r"(?:^|[.!?:]\s+)(?:grant|give|assign|promote|elevate|make)\b[^.!?\n]{0,40}\b(?:admin|administrator|owner|root|"
                r"superuser)\b",
                "grant give assign promote elevate make",
                "admin administrator owner root superuser",
            ),
            _clue(
                r"(?:^|[.!?:]\s+)(?:delete|drop|erase|wipe)\s+(?:all|every)\b[^.!?\n]{0,40}\b(?:documents?|collections?|files?|"
                r"records?|tenants?|keys?)\b",
                "delete drop erase wipe",
                "all every",
            ),
            _clue(r"\bswitch to (?:the )?(?:other )?tenant\b", "switch", "tenant"),
        ),
    ),
    (  # silence about it
        0.5,
        (
            _clue(
                r"\b(?:do not|don't|never|without)\s+(?:mention|tell|inform|alert|notify|reveal|disclos|warn)\w*\b"
                r"[^.!?\n]{0,30}\b(?:user|reader|human|anyone|this|these instructions|that you)\b",
                "not don never without",
                "user reader human anyone this these that",
                marks=("mention", "tell", "inform", "alert", "notify", "reveal", "disclos", "warn"),
            ),
        ),
    ),
)
_TELLING = frozenset[bytes]().union(*(each for _, clues in _SIGNS for clue in clues for each in clue.words))
"""Every word that a clue asks for: of a text, its other words need not be kept."""
_OF_A_WORD = frozenset(f"{ascii_lowercase}{digits}_".encode())
_WORDS_APART = bytes(each if each in _OF_A_WORD else ord(" ") for each in range(256))
_HIDDEN = re.compile("[\U000e0000-\U000e007f]|[\u200b\u2060\ufeff]{3}")
_HIDDEN_WEIGHT = 0.9


def injection_score(text: str) -> float:
    """Return how much a text looks like an attack: 0, no sign of one, to 1."""
    lowered = text.lower()
    words = _TELLING.intersection(lowered.encode(errors="replace").translate(_WORDS_APART).split())
    innocent = 1.0
    for weight, clues in _SIGNS:
        if any(clue.stands_in(lowered, words) for clue in clues):
            innocent *= 1 - weight
    if not text.isascii() and _HIDDEN.search(text):
        innocent *= 1 - _HIDDEN_WEIGHT
    return round(1 - innocent, 4)


def is_flagged(text: str) -> bool:
    """Whether a text looks so much like instructions to a machine that readers should know."""
    return injection_score(text) >= FLAGGED
