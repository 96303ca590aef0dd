"""The settings of all rooms, joined. The environment is read here, once, and nowhere else.

`KNOWLOG_<ROOM>_<FIELD>` sets a field, `KNOWLOG_<ROOM>_<FIELD>_FILE` names a file that holds it (for secrets).
An unknown name is an error: a setting that is misspelt must not be ignored.
"""

import difflib
import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.secrecy import weakness_of_password, weakness_of_secret
from knowlog.kernel.wording import wrong_with

if TYPE_CHECKING:
    from knowlog.bus import BusSettings, WebhooksSettings, WorkerSettings
    from knowlog.chunking import ChunkingSettings
    from knowlog.database import DatabaseSettings
    from knowlog.documents import DocumentsSettings
    from knowlog.edge import ApiSettings, TelemetrySettings
    from knowlog.embedding import EmbeddingSettings
    from knowlog.faithfulness import FaithfulnessSettings
    from knowlog.ingestion import ParsingSettings
    from knowlog.llm import LlmSettings
    from knowlog.resilience import ResilienceSettings
    from knowlog.sources import SourcesSettings
    from knowlog.stores import StoresSettings
    from knowlog.tenants import LimitsSettings, MailSettings, PeopleSettings, SecretsSettings
    from knowlog.threads import ThreadsSettings


class _Rooms(Mapping[str, type[BaseModel]]):
    """The settings of each room, loaded with it when asked for: a command that calls a server needs one of them."""

    _PLACES = {  # noqa: RUF012 - a table, never changed
        "database": "knowlog.database:DatabaseSettings",
        "secrets": "knowlog.tenants:SecretsSettings",
        "limits": "knowlog.tenants:LimitsSettings",
        "documents": "knowlog.documents:DocumentsSettings",
        "embedding": "knowlog.embedding:EmbeddingSettings",
        "chunking": "knowlog.chunking:ChunkingSettings",
        "faithfulness": "knowlog.faithfulness:FaithfulnessSettings",
        "llm": "knowlog.llm:LlmSettings",
        "resilience": "knowlog.resilience:ResilienceSettings",
        "stores": "knowlog.stores:StoresSettings",
        "parsing": "knowlog.ingestion:ParsingSettings",
        "bus": "knowlog.bus:BusSettings",
        "worker": "knowlog.bus:WorkerSettings",
        "webhooks": "knowlog.bus:WebhooksSettings",
        "sources": "knowlog.sources:SourcesSettings",
        "threads": "knowlog.threads:ThreadsSettings",
        "people": "knowlog.tenants:PeopleSettings",
        "mail": "knowlog.tenants:MailSettings",
        "api": "knowlog.edge:ApiSettings",
        "telemetry": "knowlog.edge:TelemetrySettings",
    }

    def __getitem__(self, room: str) -> type[BaseModel]:
        module, _, name = self._PLACES[room].partition(":")
        model: type[BaseModel] = getattr(importlib.import_module(module), name)
        return model

    def __iter__(self) -> Iterator[str]:
        return iter(self._PLACES)

    def __len__(self) -> int:
        return len(self._PLACES)


