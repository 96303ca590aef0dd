"""Web pages in which much is open at once: by what they leave out, or because they are deep."""

import pytest

from knowlog.formats import Limits, Source, detect, read
from knowlog.formats.shallow import shallow

MANY = 300


def text_of(body: str) -> str:
    source = Source(f"<html><body>{body}</body></html>".encode(), "page.html")
    return read(source, detect(source), Limits()).text


@pytest.mark.parametrize("paragraph", [
    "<p>Word {}", "<div><p>Word {}</div>", "<P>Word {}</p>", "<p><font size=2>Word {}", "<center>Word {}", "<h2>Word {}",
    "<blockquote>Word {}", "<x-y>Word {}", "<span>Word {}<br>", "<div class='a>b'>Word {}",
])  # fmt: skip
def test_what_is_not_ended_hides_nothing(paragraph: str) -> None:
    """HTML allows it of paragraphs; browsers show the rest, too."""
    page = "".join(paragraph.format(n) for n in range(MANY))
    assert [line.strip("#> ") for line in text_of(page).splitlines() if line.strip("> ")] == [
        f"Word {n}" for n in range(MANY)
    ]


@pytest.mark.parametrize(("begun", "ended"), [
    ("<div>", "</div>"), ("<table><tr><td>", "</td></tr></table>"), ("<ul><li>", "</li></ul>"),
    ("<blockquote>a ", "</blockquote>"), ("<section><b>", "</b></section>"),
])  # fmt: skip
@pytest.mark.parametrize("deep", [20, 60, 100, 5000])
def test_nothing_lies_too_deep(begun: str, ended: str, deep: int) -> None:
    """What stands at the bottom of it, before and behind."""
    text = text_of(f"<p>first</p>{begun * deep}zebra{ended * deep}<p>last</p>")
    assert [word for word in text.split() if word.isalpha() and len(word) > 3] == ["first", "zebra", "last"]


def test_what_means_something_is_kept() -> None:
    """Headings, lists, tables and code, in a page that is written anew."""
    page = (
        "<font>" * MANY + "<h1>Title</h1><p>One<p>Two <b>bold</b><ul><li>a<li>b</ul>"
        "<TABLE><TR><TH>x<TH>y<TR><TD>1<TD>2</TABLE><pre>let a\n  b</pre><!-- <p>none -->end"
        "<script>if (a < b) '<p>'</script>"
    )
    plain = text_of(
        "<h1>Title</h1><p>One</p><p>Two bold</p><ul><li>a</li><li>b</li></ul><table><tr><th>x</th><th>y</th></tr>"
        "<tr><td>1</td><td>2</td></tr></table><pre>let a\n  b</pre>end"
    )
    assert text_of(page) == plain
    assert "# Title" in plain


def test_a_page_that_is_not_deep_stays_as_it_is() -> None:
    """However long it is."""
    page = "<div><p>a</p><ul><li>b<li>c</ul><p><b>d</b></p><img src=e><br></div>" * MANY
    assert shallow(page) == page
