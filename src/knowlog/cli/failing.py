"""How a command ends that fails: one sentence on stderr, with --json a problem document, and an exit code."""

import errno
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import typer
from pydantic import ValidationError

from knowlog.cli.answered import Refused
from knowlog.cli.interruptible import Interrupted
from knowlog.cli.output import json_line, printable, say
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.kernel.wording import wrong_with

_NOT_ONE_OF = re.compile(r"(?:Value error, )?('.*') is not one of (.*?)\.?")
_NO_TEXT = (
    "An argument is not valid UTF-8, so it cannot be sent. Write it in UTF-8; only names of files may not be."
)
FAILED, MISUSED, INTERRUPTED = 1, 2, 130
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FromClick: type[Exception] = typer.BadParameter.__mro__[2]  # ClickException, of whichever click typer brings


def run_to_the_end(command: Any, arguments: Sequence[str]) -> int:
    """Run a command with its arguments. Returns the exit code; whatever goes wrong has been told."""
    as_json = _wants_json(arguments)
    try:
        code = _code(command.main(args=list(arguments), prog_name="knowlog", standalone_mode=False))
        return code if code != INTERRUPTED else _stopped(as_json)
    except (Interrupted, KeyboardInterrupt):
        return _stopped(as_json)
    except typer.Abort:
        sys.stderr.write("" if as_json else "\n")  # ends the line of the question
        return _fail(as_json, FAILED, "not-confirmed", "Nothing was done. --yes goes without the question.")
    except _FromClick as error:
        return _misused(as_json, error)
    except (KnowlogError, UnicodeError, TypeError) as error:
        unsent = isinstance(error.__cause__ or error, UnicodeError | TypeError)
        if unsent and any(map(_odd, arguments)):
            return _fail(as_json, MISUSED, "usage", _NO_TEXT)
        if not isinstance(error, KnowlogError):
            raise
        return _failed(as_json, error)
    except BrokenPipeError:  # what reads our output has seen enough
        _write_no_more()
        return FAILED
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _write_no_more()
        sentence = f"It cannot be written: {error.strerror}. Make room on that disk, or write to another."
        return _fail(as_json, FAILED, "no-room", sentence)


def _write_no_more() -> None:
    """What is still on its way to the output goes nowhere."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _odd(argument: str) -> bool:
    """Whether an argument holds bytes that are no UTF-8, which Python keeps as lone surrogates."""
    return any("\udc80" <= each <= "\udcff" for each in argument)


def _stopped(as_json: bool) -> int:
    return _fail(as_json, INTERRUPTED, "interrupted", "Stopped.")


def _code(returned: object) -> int:
    return returned if isinstance(returned, int) else 0


def _wants_json(arguments: Sequence[str]) -> bool:
    return "--json" in arguments[: arguments.index("--") if "--" in arguments else None]


def _misused(as_json: bool, error: Any) -> int:
    """Tell that a command was written wrongly; a group without a command shows its help instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return MISUSED  # its help has been printed
    if not isinstance(error, typer.BadParameter):
        sentence = str(error.format_message()).rstrip(".")
        sentence += "" if sentence.endswith("?") else "."
    elif error.param is None:  # one of ours, which says it all
        return _fail(as_json, MISUSED, "usage", str(error.message))
    else:
        sentence = f"{_name(error.param)} {_wrong(error)}."
    context = getattr(error, "ctx", None)
    hint = f" `{context.command_path} --help` shows how it is used." if context else ""
    return _fail(as_json, MISUSED, "usage", sentence + hint)


def _name(parameter: Any) -> str:
    return str(parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper())


def _wrong(error: Any) -> str:
    """What is wrong with a value, where the parser of the command line leaves it to a validator to say."""
    if not error.message:
        return "is missing"
    if choice := _NOT_ONE_OF.fullmatch(error.message):
        return f"must be one of {choice[2].replace(chr(39), '')}, not {choice[1]}"
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValidationError):
        return wrong_with(cause.errors()[0])
    return wrong_with({"type": "", "msg": error.message})


def _failed(as_json: bool, error: KnowlogError) -> int:
    code = MISUSED if isinstance(error, Misconfigured) else FAILED
    if isinstance(error, Refused) and error.problem:
        return _fail(as_json, code, error.code, error.detail, error.problem)
    return _fail(as_json, code, error.code, error.detail)


def _fail(
    as_json: bool, exit_code: int, code: str, detail: str, problem: dict[str, Any] | None = None
) -> int:
    """Tell what went wrong: `problem` is the server's own document of it, if it was the server that refused."""
    if as_json:
        made = {
            "type": f"urn:knowlog:problem:{code}",
            "title": code.replace("-", " ").capitalize(),
            "detail": detail,
            "code": code,
            **(problem or {}),
        }
        sys.stderr.write(json_line(made, sys.stderr) + "\n")
    else:
        say(detail if exit_code == INTERRUPTED else f"Error: {detail}")
        for each in ((problem or {}).get("errors") or ())[1:]:  # the first is in the sentence
            say(f"  {printable(each['where'])} {printable(each['problem'])}")
    return exit_code
