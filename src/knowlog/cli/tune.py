"""`knowlog tune`: find the profile with which a collection answers a dataset best, and switch to it."""

import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.costs import confirm_cost
from knowlog.cli.options import AsJson, Key, Url, Yes
from knowlog.cli.output import emit, out, printable, progress, say, table
from knowlog.cli.output import show as show_table
from knowlog.cli.switches import say_switched, wait_for_switch
from knowlog.cli.values import address, named
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.wording import counted

if TYPE_CHECKING:
    from knowlog.cli.client import Client

_LOOK_EVERY_S = 0.5
_SEARCHING = {
    "strategy": "--strategy", "size": "--size", "overlap": "--overlap", "weight": "--dense-weight", "k": "--k",
    "minutes": "--minutes", "configurations": "--configurations", "documents": "--documents", "seed": "--seed",
}  # fmt: skip


class TuningFailed(KnowlogError):
    """A tuning did not come to a good end; the collection is as it was."""

    code = "tuning-failed"


Collection = Annotated[str, typer.Argument(help="Name of the collection.", metavar="COLLECTION")]
Dataset = Annotated[str | None, typer.Option("--dataset", "-d", help="Name of a dataset of it.")]
TuningId = Annotated[
    str | None, typer.Option("--tuning", help="Id of a tuning that was begun before, to wait for or apply.")
]
Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy", help="Try these strategies, with commas between them; may be given more than once."
    ),
]
Sizes = Annotated[
    list[int] | None, typer.Option("--size", help="Try this size in tokens; may be given more than once.")
]
Overlaps = Annotated[
    list[float] | None, typer.Option("--overlap", help="Try this overlap; may be given more than once.")
]
Weights = Annotated[
    list[float] | None,
    typer.Option(
        "--dense-weight", min=0, max=1, help="Try this share of the dense score; may be given more than once."
    ),
]
Counts = Annotated[
    list[int] | None,
    typer.Option(
        "--k", min=1, max=100, help="Try so many passages for a search and an answer; may be given more than once."
    ),
]  # fmt: skip
Minutes = Annotated[float, typer.Option("--minutes", help="No trial begins when these are over.")]
Configurations = Annotated[
    int, typer.Option("--configurations", min=1, max=200, help="Most ways of cutting that are tried.")
]
Documents = Annotated[
    int, typer.Option("--documents", min=10, help="Most documents that a trial's index has.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")]
Apply = Annotated[bool, typer.Option("--apply", help="Switch to what is recommended, in one step.")]
Trial = Annotated[
    int | None, typer.Option("--trial", min=0, help="With --apply: switch to this trial instead.")
]
Passages = Annotated[
    int | None,
    typer.Option(
        "--passages", min=1, max=100,
        help="With --apply: how many passages, a k of the table. [default: as recommended; with --trial, as before]",
    ),
]  # fmt: skip
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for it.")]


