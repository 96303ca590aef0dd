"""The settings of all rooms, joined. The environment is read here, once, and nowhere else.

`KNOWLOG_<ROOM>_<FIELD>` sets a field, `KNOWLOG_<ROOM>_<FIELD>_FILE` names a file that holds it (for secrets).
An unknown name is an error: a setting that is misspelt must not be ignored.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from knowlog.bus import BusSettings, WebhooksSettings, WorkerSettings
from knowlog.database import DatabaseSettings
from knowlog.documents import DocumentsSettings
from knowlog.edge import ApiSettings, TelemetrySettings
from knowlog.embedding import EmbeddingSettings
from knowlog.ingestion import ParsingSettings
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.wording import wrong_with
from knowlog.sources import SourcesSettings
from knowlog.stores import StoresSettings

ROOMS: dict[str, type[BaseModel]] = {
    "database": DatabaseSettings,
    "documents": DocumentsSettings,
    "embedding": EmbeddingSettings,
    "stores": StoresSettings,
    "parsing": ParsingSettings,
    "bus": BusSettings,
    "worker": WorkerSettings,
    "webhooks": WebhooksSettings,
    "sources": SourcesSettings,
    "api": ApiSettings,
    "telemetry": TelemetrySettings,
}
OTHERS = {
    "KNOWLOG_DATA_DIR": "Folder of everything that knowlog keeps on this machine.",
    "KNOWLOG_URL": "Address of the server that the command line talks to.",
    "KNOWLOG_KEY": "API key that the command line uses.",
    "KNOWLOG_DATA": "Folder of the evaluation data, for tests and benchmarks.",
    "KNOWLOG_TEST_DATABASE_URL": "PostgreSQL for the tests, instead of the embedded one.",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, with where each value came from (an environment variable, a file, or "default")."""

    data_dir: Path
    database: DatabaseSettings
    documents: DocumentsSettings
    embedding: EmbeddingSettings
    stores: StoresSettings
    parsing: ParsingSettings
    bus: BusSettings
    worker: WorkerSettings
    webhooks: WebhooksSettings
    sources: SourcesSettings
    api: ApiSettings
    telemetry: TelemetrySettings
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
    given: dict[str, dict[str, str]] = {room: {} for room in ROOMS}
    origins = {}
    for name, value in environ.items():
        if name.startswith("KNOWLOG_") and name not in OTHERS:
            room, key, text = _resolve(name, value)
            given[room][key] = text
            origins[f"{room}.{key}"] = name
    rooms: dict[str, Any] = {room: _validated(room, values) for room, values in given.items()}
    return Settings(data_dir=data_dir(environ), **rooms, origins=origins)


def data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of everything kept on this machine: KNOWLOG_DATA_DIR, .knowlog here, or the user's data folder."""
    environ = os.environ if environ is None else environ
    chosen = environ.get("KNOWLOG_DATA_DIR")
    here = Path(".knowlog")  # made by `make run`
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    fallback = here if here.is_dir() else f"{base}/knowlog"
    return Path(chosen or fallback).expanduser().absolute()


def describe(settings: Settings) -> list[Described]:
    """Every setting with its value (secrets masked), source and meaning, in the order of the rooms."""
    rows = [
        Described(
            "KNOWLOG_DATA_DIR", str(settings.data_dir), "environment or default", OTHERS["KNOWLOG_DATA_DIR"]
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
    for room, model in ROOMS.items():
        for key in model.model_fields:
            if name == _name(room, key):
                return room, key, value
            if name == f"{_name(room, key)}_FILE":
                return room, key, _from_file(name, value)
    known = [_name(room, key) for room, model in ROOMS.items() for key in model.model_fields] + list(OTHERS)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else " `knowlog config` lists them all."
    raise Misconfigured(f"There is no setting {name}.{hint}")


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{name} names the file {path}, which cannot be read: {error}.") from error


def _validated(room: str, values: Mapping[str, str]) -> BaseModel:
    model = ROOMS[room]
    try:
        return model.model_validate({key: _parsed(model, key, value) for key, value in values.items()})
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{_name(room, str(first['loc'][0]))} " if first["loc"] else ""
        raise Misconfigured(f"{name}{wrong_with(first)}.") from error


def _parsed(model: type[BaseModel], key: str, value: str) -> Any:
    """Turn text into what pydantic expects; a set is written as a comma-separated list."""
    if "set[" in str(model.model_fields[key].annotation):
        return [part.strip() for part in value.split(",") if part.strip()]
    return None if value == "" and type(None) in get_args(model.model_fields[key].annotation) else value


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, frozenset):
        return ",".join(sorted(map(str, value)))
    return "" if value is None else str(value)
