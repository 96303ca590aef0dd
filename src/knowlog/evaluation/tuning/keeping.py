"""Tunings as a tenant keeps them: asked for, done by a worker, finished in one transaction or not at all."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from knowlog.bus import append_events, cancel_work, require_ended
from knowlog.chunking import ChunkingProfile
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import Collection, Profile, get_collection, within
from knowlog.evaluation.keeping import get_dataset, questions_of
from knowlog.evaluation.model import Dataset
from knowlog.evaluation.tuning.choosing import candidates, index_of
from knowlog.evaluation.tuning.model import Sought, Tuning
from knowlog.ingestion import Switch, ask_switch
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.kernel.wording import counted
from knowlog.retrieval import RetrievalProfile

MOST_TUNINGS = 100
LEAST_QUESTIONS = 20
_SQL = load_queries("knowlog.evaluation", "tunings.sql")


async def create_tuning(
    connection: Connection,
    scope: Scope,
    collection: str,
    dataset: str,
    sought: Sought,
    seed: int,
    window: int,
) -> Tuning:
    """Ask for a tuning of a collection on a dataset of it. `window` is what the embedding model reads at once.

    Raises NotFound, Invalid for what cannot be tried or measured, Conflict where another is under way.
    """
    found = await get_dataset(connection, scope, dataset)
    held = await get_collection(connection, scope, collection)
    await _check(connection, found, held)
    present = held.profile.chunking
    candidates(sought, present, window, seed)
    tuning_id = new_id()
    told = {"collection_id": held.collection_id, "dataset_id": found.dataset_id}
    (job_id,) = await append_events(connection, "tuning.requested", [(tuning_id, told)])
    await connection.execute(
        _SQL["insert_tuning"], tuning_id, found.dataset_id, job_id, asdict(sought), held.profile.model_dump(),
        held.profile_version, seed, found.digest, scope.principal,
    )  # fmt: skip
    return await get_tuning(connection, scope, tuning_id)


async def _check(connection: Connection, dataset: Dataset, collection: Collection) -> None:
    if dataset.collection_id != collection.collection_id:
        raise Invalid(
            f"The dataset {dataset.name!r} is of the collection {dataset.collection!r}."
            " Tune that, or choose another dataset."
        )
    known = [
        each
        for _, each in await questions_of(connection, dataset.dataset_id)
        if each.documents or each.excerpts
    ]
    if len(known) < LEAST_QUESTIONS:
        raise Invalid(
            f"The dataset has {counted(len(known), 'question')} with known documents or excerpts."
            f" A tuning needs {LEAST_QUESTIONS} such at least; a hundred or more tell much."
        )
    await connection.execute(_SQL["hold_collection"], collection.collection_id)
    counts = await connection.fetchrow(_SQL["open_tunings"], dataset.dataset_id, collection.collection_id)
    if counts["open"]:
        raise Conflict(
            f"The collection {collection.name!r} is being tuned already. Wait for that, or cancel it:"
            " `knowlog tunings list` shows it."
        )
    if counts["kept"] >= MOST_TUNINGS:
        raise Conflict(f"The dataset has {MOST_TUNINGS} tunings, the most there may be. Delete some.")


async def list_tunings(
    connection: Connection, scope: Scope, before: UUID | None = None, most: int = 50
) -> list[Tuning]:
    """List tunings, newest first, from before the tuning `before`."""
    return [
        _tuning(row) for row in await connection.fetch(_SQL["tunings"], before, None, within(scope), most)
    ]


async def get_tuning(connection: Connection, scope: Scope, tuning_id: UUID) -> Tuning:
    """Return a tuning. Raises NotFound."""
    row = await connection.fetchrow(_SQL["tunings"], None, tuning_id, within(scope), 1)
    if row is None:
        raise NotFound(
            "There is no such tuning. `GET /v1/tunings` lists yours, as `knowlog tunings list` does."
        )
    return _tuning(row)


async def cancel_tuning(connection: Connection, scope: Scope, tuning_id: UUID, by: str) -> Tuning:
    """Cancel a tuning that waits or is under way. Raises NotFound, or Conflict for one that has ended."""
    found = await get_tuning(connection, scope, tuning_id)
    await cancel_work(connection, found.job_id, "tuning", found.state, by)
    return await get_tuning(connection, scope, tuning_id)


async def delete_tuning(connection: Connection, scope: Scope, tuning_id: UUID) -> Tuning:
    """Delete a tuning with its report. Raises NotFound, or Conflict for one that is under way."""
    found = await get_tuning(connection, scope, tuning_id)
    require_ended("tuning", found.state)
    await connection.execute(_SQL["delete_tuning"], tuning_id)
    return found


async def apply_tuning(
    connection: Connection,
    scope: Scope,
    tuning_id: UUID,
    number: int | None = None,
    passages: int | None = None,
) -> Switch:
    """Have the collection switch to what a tuning recommends, or to its trial of this number, with so many `passages`.

    Of a trial that is named alone the number of passages stays as it is. Raises NotFound, Invalid for a number of
    passages with which the trial was not measured, and Conflict where the tuning is not done, recommends no change, would
    change nothing, or the collection has another profile than the one that the tuning was measured against.
    """
    found = await get_tuning(connection, scope, tuning_id)
    if found.report is None:
        raise Conflict(f"The tuning is {found.state}: only one that is done can be applied.")
    if number is None and passages is None and not found.report["change"]:
        raise Conflict(
            "The tuning recommends to keep the present profile. Name a trial to switch to it all the same."
        )
    if number is None:
        number = found.report["recommended"]
        passages = passages or found.report.get("recommended_k")
    trial = _trial(found.report, number, passages)
    version = await _version_of(connection, scope, found)
    wanted = profile_of(found.profile, trial, passages)
    if _content(wanted) == _content(Profile(**found.profile)):
        raise Conflict("The collection answers by that profile already: there is nothing to switch.")
    asked = await ask_switch(
        connection, scope, found.collection_id, wanted, version, index_of(tuning_id, trial["chunking"])
    )
    await connection.execute(_SQL["note_switch"], tuning_id, asked.switch_id)
    return asked


async def _version_of(connection: Connection, scope: Scope, tuning: Tuning) -> int:
    """The version of the collection's present profile, if it is what the tuning was measured against, as it is again
    after a switch was rolled back. Raises Conflict.
    """
    collection = await get_collection(connection, scope, str(tuning.collection_id))
    if _content(collection.profile) != _content(Profile(**tuning.profile)):
        raise Conflict(
            f"The collection {collection.name!r} has got another profile since it was tuned (version"
            f" {collection.profile_version}; then it was {tuning.profile_version}). Roll back to that one, or tune again."
        )
    return collection.profile_version


def _content(profile: Profile) -> tuple[object, ...]:
    """What a profile says, whether its defaults are written out or not."""
    chunking = ChunkingProfile.model_validate(profile.chunking).settled()
    return chunking, RetrievalProfile(**profile.retrieval), profile.answering


def _trial(report: Mapping[str, Any], number: int, passages: int | None) -> Mapping[str, Any]:
    """The row of a trial, measured with so many passages where a number is given. Raises NotFound, Invalid."""
    rows: list[Mapping[str, Any]] = [each for each in report["trials"] if each["number"] == number]
    if not rows:
        raise NotFound(f"The tuning has no trial {number}. Its report lists them.")
    measured = {each["k"]: each for each in rows}
    if passages is not None and passages not in measured:
        told = ", ".join(map(str, sorted(measured)))
        raise Invalid(f"With {passages} passages trial {number} was not measured; it was with {told}.")
    return rows[0] if passages is None else measured[passages]


def profile_of(before: Mapping[str, Any], trial: Mapping[str, Any], passages: int | None) -> Profile:
    """A profile as a trial would have it: what was not tried stays."""
    retrieval = {**before["retrieval"], "dense_weight": trial["dense_weight"]}
    if passages is not None:
        retrieval["passages"] = passages
    return Profile(**{**before, "chunking": trial["chunking"], "retrieval": retrieval})


async def start_tuning(connection: Connection, tuning_id: UUID) -> datetime:
    """A worker has begun with it, or goes on with it. Returns when the first one did."""
    started: datetime = await connection.fetchval(_SQL["start_tuning"], tuning_id)
    return started


async def finish_tuning(
    connection: Connection, tuning_id: UUID, code_version: str, report: Mapping[str, Any], indexes: list[UUID]
) -> None:
    """Write what was found. The indexes of trials end; that of the best is kept for a day, to be applied."""
    best = next((each for each in report["trials"] if each["number"] == report["best"]), None)
    kept = best and index_of(tuning_id, best["chunking"])
    await connection.execute(_SQL["finish_tuning"], tuning_id, code_version, dict(report))
    await connection.execute(_SQL["end_indexes"], indexes, kept)


def _tuning(row: Any) -> Tuning:
    values = dict(row)
    return Tuning(**{**values, "wanted": sought_of(values["wanted"])})


def sought_of(stored: Mapping[str, Any]) -> Sought:
    """What was wanted. Of a tuning from before `passages` could be chosen, the depths that were shown."""
    wanted: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in stored.items()
    }
    if "k" in wanted:
        wanted["passages"] = (wanted.pop("k"), *wanted.pop("depths"))
    return Sought(**wanted)
