"""E-mail (RFC 5322, MIME): subject as title, who and when, the body, and what is attached and readable."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart

from knowlog.formats import registry
from knowlog.formats.decoding import decode, normalise
from knowlog.formats.kinds import EMAIL, Kind, detect
from knowlog.formats.markup import declared_charset, read_html_part
from knowlog.formats.model import Extracted, HeadingMark, Limits, Source, damaged, too_much_text, without_text
from knowlog.kernel.errors import KnowlogError

_SHOWN_FIELDS = ("From", "To", "Cc", "Date")
_MAX_ATTACHMENTS = 50
_MESSAGE = "(a message in a message is not read)"


def read_mail(source: Source, kind: Kind, limits: Limits) -> Extracted:
    """Read one message; an attachment that cannot be read is named, messages in it are not opened."""
    try:
        message = email.message_from_bytes(source.content, policy=email.policy.default)
        subject = _field(message, "Subject")
        body, content = _body(message, limits)
        blocks = [*_opening(message, subject), content]
        attached = list(_attachments(message, body, limits))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(kind.what, str(error)) from error
    return _assemble(subject, blocks, attached, kind, limits)


def _assemble(
    subject: str, blocks: list[str], attached: list[tuple[str, str]], kind: Kind, limits: Limits
) -> Extracted:
    text = "\n\n".join(filter(None, blocks))
    headings = [HeadingMark(1, subject, 0)] if subject else []
    for name, content in attached:
        title = f"Attachment: {name}"
        headings.append(HeadingMark(2, title, len(text) + 2))
        text = f"{text}\n\n## {title}\n\n{content}".rstrip()
        if len(text) > limits.max_chars:
            raise too_much_text(limits)
    if not text.strip():
        raise without_text(kind.what)
    return Extracted(text, kind.media_type, headings=tuple(headings), title=subject or None)


def _field(message: EmailMessage, name: str) -> str:
    return " ".join(normalise(str(message.get(name, ""))).split())[:2000]


def _opening(message: EmailMessage, subject: str) -> Iterator[str]:
    yield f"# {subject}" if subject else ""
    yield "\n".join(f"{name}: {value}" for name in _SHOWN_FIELDS if (value := _field(message, name)))


def _body(message: EmailMessage, limits: Limits) -> tuple[MIMEPart | None, str]:
    """The plain text, or what stands in the HTML where that is absent or empty; and the part that holds it."""
    for wanted in ("plain", "html"):
        part = message.get_body((wanted,))
        if part is not None and (content := _text_of(part, limits)):
            return part, content if wanted == "plain" else read_html_part(content, limits)
    return None, ""


def _text_of(part: MIMEPart, limits: Limits) -> str:
    """In the charset that is named. Some senders name none, or ASCII, of what is none: then its bytes tell."""
    content = _bytes_of(part)
    charset = part.get_content_charset("us-ascii")
    media_type = f"text/plain; charset={charset}" if charset != "us-ascii" else None
    if media_type is None and part.get_content_subtype() == "html":
        media_type = declared_charset(content)
    return decode(content, media_type, limits).strip()


def _bytes_of(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(message: EmailMessage, body: MIMEPart | None, limits: Limits) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each attachment; the text says why when there is none."""
    for count, part in enumerate(_beside(message, body)):
        if count == _MAX_ATTACHMENTS:
            yield "others", f"(not read: they come after {_MAX_ATTACHMENTS} others)"
            return
        name = " ".join(normalise(part.get_filename() or part.get_content_type()).split())[:200]
        if part.get_content_maintype() == "message":
            yield name, _MESSAGE
            continue
        charset = part.get_content_charset()
        media_type = part.get_content_type() + (f"; charset={charset}" if charset else "")
        source = Source(_bytes_of(part), name, media_type)
        yield name, _attachment_text(source, limits)


def _beside(part: MIMEPart, body: MIMEPart | None) -> Iterator[MIMEPart]:
    """What a message holds beside its body, in however many parts within parts: signed messages and Apple's have them.

    Not other forms of the body, nor the pictures in it.
    """
    if part is body:
        return
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        if part.is_attachment() or not _belongs_to_body(part):
            yield part
        return
    for child in part.iter_parts():
        is_other_form = part.get_content_subtype() == "alternative" and all(
            each is not body for each in child.walk()
        )
        for each in _beside(child, body):
            if not is_other_form or each.get_filename() or each.get_content_maintype() != "text":
                yield each


def _belongs_to_body(part: MIMEPart) -> bool:
    if part.get_content_maintype() == "image":
        return "Content-ID" in part
    return part.get_content_type() in ("text/plain", "text/html") and not _bytes_of(part).strip()


def _attachment_text(source: Source, limits: Limits) -> str:
    try:
        kind = detect(source)
        if kind.media_type == EMAIL.media_type:
            return _MESSAGE
        return registry.read(source, kind, limits).text
    except KnowlogError as error:
        return f"(not read: {error.detail})"
