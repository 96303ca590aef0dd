"""Which language models there are: name -> where its adapter is. It is imported when it is chosen."""

from importlib import import_module

from knowlog.kernel.errors import Misconfigured
from knowlog.llm.port import LanguageModel
from knowlog.llm.provider import Provider
from knowlog.llm.settings import Chosen, LlmSettings

_ADAPTERS = {
    "openai": "knowlog.llm.adapters.openai:open_openai",
    "fake": "knowlog.llm.adapters.fake:open_fake",
}
_OTHERS = "knowlog.llm.adapters.any_provider:open_any"


def open_providers(settings: LlmSettings) -> tuple[Provider, ...]:
    """Open the models that the settings name, in the order in which they are asked; none is called yet.

    Raises Misconfigured.
    """
    if settings.second_model and not settings.model:
        raise Misconfigured("KNOWLOG_LLM_SECOND_MODEL is set and there is no first: set KNOWLOG_LLM_MODEL.")
    return tuple(Provider(_open(chosen), chosen.price, settings) for chosen in settings.chosen)


def _open(chosen: Chosen) -> LanguageModel:
    if chosen.url and not chosen.url.startswith(("http://", "https://")):
        raise Misconfigured(f"{chosen.prefix}URL has to start with http:// or https://.")
    if not chosen.name and chosen.adapter != "fake":
        raise Misconfigured(
            f"{chosen.prefix}MODEL={chosen.model!r:.100} names no model: write openai:NAME or PROVIDER:NAME."
        )
    module, _, name = _ADAPTERS.get(chosen.adapter, _OTHERS).partition(":")
    try:
        opened: LanguageModel = getattr(import_module(module), name)(chosen)
    except ImportError as error:
        raise Misconfigured(
            f"{chosen.prefix}MODEL={chosen.model!r:.100} needs the extra: pip install 'knowlog[llm]'."
        ) from error
    return opened
