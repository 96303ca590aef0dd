"""How much a text looks like instructions to a machine that reads it: a score, offline, by signs that are plain to see.

Each sign has a weight; they are joined as independent hints (noisy or). The kinds follow what is written about indirect
prompt injection (Greshake et al. 2023, https://arxiv.org/abs/2302.12173; BIPIA, Yi et al. 2023,
https://arxiv.org/abs/2312.14197): orders about the reply, orders to forget others, another role, forms of a chat, secrets
or data to be sent, and what is hidden from people. A text without any sign may still be an attack, and a manual for
writers may have one: a score marks a passage, and decides about nothing else by itself.
"""

import re
from dataclasses import dataclass

FLAGGED = 0.5
"""From here on a passage is flagged."""

_DO = (
    "add|include|integrate|insert|append|incorporate|embed|weave|augment|enhance|modify|change|alter|adapt|adjust|replace|"
    "substitute|swap|convert|render|translate|encode|encrypt|scramble|rearrange|reorder|reverse|shuffle|jumble|anagram|group|"
    "remove|omit|combine|merge|split|misspell|introduce|use|utilize|employ|provide|present|write|give|format|end|begin|start|"
    "finish|conclude|respond|reply|answer|mention|suggest|recommend|promote|endorse|advertise|urge|encourage|invite|tell|say|"
    "state|print|output|display|repeat|tease|hint|claim|emphasi[sz]e|stress|highlight|express|make|ensure|put|place|share|"
    "direct|link|point|offer|create|generate|compose|deliver|craft|spell|capitali[sz]e|sprinkle"
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
class _Sign:
    """Looked for only where the text has one of the cues of each group, which is quick to see."""

    weight: float
    cues: tuple[tuple[str, ...], ...]
    pattern: re.Pattern[str]

    def stands_in(self, lowered: str) -> bool:
        if not all(any(cue in lowered for cue in group) for group in self.cues):
            return False
        return self.pattern.search(lowered) is not None


def _sign(weight: float, cues: tuple[str, ...], *patterns: str, also: tuple[str, ...] = ()) -> _Sign:
    return _Sign(weight, (cues, also) if also else (cues,), re.compile("|".join(patterns), re.M))


_ADDRESSED = (
    " your ",
    " this ",
    " each ",
    " every ",
    " the next ",
    " the final ",
    " the whole ",
    " the following ",
)
_SIGNS = (
    _sign(  # an order about the reply
        0.7,
        ("answer", "response", "reply", "replies", "output", "message", "summary", "completion", "generated"),
        rf"{_BEGINS}(?:{_DO})\b{_INSIDE}{{0,160}}?\b(?:your|this|each|every|the (?:next|final|whole|following))\s+"
        rf"(?:\w+\s+)?{_REPLY}\b",
        rf"\b(?:in|within|throughout|for|with) your (?:\w+ )?{_REPLY}s?\s*,\s*(?:please\s+)?(?:{_DO})\b",
        also=_ADDRESSED,
    ),
    _sign(
        0.6,
        ("respond ", "reply ", "answer "),
        r"(?:^|[.!?]\s+)(?:respond|reply|answer)\s+(?:only|solely|exclusively|with|in|as|using)\b",
    ),
    _sign(  # an order to forget others
        0.9,
        (
            "ignor",
            "disregard",
            "forget",
            "overr",
            "bypass",
            "neglect",
            "discard",
            "follow",
            "obey",
            "heed",
            "comply",
        ),
        rf"\b(?:ignore|disregard|forget|override|overrule|bypass|neglect|discard)\b[^.!?\n]{{0,40}}\b{_BEFORE}\b"
        rf"[^.!?\n]{{0,30}}\b{_RULES}\b",
        rf"\b(?:do not|don't|stop|never)\s+(?:follow|obey|heed|comply with)\w*\b[^.!?\n]{{0,30}}\b{_RULES}\b",
        r"\bignorier\w*\b[^.!?\n]{0,40}\b(?:anweisung|regel|vorgabe)\w*",
        also=(
            "instruction",
            "prompt",
            "rule",
            "direct",
            "guideline",
            "command",
            "order",
            "safeguard",
            "polic",
            "restriction",
            "training",
            "anweisung",
            "regel",
            "vorgabe",
        ),
    ),
    _sign(
        0.9,
        ("instrucciones", "reglas", "indicaciones", "instructions", "consignes", "règles"),
        r"\b(?:ignorez|oubliez|oublie)\b[^.!?\n]{0,40}\b(?:instructions|consignes|règles)\b",
        r"\b(?:ignora|olvida)\b[^.!?\n]{0,40}\b(?:instrucciones|reglas|indicaciones)\b",
    ),
    _sign(  # another role
        0.6,
        (
            "you are ",
            "as an a",
            "as a l",
            "mode",
            "jailbreak",
            "do anything now",
            "new ",
            "act as ",
            "pretend",
            "roleplay",
        ),
        r"\byou are (?:now|no longer|from now on)\b",
        r"\byou are an? (?:\w+ )?(?:ai|assistant|language model|chatbot|bot|llm)\b",
        r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)(?: (?:language )?model)?,",
        r"\b(?:developer|god|maintenance|dan) mode\b(?! )",
        r"\b(?:jailbreak|do anything now)\b",
        r"\bnew (?:system )?(?:instructions?|prompt|task)\s*:",
        r"\b(?:pretend|roleplay|act as (?:if|though)) you\b",
    ),
    _sign(
        0.6,
        (" ai", " assistant", " llm", " language model", " chatbot"),
        r"\b(?:attention|note to|message to|instructions? (?:to|for))[ ,:]+(?:the |all |any )?(?:ai|assistants?|llms?|"
        r"language models?|chatbots?)\b",
    ),
    _sign(  # forms of a chat with a model
        0.9,
        ("<|", "inst]", "sys>", "system", "assistant", "instruction", "##"),
        r"<\|\s*(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\s*\|>",
        r"\[/?inst\]|<</?sys>>",
        r"</?\s*(?:system|assistant|instructions?)\s*>",
        r"^\s*#{2,}\s*(?:system|assistant|human|new task|new instructions?)\s*:?\s*$",
        r"\bsystem prompt\b",
    ),
    _sign(  # a secret to be told
        0.6,
        (
            "your instructions",
            "your prompt",
            "your rules",
            "your config",
            "your context",
            "key",
            "password",
            "credential",
        ),
        r"\b(?:reveal|print|show|repeat|output|disclose|leak|expose|list|dump)\b[^.!?\n]{0,40}\b(?:your (?:instructions|"
        r"prompt|rules|configuration|context)|(?:api|secret|access)[ _-]keys?|passwords|credentials)\b",
        also=("reveal", "print", "show", "repeat", "output", "disclose", "leak", "expose", "list", "dump"),
    ),
    _sign(  # data to be sent
        0.6,
        ("http", "www.", "@", ".com", ".net", ".org", ".io", ".xyz", ".test", ".example"),
        r"\b(?:send|post|forward|upload|e-?mail|transmit|exfiltrate|submit|leak|copy)\b[^.!?\n]{0,80}\b(?:conversation|"
        r"chat|history|question|answer|context|documents?|passwords?|api key|data|secrets?|contents?)\b[^.!?\n]{0,60}\b"
        r"(?:to|at)\b[^!?\n]{0,20}(?:https?://|www\.|\S+@\S+|\S+\.(?:com|net|org|io|xyz|test|example)\b)",
        r"!\[[^\]]*\]\(\s*https?://[^)\s]*\?[^)]*[={]",
    ),
    _sign(  # a tool to be used
        0.6,
        (" tool", " function", " plugin", " api"),
        r"\b(?:call|invoke|use|run|execute|trigger)\b[^.!?\n]{0,20}\b(?:tool|function|plugin|api)\b[^.!?\n]{0,80}"
        r"\b(?:grants?|admin|owner|roles?|permissions?|tenants?|delete_\w+|documents|conversation)\b",
        also=(
            "grant",
            "admin",
            "owner",
            "role",
            "permission",
            "tenant",
            "delete_",
            "documents",
            "conversation",
        ),
    ),
    _sign(  # a right to be given, something to be deleted
        0.6,
        ("admin", "owner", "root", "superuser", "delete", "drop", "erase", "wipe", "tenant"),
        r"(?:^|[.!?:]\s+)(?:grant|give|assign|promote|elevate|make)\b[^.!?\n]{0,40}\b(?:admin|administrator|owner|root|superuser)\b",
        r"(?:^|[.!?:]\s+)(?:delete|drop|erase|wipe)\s+(?:all|every)\b[^.!?\n]{0,40}\b(?:documents?|collections?|files?|"
        r"records?|tenants?|keys?)\b",
        r"\bswitch to (?:the )?(?:other )?tenant\b",
    ),
    _sign(  # silence about it
        0.5,
        ("mention", "tell", "inform", "alert", "notify", "reveal", "disclos", "warn"),
        r"\b(?:do not|don't|never|without)\s+(?:mention|tell|inform|alert|notify|reveal|disclos|warn)\w*\b"
        r"[^.!?\n]{0,30}\b(?:user|reader|human|anyone|this|these instructions|that you)\b",
        also=("do not ", "don't ", "never ", "without "),
    ),
)
_HIDDEN = re.compile("[\U000e0000-\U000e007f]|[\u200b\u2060\ufeff]{3}")
_HIDDEN_WEIGHT = 0.9


def injection_score(text: str) -> float:
    """Return how much a text looks like an attack: 0, no sign of one, to 1."""
    lowered = text.lower()
    innocent = 1.0
    for sign in _SIGNS:
        if sign.stands_in(lowered):
            innocent *= 1 - sign.weight
    if not text.isascii() and _HIDDEN.search(text):
        innocent *= 1 - _HIDDEN_WEIGHT
    return round(1 - innocent, 4)


def is_flagged(text: str) -> bool:
    """Whether a text looks so much like instructions to a machine that readers should know."""
    return injection_score(text) >= FLAGGED