def tune(
    context: typer.Context,
    collection: Collection,
    dataset: Dataset = None,
    tuning: TuningId = None,
    strategy: Strategies = None,
    size: Sizes = None,
    overlap: Overlaps = None,
    weight: Weights = None,
    k: Counts = None,
    minutes: Minutes = 30,
    configurations: Configurations = 12,
    documents: Documents = 2000,
    seed: Seed = 1,
    apply: Apply = False,
    trial: Trial = None,
    passages: Passages = None,
    detach: Detach = False,
    yes: Yes = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Try chunking strategies, sizes, overlaps, fusion weights and numbers of passages on a dataset; report what each
    finds and costs.

    Trials have indexes of their own beside the one that answers. What is recommended was judged by questions that had no
    part in choosing it. With --apply an index of all documents is built, and then answers in one step;
    `knowlog collections rollback` goes back. Ctrl-C stops waiting; `knowlog tunings cancel` stops the tuning.
    """
    _require_sense(context)
    strategies = [each for listed in strategy or () for each in named(listed)]
    if strategy and not strategies:
        raise typer.BadParameter("--strategy names none. Name one, or leave it out.")
    given = {
        "collection": collection, "dataset": dataset, "strategies": strategies, "sizes": size, "overlaps": overlap,
        "weights": weight, "passages": k, "minutes": minutes, "configurations": configurations, "documents": documents,
        "seed": seed,
    }  # fmt: skip
    with connect(url, key) as client:
        if dataset is not None:
            _tell_cost(client, collection, strategies, yes)
        found = _begin(client, given, tuning)
        if not detach:
            found = {**_ended(client, found, as_json), "switch": None}
        if apply and not detach:
            found["switch"] = _apply(client, found, {"trial": trial, "passages": passages}, as_json)
    emit(found, as_json, _render_id if detach else _render)
    if apply and not as_json and not found["switch"]:
        say(f"Nothing was switched; --tuning {found['tuning_id']} --apply --trial N switches all the same.")


def _tell_cost(client: "Client", collection: str, strategies: list[str], yes: bool) -> None:
    """Where documents will be cut by a language model, say what that costs, and wait for a yes. What there is now is cut
    anew beside what is tried.
    """
    of = client.get(f"/v1/collections/{quote(collection, safe='')}")
    present = of["profile"].get("chunking", {}).get("strategy")
    if "llm" in {present, *strategies}:
        extent = "They are sent once for each size that is tried, that of the present profile included."
        confirm_cost(client, of, extent, "Have them cut so?", yes)


def _require_sense(context: typer.Context) -> None:
    """Raise BadParameter for options of which one would be passed over in silence."""
    said = {
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    if ("dataset" in said) == ("tuning" in said):
        raise typer.BadParameter(
            "Name either a dataset with --dataset, or a tuning that was begun before with --tuning."
        )
    if "tuning" in said and (idle := sorted(said & _SEARCHING.keys())):
        raise typer.BadParameter(
            f"{_SEARCHING[idle[0]]} is for a new tuning. Name a --dataset for one, or leave it out."
        )
    if "apply" not in said and (idle := sorted(said & {"trial", "passages"})):
        raise typer.BadParameter(f"--{idle[0]} is for a switch. Say --apply too, or leave it out.")
    if {"apply", "detach"} <= said:
        raise typer.BadParameter(
            "--apply waits for the report. Leave --detach out, or apply it later with --tuning."
        )


def _begin(client: "Client", given: dict[str, Any], tuning: str | None) -> dict[str, Any]:
    if tuning is not None:
        found: dict[str, Any] = client.get(address_of(tuning))
        if given["collection"] not in (found["collection"], found["collection_id"]):
            raise typer.BadParameter(
                f"That tuning is of the collection {printable(found['collection'])!r}. Name it, or another tuning."
            )
        return found
    made: dict[str, Any] = client.post(
        "/v1/tunings", {name: value for name, value in given.items() if value not in (None, [])}
    )
    return made


def _ended(client: "Client", found: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Look until the tuning has ended, with a bar where somebody looks on. Raises TuningFailed."""
    with progress(as_json) as bar:
        task = bar.add_task("Trials", total=None, note="")
        while found["state"] in ("waiting", "running"):
            time.sleep(_LOOK_EVERY_S)
            found = client.get(address_of(found["tuning_id"]))
            bar.update(
                task,
                completed=found["done"],
                total=found["total"] or None,
                note=printable(found["doing"] or ""),
            )
    if found["state"] != "done":
        raise TuningFailed(printable(found["reason"] or f"The tuning is {found['state']}."))
    return found


def _apply(
    client: "Client", found: dict[str, Any], chosen: dict[str, int | None], as_json: bool
) -> dict[str, Any] | None:
    """Switch, if there is something to switch to, and wait for it."""
    wanted = {name: value for name, value in chosen.items() if value is not None}
    if not wanted and not found["report"]["change"]:
        return None
    asked = client.post(f"{address_of(found['tuning_id'])}:apply", wanted)
    return wait_for_switch(client, asked, as_json)


def _render_id(found: dict[str, Any]) -> None:
    out.print(found["tuning_id"], markup=False)


def _render(found: dict[str, Any]) -> None:
    if not found["switch"] or found["report"]["change"]:  # the advice is not told to who has gone against it
        show_report(found["report"])
    if found["switch"]:
        say_switched(found["switch"])
    elif found["report"]["change"]:
        say(f"`knowlog tune {found['collection']} --tuning {found['tuning_id']} --apply` switches to it.")


def show_report(report: dict[str, Any]) -> None:
    """Print the trials of a tuning, and its verdict."""
    title = "Recall" if report["target"] == "recall" else "Excerpt recall"
    rows = [_row(each) for each in _shown(report)]
    heads = (">Trial", "Strategy", ">Size", ">Overlap", ">Dense", ">k", ">Documents", f">{title}", ">95 % interval",
             ">Tokens read", ">Chunks", ">ms")  # fmt: skip
    show_table(table(heads, rows))
    present, best = report.get("present_k"), report.get("best_k")
    read = f" with {counted(present, 'passage')}" if present else ""
    say(
        f"* no other trial on all documents finds as much with less to read. Trial 0{read} is the present profile."
    )
    if len(rows) < len(report["trials"]):
        say("Of each trial the present k, the best and those with a star are shown; --json has all.")
    if report["time_is_up"]:
        say("The time was over before all was tried.")
    read = f" with {counted(best, 'passage')}" if best else ""
    say(f"{printable(report['verdict'])} The best is trial {report['best']}{read}.")


def _shown(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a person looks at: of those that differ in the number of passages alone, a few."""
    present = report.get("present_k")
    best = report["best"], report.get("best_k")
    ordered = sorted(report["trials"], key=lambda each: (each["documents"], each["number"], each["k"]))
    return [
        each for each in ordered
        if not each["whole"] or each["pareto"] or present in (None, each["k"]) or (each["number"], each["k"]) == best
    ]  # fmt: skip


def _row(trial: dict[str, Any]) -> list[Any]:
    cut, target = trial["chunking"], trial["target"]
    return [
        f"{trial['number']}{'*' if trial['pareto'] else ''}", cut["strategy"], cut["size_tokens"], cut.get("overlap"),
        trial["dense_weight"], trial["k"], trial["documents"], f"{target['mean']:.3f}",
        f"{target['low']:.3f} to {target['high']:.3f}", f"{trial['context_tokens']:.0f}", f"{trial['chunks']:,}",
        f"{trial['latency_ms']:.0f}",
    ]  # fmt: skip


def address_of(tuning: str) -> str:
    """The address of a tuning. Raises BadParameter for what is no id."""
    return address("tunings", tuning)
