"""Bytes to text: what is text already is decoded here, everything else in a child process of its own."""

from knowlog.documents.model import Grid, Heading, Page, ParsedText, Structure
from knowlog.formats import SAFE_IN_PROCESS, Extracted, Limits, Source, detect, read
from knowlog.ingestion.sandbox import Sandbox
from knowlog.ingestion.settings import ParsingSettings
from knowlog.kernel.errors import TooLarge

_IN_PROCESS_BYTES = 64 * 1024  # a few milliseconds of the event loop at most


class Parser:
    """Turns files into text with pages and headings. One per process; call `close` at the end."""

    def __init__(self, settings: ParsingSettings) -> None:
        self._settings = settings
        self._sandbox = Sandbox(settings)
        self._limits = Limits(
            max_chars=settings.max_chars,
            max_pages=settings.max_pages,
            max_unpacked_bytes=settings.max_unpacked_mb * 2**20,
        )

    async def parse(self, content: bytes, filename: str, media_type: str | None = None) -> ParsedText:
        """Return the text of a file.

        `filename` and `media_type` (as claimed by the sender) settle what the bytes leave open. ParseFailed
        says in a sentence for the sender why there is no text; UnsupportedType that no reader takes such
        files; TooLarge that it has too many bytes; Unavailable that no child process could be started.
        """
        self._refuse_too_large(content)
        source = Source(content, filename, media_type)
        kind = detect(source)
        if kind.reader in SAFE_IN_PROCESS and len(content) <= _IN_PROCESS_BYTES:
            return _parsed(read(source, kind, self._limits))
        return _parsed(await self._sandbox.read(source, self._limits))

    async def close(self) -> None:
        """End the child processes."""
        await self._sandbox.close()

    def _refuse_too_large(self, content: bytes) -> None:
        size_mb, limit_mb = len(content) / 2**20, self._settings.max_file_mb
        if size_mb > limit_mb:
            raise TooLarge(f"The file has {size_mb:,.0f} MB; the limit is {limit_mb} MB. Split it.")


def _parsed(extracted: Extracted) -> ParsedText:
    headings = tuple(Heading(mark.level, mark.title, mark.start) for mark in extracted.headings)
    pages = tuple(Page(span.number, span.start, span.end) for span in extracted.pages)
    title = extracted.title or (headings[0].title if headings else None)
    grids = tuple(Grid(*grid) for grid in extracted.grids)
    return ParsedText(extracted.text, Structure(pages, headings, grids), title, extracted.media_type)
