"""The family tree of everything that can go wrong.

KnowlogError
├── Misconfigured        a setting or the machine must be changed by the operator (exit code 2)
├── BadRequest           the request cannot be read                              400
├── Unauthenticated      no key, or one that is not valid                        401
├── Forbidden            the key is valid and may not do this                    403
├── NotFound             absent, or not yours: nobody can tell the two apart     404
├── Conflict             clashes with what is there                              409
├── PreconditionFailed   If-Match named another state                            412
├── TooLarge             more bytes than the limit                               413
├── UnsupportedType      a kind of file that no parser reads                     415
├── Invalid              well-formed, but a value is out of range                422
├── ParseFailed          the file could not be turned into text                  422
├── LimitReached         too many requests or too much stored; later it works    429
├── InternalError        our fault                                               500
├── Unavailable          something that this rests on is down; later it works    503
└── StorageFull          the disk of the originals is full; later it works       507

Each sentence says what is wrong and what to do. `permanent` tells a worker whether trying again can help.
"""

from typing import Any, ClassVar


class KnowlogError(Exception):
    """Base of every error that a person may read. `extra` becomes further members of the problem document."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"
    permanent: ClassVar[bool] = True

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class Misconfigured(KnowlogError):
    """The operator must change a setting or the machine before this can work."""

    code = "misconfigured"


class BadRequest(KnowlogError):
    """The request cannot be read at all."""

    status, code = 400, "bad-request"


class Unauthenticated(KnowlogError):
    """No credentials, or credentials that are not (or no longer) valid."""

    status, code = 401, "unauthenticated"


class Forbidden(KnowlogError):
    """The caller is known and may not do this."""

    status, code = 403, "forbidden"


class NotFound(KnowlogError):
    """Absent, or not visible to the caller."""

    status, code = 404, "not-found"


class Conflict(KnowlogError):
    """The change clashes with what is stored."""

    status, code = 409, "conflict"


class PreconditionFailed(KnowlogError):
    """If-Match named a state that is no longer the present one."""

    status, code = 412, "precondition-failed"


class TooLarge(KnowlogError):
    """More bytes than the limit allows."""

    status, code = 413, "too-large"


class UnsupportedType(KnowlogError):
    """No parser reads this kind of file."""

    status, code = 415, "unsupported-type"


class Invalid(KnowlogError):
    """The request is well-formed and a value in it is not acceptable."""

    status, code = 422, "invalid"


class ParseFailed(KnowlogError):
    """A file could not be turned into text; the reason is for the person who uploaded it."""

    status, code = 422, "parse-failed"


class LimitReached(KnowlogError):
    """Too much for now. `retry_after_s` in extra says when to come back."""

    status, code, permanent = 429, "limit-reached", False


class InternalError(KnowlogError):
    """A fault of ours."""

    status, code, permanent = 500, "internal", False


class Unavailable(KnowlogError):
    """Something this rests on does not answer; the same call may work later."""

    status, code, permanent = 503, "unavailable", False


class StorageFull(KnowlogError):
    """There is no room for more bytes; the same call works when there is."""

    status, code, permanent = 507, "storage-full", False


def foreseen(error: Exception) -> KnowlogError:
    """The error, or what stands for one that nobody foresaw: a sentence for a person, with its name."""
    if isinstance(error, KnowlogError):
        return error
    return InternalError(
        f"An unexpected fault: {error!r:.300}. Try again; if it comes again, report it with the log."
    )
