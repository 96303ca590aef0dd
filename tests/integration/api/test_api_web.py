"""The web application as the server answers it: one page, files that never change, and a policy without exceptions."""

import gzip
import re

import pytest
from api_scene import Client, problem

from knowlog.api.web import BUILT, PAGES
from servers import missing

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Encoding": "gzip"}
FIRST_LOAD_BYTES = 200_000
HEAD = ("content-type", "content-length", "cache-control", "etag", "content-security-policy")


@pytest.fixture(autouse=True)
def _built() -> None:
    if not (BUILT / "index.html").is_file():
        missing("the web application is not built: `make web` builds it")


@pytest.mark.parametrize(
    "path", ["/", "/documents", "/documents/0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b", "/accept"]
)
async def test_every_address_of_the_application_answers_the_page(alice: Client, path: str) -> None:
    """So that links can be kept and mailed. It is asked for anew each time."""
    page = await alice.get(path, headers=BROWSER)
    assert page.status_code == 200
    assert '<div id="app">' in page.text
    assert page.headers["cache-control"] == "no-cache"


async def test_the_policy_lets_in_nothing_but_our_own_files(alice: Client) -> None:
    """No inline script or style, no evaluation, no other host; and the page needs none of these."""
    page = await alice.get("/", headers=BROWSER)
    sources = {
        word for part in page.headers["content-security-policy"].split(";") for word in part.split()[1:]
    }
    assert sources == {"'none'", "'self'", "blob:"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text)


async def test_files_are_kept_for_good_and_come_compressed(alice: Client) -> None:
    """Their names change with their content. What a browser does not take compressed comes plain."""
    script = first_scripts()[0]
    packed = await alice.get(f"/assets/{script}", headers=BROWSER)
    plain = await alice.get(f"/assets/{script}", headers={"Accept-Encoding": "identity"})
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "nothing.js", "..%2findex.html", "..%2f..%2fapi%2fweb.py", "x.js.gz", "long" * 99 + ".js"
    ],
)  # fmt: skip
async def test_nothing_else_is_served(alice: Client, name: str) -> None:
    """Neither other files nor folders."""
    problem(await alice.get(f"/assets/{name}"), 404, "not-found")


async def test_who_asks_for_the_head_alone_gets_it(alice: Client) -> None:
    """As a CDN does, and who looks whether a link leads anywhere; it is the one that the whole has."""
    for path in ("/", "/documents", "/people/keys", f"/assets/{first_scripts()[0]}"):
        head, whole = await alice.head(path, headers=BROWSER), await alice.get(path, headers=BROWSER)
        assert (head.status_code, head.content) == (200, b"")
        assert {each: head.headers[each] for each in HEAD} == {each: whole.headers[each] for each in HEAD}


async def test_programs_get_what_they_got(alice: Client) -> None:
    """The page is for browsers; an unknown address of the API stays a problem document, whoever asks."""
    assert (await alice.get("/")).json()["name"] == "knowlog"
    problem(await alice.get("/v1/nothing", headers=BROWSER), 404, "not-found")


async def test_an_address_that_is_none_is_told_by_the_page(alice: Client) -> None:
    """A person who mistyped sees words and a way on; a program still gets its problem document."""
    page = await alice.get("/nowhere", headers=BROWSER)
    assert (page.status_code, page.headers["cache-control"]) == (404, "no-cache")
    assert '<div id="app">' in page.text
    problem(await alice.get("/nowhere"), 404, "not-found")


def test_the_first_load_is_small() -> None:
    """The script that a browser fetches before it can ask, compressed: the entry, what it imports, and the page Ask."""
    wanted = [*first_scripts(), *(each.name for each in (BUILT / "assets").glob("Ask-*.js"))]
    wanted += [each.name for each in (BUILT / "assets").glob("Uploader-*.js")]
    sizes = {name: len(gzip.compress((BUILT / "assets" / name).read_bytes())) for name in set(wanted)}
    assert sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes


def test_the_pages_that_the_application_has_are_those_that_are_answered() -> None:
    """An address in the menu that the server does not know could not be reloaded."""
    source = (BUILT.parents[2] / "web/src/pages.ts").read_text()
    named = {path.strip("/") for path in re.findall(r'path: "(/[^"]*)"', source)} - {""}
    assert named <= set(PAGES)


def first_scripts() -> list[str]:
    """The scripts that the page names."""
    return re.findall(r'/assets/([\w.-]+\.js)"', (BUILT / "index.html").read_text())
