"""Messages of others whose properties break the rules of AMQP, or say what Python cannot hold.

pamqp raises where it meets such a message, which breaks the connection: the message comes again with the next one, and
with it all that RabbitMQ had sent ahead. Here such a message is let through with the cause instead of its properties.
"""

from typing import Any

from pamqp import decode, header
from pamqp.commands import Basic

_PREFIX_BYTES = 14
"""Class, weight, size of the body, flags: what stands before the properties."""
_SHOWN_CHARS = 2000

_unmarshal = header.ContentHeader.unmarshal


def decode_tolerantly() -> None:
    """Let pamqp, in this process, take what it cannot decode. Once more is no harm."""
    header.ContentHeader.unmarshal = _tolerant  # type: ignore[method-assign]
    decode.METHODS["shortstr"] = _short_text


def unreadable(content_header: Any) -> tuple[str, str] | None:
    """Why the properties of a message could not be decoded, and what they hold as far as it can be printed."""
    found: tuple[str, str] | None = getattr(content_header, "unreadable", None)
    return found


def _tolerant(self: Any, data: bytes) -> None:
    try:
        _unmarshal(self, data)
    except Exception as error:  # also RecursionError of tables in tables, OverflowError of moments
        self.properties = Basic.Properties()
        held = data[_PREFIX_BYTES:].decode(errors="replace")
        shown = "".join(each if each.isprintable() else "." for each in held)
        self.unreadable = str(error)[:200] or type(error).__name__, shown[:_SHOWN_CHARS]


def _short_text(value: bytes) -> tuple[int, str]:
    """A routing key or an id; those that are not UTF-8 stay apart from each other."""
    end = value[0] + 1
    return end, value[1:end].decode(errors="backslashreplace")
