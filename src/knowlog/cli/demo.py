"""`knowlog demo`: from nothing to a cited answer, on the example documents."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowlog.cli.answers import show_answer
from knowlog.cli.credentials import Kept
from knowlog.cli.examples import Examples, find_examples
from knowlog.cli.files import find_files
from knowlog.cli.ingest import ingest_files
from knowlog.cli.interruptible import Interrupted, run_interruptibly
from knowlog.cli.local_tenant import ensure_collection, ensure_tenant
from knowlog.cli.options import AsJson
from knowlog.cli.output import print_json, printable, say
from knowlog.cli.running import noted
from knowlog.cli.serve import Host, Port, listen_environment
from knowlog.cli.up import announce, announcement
from knowlog.cli.uploading import Outcome

if TYPE_CHECKING:
    from knowlog.cli.client import Client
    from knowlog.cli.processes import Stack

_COLLECTION = "examples"
Once = Annotated[bool, typer.Option("--once", help="Stop everything after the last answer.")]


def demo(host: Host = None, port: Port = None, once: Once = False, as_json: AsJson = False) -> None:
    """Start everything, ingest the example documents, ask four questions, and keep serving.

    Exit code 0 means that every document was indexed, and every question answered with citations, but for
    the one that the documents do not answer.
    """
    run_demo(host, port, once=once, as_json=as_json)


def run_demo(host: str | None, port: int | None, *, once: bool, as_json: bool) -> None:
    """Run the demo. Raises typer.Exit with 1 when a part of it failed."""
    examples = find_examples()
    try:
        passed = run_interruptibly(
            _demo({**os.environ, **listen_environment(host, port)}, examples, once=once, as_json=as_json)
        )
    except Interrupted:
        say("Everything is stopped.")
        return
    if not passed:
        say("Error: a part of the demo failed; see above.")
        raise typer.Exit(1)


async def _demo(environ: dict[str, str], examples: Examples, *, once: bool, as_json: bool) -> bool:
    from knowlog.cli.processes import open_stack

    say("Starting PostgreSQL, the HTTP server and a worker ...")
    async with open_stack(environ) as stack:
        with noted(stack.settings.data_dir):
            kept, shown = await asyncio.to_thread(_ingest_and_ask, stack, examples, as_json)
            if as_json:
                print_json(shown if once else {**announcement(stack, kept), **shown})
            elif not once:
                announce(stack, kept, as_json=False)
            if not once:
                await stack.wait()
    return bool(shown["passed"])


def _ingest_and_ask(stack: "Stack", examples: Examples, as_json: bool) -> tuple[Kept, dict[str, Any]]:
    """Returns the key, and what there is to show: the value that --json prints."""
    from knowlog.cli.client import Client

    kept = ensure_tenant(stack.url, stack.operator_key, stack.settings.data_dir)
    with Client(stack.url, kept["key"]) as client:
        ensure_collection(client, _COLLECTION)
        files = find_files([str(examples.corpus)], examples.corpus).files
        outcomes = ingest_files(client, _COLLECTION, files, {}, as_json=as_json)
        _report_failures(outcomes)
        answers = [_ask(client, question, as_json) for question, _ in examples.questions]
    expected = [answered for _, answered in examples.questions]
    passed = all(outcome.state == "indexed" for outcome in outcomes) and expected == list(
        map(_is_cited, answers)
    )
    documents = [
        {"external_id": each.external_id, "state": each.state, "reason": each.reason} for each in outcomes
    ]
    return kept, {"passed": passed, "documents": documents, "answers": answers}


def _ask(client: "Client", question: str, as_json: bool) -> dict[str, Any]:
    answer: dict[str, Any] = client.ask("/v1/answers", {"question": question, "collections": [_COLLECTION]})
    if not as_json:
        show_answer(printable(answer))
    return answer


def _is_cited(answer: dict[str, Any]) -> bool:
    return bool(answer["statements"]) and all(each["citations"] for each in answer["statements"])


def _report_failures(outcomes: list[Outcome]) -> None:
    say(
        f"{sum(outcome.state == 'indexed' for outcome in outcomes)} of {len(outcomes)} documents are indexed."
    )
    for outcome in outcomes:
        if outcome.state == "failed":
            say(f"{outcome.external_id}: {outcome.reason}")
