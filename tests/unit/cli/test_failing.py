"""How a command ends that fails."""

import json

import pytest
import typer

from knowlog.cli.app import app
from knowlog.cli.failing import run_to_the_end

COMMAND = typer.main.get_command(app)
ID = "0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("search", "QUESTION is missing."),
        ("search x --limit 0", "--limit must be at least 1."),
        ("search x --limit many", "--limit must be a whole number."),
        ("documents list --state odd", "--state must be one of received, parsing"),
        ("search x --filter {", "--filter must be a JSON object"),
        ("serach x", "No such command 'serach'. Did you mean 'search'?"),
        ("documents show nonsense", "nonsense is not the id of a document."),
        ("collections update notes", "Nothing is to be changed."),
        ("documents retry", "Give the id of one document, or --failed"),
        (
            "worker --queues documents,nowhere",
            "--queues names 'nowhere', which is no queue. Choose from: cleanup, ",
        ),
        ("worker --queues ,", "--queues names no queue. Leave it out to serve all, or choose: cleanup, "),
        (f"webhooks update {ID}", "Nothing is to be changed. Give --endpoint, --type"),
        ("worker --concurrency 0", "--concurrency must be at least 1."),
        ("jobs retry", "Give the id of one job, or --all for all that are dead."),
        ("jobs show nonsense", "nonsense is not the id of a job."),
        ("schedules create x refresh", "--collection is missing."),
        ("events show nonsense", "nonsense is not the id of an event. `knowlog events list` shows the ids."),
        ("webhooks show nonsense", "nonsense is not the id of a webhook."),
        (f"webhooks replay {ID} nonsense", "nonsense is not the id of a delivery."),
        ("sources forget", "Name a dead letter, or a source with --source."),
        ("sources letter nonsense", "nonsense is not the id of a dead letter."),
        ("sources delete nonsense shop --yes --operator-key x", "nonsense is not the id of a tenant."),
        ("tenants delete nonsense --yes --operator-key x", "nonsense is not the id of a tenant."),
        ("tune docs", "Name either a dataset with --dataset, or a tuning"),
        (f"tune docs --dataset x --tuning {ID}", "Name either a dataset with --dataset, or a tuning"),
        (f"tune docs --tuning {ID} --trial 1", "--trial is for a switch. Say --apply too"),
        (f"tune docs --tuning {ID} --size 100", "--size is for a new tuning."),
        ("tune docs --dataset x --apply --detach", "--apply waits for the report."),
        (f"eval gate {ID} --against {ID}", "No run is worse than itself."),
        ("keys revoke nonsense", "nonsense is not the id of a key."),
        ("summaries show nonsense", "nonsense is not the id of a summary. `knowlog summaries list` shows"),
        (
            "summaries status nonsense",
            "nonsense is not the id of a batch of summaries. `knowlog summaries batches`",
        ),
        ("ask x --filter {", "--filter must be a JSON object"),
        ("aks x", "No such command 'aks'. Did you mean 'ask'? `knowlog"),
    ],
)
def test_a_command_that_is_written_wrongly_is_told_in_a_sentence(
    line: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, on one line, in a pipe too; with --json the same as a problem document on stderr."""
    monkeypatch.setenv("KNOWLOG_KEY", "kl_any")
    monkeypatch.setenv("KNOWLOG_URL", "http://127.0.0.1:9")
    assert run_to_the_end(COMMAND, line.split()) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"Error: {said}")
    assert len(told.err.splitlines()) == 1
    assert run_to_the_end(COMMAND, [*line.split(), "--json"]) == 2
    told = capsys.readouterr()
    problem = json.loads(told.err)
    assert (problem["code"], told.out) == ("usage", "")
    assert problem["detail"].startswith(said)


@pytest.mark.parametrize(
    "line",
    ["search \udcff", "collections show \udcff", "documents list -c \udcff", "feedback give \udcff up"],
)
def test_bytes_that_are_no_text_are_refused_in_a_sentence(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file piped into an argument, say: no traceback, and no word of the server's address."""
    monkeypatch.setenv("KNOWLOG_KEY", "kl_any")
    monkeypatch.setenv("KNOWLOG_URL", "http://127.0.0.1:9")
    assert run_to_the_end(COMMAND, line.split()) == 2
    assert capsys.readouterr().err.startswith("Error: An argument is not valid UTF-8")


def test_json_behind_two_dashes_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """`--` ends the options."""
    assert run_to_the_end(COMMAND, ["documents", "show", "--", "--json"]) == 2
    assert capsys.readouterr().err.startswith("Error: ")


def test_ctrl_c_is_told_and_has_its_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """130, as shells have it; no traceback."""
    impatient = typer.Typer()

    @impatient.command()
    def wait() -> None:
        raise KeyboardInterrupt

    assert run_to_the_end(typer.main.get_command(impatient), []) == 130
    assert capsys.readouterr().err == "Stopped.\n"
