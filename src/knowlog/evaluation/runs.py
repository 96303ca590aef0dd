"""Runs as a tenant keeps them: asked for, measured by a worker, finished in one transaction or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from knowlog.bus import append_events, cancel_work, require_ended
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import within
from knowlog.evaluation.keeping import get_dataset
from knowlog.evaluation.model import Figure, Result, Run, Wanted
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, NotFound

MOST_RUNS = 500
_SQL = load_queries("knowlog.evaluation", "runs.sql")
_ALL = 1_000_000


async def create_run(
    connection: Connection, scope: Scope, dataset: str, wanted: Wanted, seed: int, label: str | None
) -> Run:
    """Ask for a run on a dataset. Raises NotFound for the dataset, Conflict when it has too many runs."""
    found = await get_dataset(connection, scope, dataset)
    if await connection.fetchval(_SQL["count_runs"], found.dataset_id) >= MOST_RUNS:
        raise Conflict(
            f"The dataset has {MOST_RUNS} runs, the most there may be. Delete some that you need no more."
        )
    run_id = new_id()
    data = {"collection_id": found.collection_id, "dataset_id": found.dataset_id}
    (job_id,) = await append_events(connection, "evaluation.requested", [(run_id, data)])
    await connection.execute(
        _SQL["insert_run"], run_id, found.dataset_id, job_id, label, asdict(wanted), seed, found.digest,
        found.question_count, scope.principal,
    )  # fmt: skip
    return await get_run(connection, scope, run_id)


async def list_runs(
    connection: Connection,
    scope: Scope,
    dataset: str | None = None,
    before: UUID | None = None,
    most: int = 50,
) -> list[Run]:
    """List runs, newest first, from before the run `before`; of one dataset if it is named. Raises NotFound for that."""
    of = None if dataset is None else (await get_dataset(connection, scope, dataset)).dataset_id
    return [_run(row) for row in await connection.fetch(_SQL["list_runs"], before, of, within(scope), most)]


async def get_run(connection: Connection, scope: Scope, run_id: UUID) -> Run:
    """Return a run. Raises NotFound."""
    row = await connection.fetchrow(_SQL["find_run"], run_id, within(scope))
    if row is None:
        raise NotFound("There is no such run. `GET /v1/runs` lists yours, as `knowlog eval list` does.")
    return _run(row)


async def cancel_run(connection: Connection, scope: Scope, run_id: UUID, by: str) -> Run:
    """Cancel a run that waits or is under way. Raises NotFound, or Conflict for one that has ended."""
    found = await get_run(connection, scope, run_id)
    await cancel_work(connection, found.job_id, "run", found.state, by)
    return await get_run(connection, scope, run_id)


async def delete_run(connection: Connection, scope: Scope, run_id: UUID) -> Run:
    """Delete a run with all that it measured. Raises NotFound, or Conflict for one that is under way."""
    found = await get_run(connection, scope, run_id)
    require_ended("run", found.state)
    await connection.execute(_SQL["delete_run"], run_id)
    return found


async def results_of(connection: Connection, run_id: UUID, after: int = 0, most: int = _ALL) -> list[Result]:
    """Return what was measured, question by question, from behind the position `after`."""
    return [Result(**row) for row in await connection.fetch(_SQL["results"], run_id, after, most)]


async def note_progress(connection: Connection, run_id: UUID, done: int) -> None:
    """So many questions are measured."""
    await connection.execute(_SQL["progress"], run_id, done)


async def finish_run(
    connection: Connection, run: Run, code_version: str, made_with: Mapping[str, Any],
    figures: Mapping[str, Figure], results: Sequence[Result],
) -> None:  # fmt: skip
    """Write all that was measured. A run that is finished already stays as it is."""
    told = {name: asdict(each) for name, each in figures.items()}
    finished = await connection.fetchval(
        _SQL["finish_run"], run.run_id, code_version, made_with["profile_version"], dict(made_with), told
    )
    if finished:
        await connection.execute(
            _SQL["insert_results"], run.run_id, [each.position for each in results],
            [each.question_id for each in results], [dict(each.scores) for each in results],
            [dict(each.detail) for each in results],
        )  # fmt: skip


def _run(row: Any) -> Run:
    values = dict(row)
    wanted = values["wanted"]
    values["wanted"] = Wanted(**{**wanted, "measures": tuple(wanted["measures"])})
    if values["figures"] is not None:
        values["figures"] = {name: Figure(**each) for name, each in values["figures"].items()}
    if values["state"] == "done":
        values["reason"] = None
    return Run(**values)
