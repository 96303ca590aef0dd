"""Language models: messages in, tokens out, within what a tenant may use."""

from knowlog.llm.account import Account, OpenAccount, TenantAccount
from knowlog.llm.adapters.fake import FakeModel
from knowlog.llm.json_reply import json_in
from knowlog.llm.model import MalformedReply, Price, Prompt, Reply, Usage
from knowlog.llm.own import OwnModels
from knowlog.llm.port import LanguageModel
from knowlog.llm.provider import Provider
from knowlog.llm.registry import open_providers
from knowlog.llm.settings import Chosen, LlmSettings
from knowlog.llm.spotlight import material_of, spotlit

__all__ = [
    "Account",
    "Chosen",
    "FakeModel",
    "LanguageModel",
    "LlmSettings",
    "MalformedReply",
    "OpenAccount",
    "OwnModels",
    "Price",
    "Prompt",
    "Provider",
    "Reply",
    "TenantAccount",
    "Usage",
    "json_in",
    "material_of",
    "open_providers",
    "spotlit",
]