ROOMS = _Rooms()
_OWN_SECRETS = frozenset(("api.operator_key", "secrets.key"))
"""Secrets that the operator makes up. Those in addresses are others' passwords."""
OTHERS = {
    "KNOWLOG_DATA_DIR": "Folder of everything that knowlog keeps on this machine.",
    "KNOWLOG_URL": "Address of the server that the command line talks to.",
    "KNOWLOG_KEY": "API key that the command line uses.",
    "KNOWLOG_PASSWORD": "Password that `knowlog sessions` uses instead of asking for it.",
    "KNOWLOG_NEW_PASSWORD": "New password, likewise.",
    "KNOWLOG_DATA": "Folder of the evaluation data, for tests and benchmarks.",
    "KNOWLOG_TEST_DATABASE_URL": "PostgreSQL for the tests, instead of the embedded one.",
    "KNOWLOG_TEST_OUTAGE_S": "So long a broker is away in the tests; 8 unless set.",
    "KNOWLOG_TEST_GGUF": "Language model (GGUF) that a test serves, instead of that of `make services-install`.",
    "KNOWLOG_TEST_SEED": "Which moments the tests choose to kill at.",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, with where each value came from (an environment variable, a file, or "default")."""

    data_dir: Path
    database: "DatabaseSettings"
    secrets: "SecretsSettings"
    limits: "LimitsSettings"
    documents: "DocumentsSettings"
    embedding: "EmbeddingSettings"
    chunking: "ChunkingSettings"
    faithfulness: "FaithfulnessSettings"
    llm: "LlmSettings"
    resilience: "ResilienceSettings"
    stores: "StoresSettings"
    parsing: "ParsingSettings"
    bus: "BusSettings"
    worker: "WorkerSettings"
    webhooks: "WebhooksSettings"
    sources: "SourcesSettings"
    threads: "ThreadsSettings"
    people: "PeopleSettings"
    mail: "MailSettings"
    api: "ApiSettings"
    telemetry: "TelemetrySettings"
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Local:
    """What a command needs to find the server of this machine, named as in `Settings`."""

    data_dir: Path
    api: "ApiSettings"
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as `knowlog config` shows it."""

    name: str
    value: str
    source: str
    meaning: str


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment. Raises Misconfigured, naming the variable that is wrong."""
    environ = os.environ if environ is None else environ
    given, origins = _given(environ)
    rooms: dict[str, Any] = {room: _validated(room, values) for room, values in given.items()}
    _refuse_weak_secrets(rooms, origins)
    folder, chosen_by = data_dir(environ)
    return Settings(data_dir=folder, **rooms, origins={**origins, **_set("data_dir", chosen_by)})


def _refuse_weak_secrets(rooms: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """Raise Misconfigured for a secret that is easy to guess, unless the server is for this machine alone."""
    if rooms["api"].development:
        return
    for place, name in origins.items():
        room, _, key = place.partition(".")
        if place not in _OWN_SECRETS and not key.endswith("url"):
            continue
        value = getattr(rooms[room], key)
        if isinstance(value, SecretStr):
            weakness_of = weakness_of_secret if place in _OWN_SECRETS else weakness_of_password
            if weakness := weakness_of(value.get_secret_value()):
                raise Misconfigured(
                    f"{name} {weakness}, and others can reach this server. Make one with `openssl rand -base64 32`."
                )


def load_local(environ: Mapping[str, str] | None = None) -> Local:
    """Read the data directory and the server's own settings alone, which is much faster than reading all.

    Raises Misconfigured, naming the variable that is wrong; values of other rooms are not looked at.
    """
    environ = os.environ if environ is None else environ
    others = tuple(f"KNOWLOG_{room}_".upper() for room in ROOMS if room != "api")
    given, origins = _given({name: each for name, each in environ.items() if not name.startswith(others)})
    api: Any = _validated("api", given["api"])
    folder, chosen_by = data_dir(environ)
    return Local(folder, api, {**origins, **_set("data_dir", chosen_by)})


def data_dir(environ: Mapping[str, str] | None = None) -> tuple[Path, str]:
    """The folder of everything kept on this machine, and what named it: KNOWLOG_DATA_DIR ("environment"), a .knowlog
    of this user's here (".knowlog here"), or the user's data folder ("default").
    """
    environ = os.environ if environ is None else environ
    here = Path(".knowlog")  # made by `make run`
    if chosen := environ.get("KNOWLOG_DATA_DIR"):
        return Path(chosen).expanduser().absolute(), "environment"
    if here.is_dir() and _is_mine(here):
        return here.absolute(), ".knowlog here"
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(f"{base}/knowlog").expanduser().absolute(), "default"


def _is_mine(folder: Path) -> bool:
    """Whether this user owns it: another's, found in a shared folder, could hand us their key and address."""
    return folder.stat().st_uid == folder.lstat().st_uid == os.geteuid()


def _set(name: str, source: str) -> dict[str, str]:
    return {} if source == "default" else {name: source}


def _given(environ: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The values that the environment gives, by room and field; and the variable that each comes from."""
    given: dict[str, dict[str, str]] = {room: {} for room in ROOMS}
    origins = {}
    for name, value in environ.items():
        if name.startswith("KNOWLOG_") and name not in OTHERS:
            room, key, text = _resolve(name, value)
            given[room][key] = text
            origins[f"{room}.{key}"] = name
    return given, origins


def describe(settings: Settings) -> list[Described]:
    """Every setting with its value (secrets masked), source and meaning, in the order of the rooms."""
    rows = [
        Described(
            "KNOWLOG_DATA_DIR",
            str(settings.data_dir),
            settings.origins.get("data_dir", "default"),
            OTHERS["KNOWLOG_DATA_DIR"],
        )
    ]
    for room, model in ROOMS.items():
        for key, described in model.model_fields.items():
            value = getattr(getattr(settings, room), key)
            source = settings.origins.get(f"{room}.{key}", "default")
            rows.append(Described(_name(room, key), _shown(value), source, described.description or ""))
    return rows


def _name(room: str, key: str) -> str:
    return f"KNOWLOG_{room}_{key}".upper()


def _resolve(name: str, value: str) -> tuple[str, str, str]:
    """Find the room and field of a variable, and its value, read from a file for a name that ends in _FILE."""
    for room in (each for each in ROOMS if name.startswith(_name(each, ""))):
        for key in ROOMS[room].model_fields:
            if name == _name(room, key):
                return room, key, value
            if name == f"{_name(room, key)}_FILE":
                return room, key, _from_file(name, value)
    known = [_name(room, key) for room, model in ROOMS.items() for key in model.model_fields] + list(OTHERS)
    # What all begin with, or many end with, would make any two alike.
    ending = "_FILE" if name.endswith("_FILE") else ""
    own_parts = [each.removeprefix("KNOWLOG_").removesuffix(ending) for each in known]
    close = difflib.get_close_matches(name.removeprefix("KNOWLOG_").removesuffix(ending), own_parts, n=1)
    hint = " `knowlog config` lists them all."
    if close:
        meant = f"KNOWLOG_{close[0]}"
        hint = f" Did you mean {meant if meant in OTHERS else meant + ending}?"
    raise Misconfigured(f"There is no setting {name}.{hint}")


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{name} names the file {path}, which cannot be read: {error}.") from error


def _validated(room: str, values: Mapping[str, str]) -> BaseModel:
    model = ROOMS[room]
    try:
        return model.model_validate({key: _parsed(room, key, value) for key, value in values.items()})
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{_name(room, str(first['loc'][0]))} " if first["loc"] else ""
        raise Misconfigured(f"{name}{wrong_with(first)}.") from error


def _parsed(room: str, key: str, value: str) -> Any:
    """Turn text into what pydantic expects; a set is written as a comma-separated list. Raises Misconfigured."""
    annotation = ROOMS[room].model_fields[key].annotation
    if "set[" in str(annotation):
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if value.strip() and not parts:  # an empty value is the default; commas alone are a mistake
            raise Misconfigured(f"{_name(room, key)} names nothing. Name some, or unset it for the default.")
        return parts
    return None if value == "" and type(None) in get_args(annotation) else value


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, frozenset):
        return ",".join(sorted(map(str, value)))
    return "" if value is None else str(value)
