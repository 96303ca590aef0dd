"""Promise 6: a hostile file costs its own child process and nothing else, and ends with a reason."""

import asyncio
import io
import os
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from knowlog.ingestion import ParsingSettings
from knowlog.ingestion.parsing import Parser
from knowlog.kernel.errors import KnowlogError, ParseFailed, TooLarge, Unavailable, UnsupportedType

GOOD = b"<h1>Good</h1><p>An innocent page.</p>"


def office(part: str, content: bytes) -> bytes:
    """Return an Office container with one part."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(part, content)
    return buffer.getvalue()


def laughs() -> bytes:
    """Return XML of ten entities, each ten of the one before."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11))
    return f'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY l0 "lol">{entities}]><z>&l10;</z>'.encode()


async def outcome_of(parser: Parser, content: bytes, name: str) -> str:
    """Return the text of a file, or the sentence that refuses it; any other error is a failure."""
    try:
        return (await parser.parse(content, name, None)).text
    except (ParseFailed, UnsupportedType) as error:
        return error.detail


HOSTILE = {
    "bomb.docx": lambda: office("word/document.xml", bytes(600_000_000)),
    "long-run.docx": lambda: office("word/document.xml", b"<w:document><w:t>" + b"a" * 100_000_000),
    "laughs.xml": laughs,
    "laughs.docx": lambda: office("word/document.xml", laughs()),
    "deep.html": lambda: b"<div>" * 200_000 + b"x" + b"</div>" * 200_000,
    "deep.xml": lambda: b"<a>" * 200_000 + b"x" + b"</a>" * 200_000,
    "deep-slide.pptx": lambda: office("ppt/presentation.xml", b"<a>" * 300_000 + b"</a>" * 300_000),
    "attributes.html": lambda: b"<p " + b"a=1 " * 500_000 + b">x",
    "nul.txt": lambda: b"before\0after " * 200,
    "nul.pdf": lambda: b"%PDF-1.7\n" + bytes(1_000_000),
    "brackets.pdf": lambda: b"%PDF-1.7\n1 0 obj\n" + b"[" * 2_000_000,
    "truncated.pdf": lambda: b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
    "quotes.csv": lambda: b'"' * 5_000_001,
    "marks.md": lambda: b"# \n" * 500_000 + b"=" * 500_000 + b"\n" + b"-" * 500_000,
    "fences.md": lambda: b"```\n~~~\n" * 200_000,
    "stars.html": lambda: b"<p>" + b"*" * 300_000 + b"[" * 300_000 + b"&" * 300_000 + b"</p>",
    "lines.vtt": lambda: b"WEBVTT\n\n" + b"<" * 500_000 + b"-->" * 100_000,
    "parts.eml": lambda: (
        b"From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 200_000
    ),
    "nested.eml": lambda: b"Content-Type: message/rfc822\n\n" * 50_000 + b"x",
    "names.rtf": lambda: b"{\\rtf1 " + b"{" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_file_ends_and_harms_nothing(parser: Parser, name: str):
    """It ends in time in a text or a sentence, our memory stays, and the next file is read."""
    content = HOSTILE[name]()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    outcome = await outcome_of(parser, content, name)
    assert outcome.strip()
    assert "\0" not in outcome
    assert "Traceback" not in outcome
    assert time.monotonic() - start < 25
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000
    assert (await parser.parse(GOOD, "good.html", None)).title == "Good"


async def test_a_single_line_of_fifty_megabytes_is_refused_by_its_length(parser: Parser):
    """More text than a document may have ends with the limit in the reason."""
    with pytest.raises(ParseFailed, match="20,000,000 characters"):
        await parser.parse(b"word " * 10_000_000, "line.txt", None)


async def test_a_long_single_line_within_the_limit_is_read(parser: Parser):
    """Ten megabytes without a line end are a text like any other."""
    parsed = await parser.parse(b"word " * 2_000_000, "line.txt", None)
    assert len(parsed.text) == 10_000_000


async def test_a_file_that_takes_too_long_is_ended():
    """The reason names the limit; the innocent file beside it, with a fresh child, is read."""
    hasty = Parser(ParsingSettings(timeout_s=0.001))
    with pytest.raises(ParseFailed, match=r"longer than 0\.001 s"):
        await hasty.parse(b"<p>x</p>" * 100_000, "slow.html", None)
    await hasty.close()


async def test_a_file_that_needs_too_much_memory_is_ended():
    """The reason names memory; the parser goes on."""
    small = Parser(ParsingSettings(memory_mb=512, timeout_s=30))
    with pytest.raises(ParseFailed):
        await small.parse(office("xl/workbook.xml", b"<a>" * 60_000_000), "swell.xlsx", None)
    assert (await small.parse(GOOD, "good.html", None)).title == "Good"
    await small.close()


async def test_more_bytes_than_allowed_are_refused_before_anything_is_read():
    """Too large says how large it may be."""
    strict = Parser(ParsingSettings(max_file_mb=1))
    with pytest.raises(TooLarge, match="limit is 1 MB"):
        await strict.parse(b"x" * 2_000_000, "a.txt", None)


async def test_many_files_at_once_are_read_each_by_itself(parser: Parser):
    """Good and bad files mixed: every good one is read."""
    files = [GOOD, b"%PDF-1.7 broken", laughs(), GOOD] * 5
    results = await asyncio.gather(
        *(
            parser.parse(content, f"{number}.html" if content == GOOD else "x", None)
            for number, content in enumerate(files)
        ),
        return_exceptions=True,
    )
    assert [getattr(result, "title", None) for result in results[0::4] + results[3::4]] == ["Good"] * 10
    assert all(isinstance(result, KnowlogError) for result in results[1::4])


async def test_a_killed_reading_process_is_not_the_fault_of_the_file():
    """When the process that reads is ended from outside, the file may be tried again, and then is read."""
    own = Parser(ParsingSettings())
    await own.parse(GOOD, "good.html", None)
    task = asyncio.create_task(own.parse(office("word/document.xml", b"<w>" * 20_000_000), "a.docx", None))
    await asyncio.sleep(0.1)
    os.kill(own._sandbox.pid, 9)
    with pytest.raises(Unavailable):
        await task
    assert (await own.parse(GOOD, "good.html", None)).title == "Good"
    await own.close()


async def test_an_idle_reading_process_ends():
    """It costs memory only while files come."""
    own = Parser(ParsingSettings(idle_s=0.05))
    await own.parse(GOOD, "good.html", None)
    assert own._sandbox.pid is not None
    for _ in range(100):
        await asyncio.sleep(0.05)
        if own._sandbox.pid is None:
            break
    assert own._sandbox.pid is None
    assert (await own.parse(GOOD, "good.html", None)).title == "Good"
    await own.close()


async def test_no_process_is_left_after_close():
    """Closing ends the reading process at once."""
    own = Parser(ParsingSettings())
    await own.parse(GOOD, "good.html", None)
    pid = own._sandbox.pid
    await own.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_plain_text_needs_no_process():
    """Text is decoded in place, in far less time than a process takes."""
    own = Parser(ParsingSettings())
    await own.parse(b"# Title\n\nText", "a.md", None)
    assert own._sandbox.pid is None


@pytest.mark.skipif(
    sys.platform != "linux", reason="what a process knows is read from /proc, which only Linux has"
)
async def test_the_reading_process_knows_no_secret(parser: Parser, monkeypatch: pytest.MonkeyPatch):
    """Its environment holds no setting of ours, and no descriptor but its own."""
    monkeypatch.setenv("KNOWLOG_DATABASE_URL", "postgresql://secret")
    own = Parser(ParsingSettings())
    await own.parse(GOOD, "good.html", None)
    try:
        environment = Path(f"/proc/{own._sandbox.pid}/environ").read_bytes()
        descriptors = len(list(Path(f"/proc/{own._sandbox.pid}/fd").iterdir()))
    except PermissionError:
        pytest.skip("the kernel hides the process even from us, as it should")
    finally:
        await own.close()
    assert b"KNOWLOG" not in environment
    assert descriptors <= 8


CONFINED = """
import os, socket
from knowlog.formats.confine import Allowance, confine_for_good, confine_for_one_file
import knowlog.formats.landlock as landlock
confine_for_good()
confine_for_one_file(Allowance(2**30, 5))
if not landlock.read_nothing_but_code():
    print("no landlock"); raise SystemExit
def refused(action):
    try: action()
    except OSError: return True
    return False
print(
    refused(lambda: open(SECRET).read()),
    refused(lambda: open(SECRET + ".new", "w").write("x")),
    refused(lambda: socket.create_connection(("127.0.0.1", PORT), timeout=2)),
    refused(lambda: os.kill(os.getppid(), 0)),
)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="Landlock, which confines the reader, is part of Linux alone"
)
async def test_a_reader_that_was_taken_over_reaches_nothing(tmp_path: Path):
    """It can read no file of ours, write none, connect to nothing and signal nobody."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    script = CONFINED.replace("SECRET", repr(str(secret))).replace("PORT", str(port))
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False
    )
    server.close()
    if done.stdout.strip() == "no landlock":
        pytest.skip(
            "this kernel has no Landlock, which came with Linux 5.13: the reader is not confined by it here"
        )
    assert done.stdout.split() == ["True"] * 4, done.stderr


async def test_every_hostile_file_of_the_collection_ends(parser: Parser, documents_data: Path):
    """Bombs, loops, fuzzed, encrypted and truncated files of other projects: each in time, none harms us."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in sorted((documents_data / "hostile").iterdir()):
        assert await outcome_of(parser, path.read_bytes(), path.name), path.name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000
