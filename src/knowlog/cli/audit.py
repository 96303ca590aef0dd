"""`knowlog audit`: who did what, when, from where."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from knowlog.cli.connection import connect, connect_operator
from knowlog.cli.options import AsJson, Key, Limit, OperatorKey, Url
from knowlog.cli.output import emit, emit_list, out, readable, say, show, table
from knowlog.kernel.errors import Invalid, KnowlogError
from knowlog.kernel.wording import counted

if TYPE_CHECKING:
    from knowlog.cli.client import Client
    from knowlog.tenants import Verdict

app = typer.Typer(help="The audit log: list, export, head, verify.", no_args_is_help=True)

OfOperator = Annotated[
    bool, typer.Option("--operator", help="The operator's own chain, of what was done to tenants.")
]
OfSilo = Annotated[
    str | None, typer.Option("--silo", help="With --operator: the chain of this silo instead of the home's.")
]
Action = Annotated[str | None, typer.Option("--action", help="Only this action, such as key.created.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Only by this principal, such as key:0199...")]
Subject = Annotated[str | None, typer.Option("--subject", "-s", help="Only what was done to this.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Only from this moment on, as 2027-01-31T00:00:00Z.")
]
Until = Annotated[str | None, typer.Option("--until", help="Only before this moment.")]


@app.command("list")
def list_records(
    action: Action = None,
    actor: Actor = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    operator: OfOperator = False,
    silo: OfSilo = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """List records, newest first."""
    wanted = {"action": action, "actor": actor, "subject": subject, "since": since, "until": until}
    with _client(operator, url, key, operator_key) as client:
        found = client.listed(_place(operator), limit, silo=silo, **wanted)
    emit_list(found, as_json, _render)


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(help="JSON Lines are written here. [default: stdout]")
    ] = None,
    since: Since = None,
    until: Until = None,
    operator: OfOperator = False,
    silo: OfSilo = None,
    url: Url = None,
    key: Key = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Write all records, oldest first, as JSON Lines that `knowlog audit verify` checks.

    Each line is one record as it was hashed, with its hash. With --json, a line at the end says how many there were.
    """
    with _client(operator, url, key, operator_key) as client:
        records = client.pages(_place(operator), order="oldest", since=since, until=until, silo=silo)
        count = _write(file, records)
    told = {"records": count, "file": None if file is None else str(file)}
    if as_json and file is not None:
        emit(told, as_json, lambda _: None)
    elif file is not None:
        say(f"{counted(count, 'record')} written to {file}.")


@app.command()
def head(
    operator: OfOperator = False,
    silo: OfSilo = None,
    url: Url = None,
    key: Key = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Print where the chain ends, as NUMBER:HASH. Keep it elsewhere: `verify --anchor` needs it."""
    with _client(operator, url, key, operator_key) as client:
        found = client.get(f"{_place(operator)}/head", silo=silo)
    emit(found, as_json, lambda value: out.print(f"{value['sequence']}:{value['hash']}", markup=False))


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An exported file. [default: the server's own records]")
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor", "-a", help="NUMBER:HASH as `knowlog audit head` printed it; may be repeated."
        ),
    ] = None,
    operator: OfOperator = False,
    silo: OfSilo = None,
    url: Url = None,
    key: Key = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Check the chain of hashes: that no record was changed, moved, left out or cut off. Exit code 1 if one was."""
    from knowlog.tenants import Anchor  # here, as it brings the database along, which no other command needs
    from knowlog.tenants import verify as verify_chain

    anchors = [Anchor(*_anchor(each)) for each in anchor or ()]
    if file is not None:
        verdict = verify_chain(_read(file), anchors)
    else:
        with _client(operator, url, key, operator_key) as client:
            end = client.get(f"{_place(operator)}/head", silo=silo)
            records = client.pages(_place(operator), order="oldest", silo=silo)
            verdict = verify_chain(records, [Anchor(end["sequence"], end["hash"]), *anchors])
    emit(_told(verdict), as_json, _render_verdict)
    if verdict.problems:
        raise typer.Exit(1)


def _client(operator: bool, url: str | None, key: str | None, operator_key: str | None) -> "Client":
    return connect_operator(url, operator_key) if operator else connect(url, key)


def _place(operator: bool) -> str:
    return "/v1/operator/audit" if operator else "/v1/audit"


def _write(file: Path | None, records: Iterable[dict[str, Any]]) -> int:
    """Write records as JSON Lines. Returns how many."""
    try:
        with nullcontext(sys.stdout.buffer) if file is None else file.open("xb") as written:
            return sum(bool(written.write(_line(each))) for each in records)
    except FileExistsError as error:
        raise Invalid(f"{file} is there already. Give another name.") from error
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}.") from error


def _line(record: dict[str, Any]) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _read(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield _parsed(file, number, line)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error


def _parsed(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Invalid(f"Line {number} of {file} is no record. Give a file that `knowlog audit export` wrote.")
    return value


def _anchor(given: str) -> tuple[int, str]:
    number, _, digest = given.partition(":")
    if not number.isdigit() or len(digest) != 64:
        raise KnowlogError(
            f"{given!r:.100} is no anchor. Give NUMBER:HASH as `knowlog audit head` prints it."
        )
    return int(number), digest


def _told(verdict: "Verdict") -> dict[str, Any]:
    end = {"sequence": verdict.head.sequence, "hash": verdict.head.hash}
    return {
        "records": verdict.records,
        "first": verdict.first,
        "head": end,
        "whole": not verdict.problems,
        "problems": verdict.problems,
    }


def _render_verdict(told: dict[str, Any]) -> None:
    for problem in told["problems"]:
        say(problem)
    if told["problems"]:
        return
    begun = "" if told["first"] in (0, 1) else f" from {told['first']} on; what came before was not looked at"
    out.print(f"{counted(told['records'], 'record')}{begun}: the chain is whole.", markup=False)
    out.print(f"{told['head']['sequence']}:{told['head']['hash']}", markup=False)


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["sequence"], each["at"], each["action"], each["actor"], each["subject"], readable(each["detail"]),
         each["address"]]
        for each in listed["items"]
    )  # fmt: skip
    show(table((">No.", "When", "Action", "Who", "To what", "Detail", "From"), rows))
