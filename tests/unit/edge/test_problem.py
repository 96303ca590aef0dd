"""Errors as problem documents."""

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from knowlog.edge.problem import as_error, problem_document, response
from knowlog.kernel.errors import LimitReached, Misconfigured, NotFound, TooLarge, Unauthenticated


def test_a_problem_says_what_and_why() -> None:
    """All members of RFC 9457 that a program needs, and the extra ones of the error."""
    made = problem_document(NotFound("There is no such document.", hint="list them"), "abc")
    assert made == {
        "type": "urn:knowlog:problem:not-found", "title": "Not found", "status": 404,
        "detail": "There is no such document.", "code": "not-found", "request_id": "abc", "hint": "list them",
    }  # fmt: skip


def test_the_status_decides_the_headers() -> None:
    """401 says how to authenticate, 429 and 503 when to come back."""
    assert response(Unauthenticated("No."), "x").headers["www-authenticate"] == "Bearer"
    assert response(LimitReached("Later.", retry_after_s=4.6), "x").headers["retry-after"] == "5"
    assert response(NotFound("No."), "x").headers["content-type"] == "application/problem+json"


def test_an_unknown_error_tells_nothing_of_the_inside() -> None:
    """What nobody expected is 500 without its words."""
    error = as_error(RuntimeError("password=hunter2 in /srv/app.py"))
    assert error.status == 500
    assert "hunter2" not in error.detail


def test_a_misconfigured_server_does_not_tell_strangers_how() -> None:
    """The operator reads the reason in the log, the caller does not."""
    assert "postgres" not in as_error(Misconfigured("postgres://user:secret@db refuses")).detail


def test_an_error_inside_the_reading_of_a_body_keeps_its_kind() -> None:
    """FastAPI wraps what goes wrong while it reads a body; the wrapping is taken off."""
    wrapped = HTTPException(400, "There was an error parsing the body")
    wrapped.__cause__ = TooLarge("Too much.")
    assert as_error(wrapped).status == 413


def test_validation_is_one_sentence_with_places() -> None:
    """The first problem is the sentence; all of them are listed."""
    error = as_error(RequestValidationError([
        {"type": "missing", "loc": ("body", "question"), "msg": "Field required", "input": {}},
        {"type": "extra_forbidden", "loc": ("body", "x"), "msg": "Not permitted", "input": 1},
    ]))  # fmt: skip
    assert error.detail == "question is missing (1 more below)."
    assert [found["where"] for found in error.extra["errors"]] == ["question", "x"]


def test_a_list_is_not_called_empty_because_of_its_wrong_entries() -> None:
    """What is wrong in it is left out before its length is looked at."""
    short = {"type": "too_short", "loc": ("body", "names"), "msg": "", "input": [], "ctx": {"min_length": 1}}
    wrong = {"type": "missing", "loc": ("body", "names", 0), "msg": "", "input": {}}
    assert [each["where"] for each in as_error(RequestValidationError([wrong, short])).extra["errors"]] == [
        "names.0"
    ]
    assert "empty" in as_error(RequestValidationError([short])).detail


def test_malformed_json_is_400() -> None:
    """JSON that cannot be read is no validation error."""
    error = as_error(RequestValidationError([
        {"type": "json_invalid", "loc": ("body", 3), "msg": "JSON", "input": {},
         "ctx": {"error": "unexpected end."}},
    ]))  # fmt: skip
    said = "The body is not valid JSON: unexpected end at character 3. Correct it there."
    assert (error.status, error.detail) == (400, said)


def test_what_does_not_fit_json_does_not_break_the_answer() -> None:
    """Extra members of any type are written as text."""
    assert orjson.loads(response(NotFound("No.", where={1, 2}), "x").body)["where"] == "{1, 2}"
