"""One model behind its guard, with its price: asked for text, or for JSON of a given shape."""

from contextlib import aclosing
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from knowlog.kernel.errors import Unavailable
from knowlog.kernel.wording import wrong_with
from knowlog.llm.account import Account
from knowlog.llm.json_reply import json_in
from knowlog.llm.model import MalformedReply, Price, Prompt, Reply, Usage, estimated
from knowlog.llm.port import LanguageModel
from knowlog.llm.settings import LlmSettings
from knowlog.llm.spotlight import spotlit, unmarked
from knowlog.resilience import Guard, Policy, forget_guard, guard_of, leave_turn

Shape = TypeVar("Shape", bound=BaseModel)

TRIES = 2
"""So often a model is asked for JSON, in one call."""
_MOST_CHARACTERS_PER_TOKEN = 64
"""Four is usual. What is longer than this for each token that it was allowed does not end by itself."""


class Provider:
    """What rooms above ask. What a call used is put on the account, also where it failed."""

    def __init__(
        self, model: LanguageModel, price: Price, settings: LlmSettings, guard: Guard | None = None
    ) -> None:
        self.model = model
        self._price = price
        self._marking = settings.marking
        self.name = f"language model {model.name} at {model.place}"
        self.guard = guard or guard_of(self.name, policy_of(settings))

    async def complete(self, prompt: Prompt, account: Account) -> Reply:
        """Return the whole reply. Raises Unavailable, LimitReached or Misconfigured."""
        await account.require()
        return await self.guard.run(self._exchange, prompt, account)

    async def complete_as(self, prompt: Prompt, shape: type[Shape], account: Account) -> Shape:
        """Return the reply read as JSON of a shape; the prompt's schema becomes that of the shape.

        Raises as `complete`, and MalformedReply for a model that twice answered with something else.
        """
        await account.require()
        return await self.guard.run(self._exchange_as, prompt, shape, account)

    async def close(self) -> None:
        """Close connections."""
        forget_guard(self.guard)
        await self.model.close()

    async def _exchange_as(self, prompt: Prompt, shape: type[Shape], account: Account) -> Shape:
        schema = shape.model_json_schema()
        asked = Prompt(prompt.system, prompt.user, prompt.max_tokens, schema)
        for _ in range(TRIES):
            reply = await self._exchange(asked, account)
            try:
                return shape.model_validate_json(json_in(reply.text))
            except ValidationError as error:
                wrong = _wrong_in(error)
                mend = f"{prompt.system}\nYour last reply was refused: {wrong}. Reply with the JSON object alone."
                asked = Prompt(mend, prompt.user, prompt.max_tokens, schema)
        raise MalformedReply(
            f"The {self.name} answered {TRIES} times with something else than the JSON it was asked for: {wrong}."
            " Try again, or choose another model."
        )

    async def _exchange(self, prompt: Prompt, account: Account) -> Reply:
        """Ask once, and put on the account what was used: as the provider says, or as far as it came. Whoever asks leaves
        its turn; one that is not let through goes on here at once, and keeps it.
        """
        leave_turn()
        prompt = spotlit(prompt, self._marking)
        pieces: list[str] = []
        told: Usage | None = None
        room = prompt.max_tokens * _MOST_CHARACTERS_PER_TOKEN
        try:
            async with aclosing(self.model.stream(prompt)) as stream:
                async for piece in stream:
                    if isinstance(piece, Usage):
                        told = piece
                    else:
                        pieces.append(piece[: room + 1])
                        room -= len(piece)
                    if room < 0:
                        raise Unavailable(f"The reply of the {self.name} does not end.")
        finally:
            used = told if told and told.plausible else estimated(prompt, "".join(pieces))
            account.add(used, self._price)
        text = _whole("".join(pieces))
        return Reply(unmarked(text) if self._marking == "datamarked" else text, used)


def policy_of(settings: LlmSettings) -> Policy:
    """What the guard of a language model allows."""
    return Policy(settings.timeout_s, settings.slow_s, settings.at_once)


def host_of(url: str) -> str:
    """Return host and port of an address, as guards and messages name it."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _whole(text: str) -> str:
    """A text of characters: halves that came in different pieces are joined, and one without its other is replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _wrong_in(error: ValidationError) -> str:
    """What is wrong with a reply, and where: "statements.0.passages is missing", "it is no JSON". A name that the model
    made up is not repeated: this goes into the prompt as words of ours.
    """
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return "it is no JSON"
    if first["type"] == "extra_forbidden":
        return "it has a member that was not asked for"
    return f"{'.'.join(map(str, first['loc'])) or 'it'} {wrong_with(first)}"
