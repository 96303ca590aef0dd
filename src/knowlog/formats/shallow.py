"""Web pages whose elements nest deeper than kreuzberg looks, which leaves out what lies below and does not say so.

Hardly one of them is deep. They leave out end tags, of paragraphs as HTML allows, or of <font> and <center>; then
everything lies inside of what came before. Such a page is written anew: without the tags that mean nothing to a reader of
its text, and with every end tag. No text is left out.
"""

import re
from collections import Counter

_DEEP = 50
"""kreuzberg looks 64 deep, and reads shallower pages as they are."""
_MOST_OPEN = 40
_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<raw>script|style)\b.*?(?:</(?P=raw)\s*>|\Z)"
    r"|<(?P<end>/?)(?P<name>[a-z][^\s/<>]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>",
    re.IGNORECASE | re.DOTALL,
)
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "wbr")
)
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "data", "dfn", "em", "font", "i", "ins", "kbd", "label",
    "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
))  # fmt: skip
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_HOLDERS = frozenset(("table", "ul", "ol", "dl"))
_GROUPS = frozenset(("thead", "tbody", "tfoot"))
_HELD = _GROUPS | {"tr", "td", "th", "li", "dt", "dd"}
_KEPT = _HEADINGS | _HOLDERS | _HELD | frozenset((
    "aside", "blockquote", "body", "button", "caption", "code", "footer", "head", "header", "html", "iframe", "main",
    "math", "nav", "noscript", "object", "option", "p", "pre", "select", "svg", "template", "textarea", "title",
))  # fmt: skip
_ENDED_BY: dict[str, frozenset[str]] = {
    **dict.fromkeys(_KEPT - {"code"}, frozenset(("p",))),
    **dict.fromkeys(_HEADINGS, _HEADINGS | {"p"}),
    "li": frozenset(("p", "li")),
    **dict.fromkeys(("dt", "dd"), frozenset(("p", "dt", "dd"))),
    **dict.fromkeys(("td", "th"), frozenset(("p", "td", "th"))),
    "tr": frozenset(("p", "td", "th", "tr")),
    **dict.fromkeys(_GROUPS, frozenset(("p", "td", "th", "tr")) | _GROUPS),
    "option": frozenset(("option",)),
}
"""Which open elements a start tag ends without saying so; as HTML has it, and headings end headings."""
_ENDING = _HOLDERS | _HELD
_NOT_ENDED = _HEADINGS | {"p"}
"""What kreuzberg leaves open all the same, as it does what is begun in capitals and ended in small letters."""
_ENDED_THERE = {name: ended - _NOT_ENDED for name, ended in _ENDED_BY.items()}
_BETWEEN = _HOLDERS | _GROUPS | {"tr"}
"""In which stand others, and no text."""
_NONE: frozenset[str] = frozenset()
_BREAK = "<br>"


def shallow(page: str) -> str:
    """Return a page that is not deep, as it is, and one that is, written anew."""
    return _written_anew(page) if _is_deep(page) else page


def _is_deep(page: str) -> bool:
    """Whether more elements are open at once than kreuzberg looks into, which ends few that do not say so."""
    opened: list[str] = []
    for found in _TAG.finditer(page):
        name = found["name"] or ""
        if found["end"]:
            while opened and opened[-1] != name and opened[-1].lower() in _HELD and name.lower() in _ENDING:
                opened.pop()
            if opened[-1:] == [name]:
                opened.pop()
        elif name and not _is_empty(name.lower(), found[0]):
            while opened and opened[-1].lower() in _ENDED_THERE.get(name.lower(), _NONE):
                opened.pop()
            opened.append(name)
            if len(opened) > _DEEP:
                return True
    return False


def _is_empty(name: str, tag: str) -> bool:
    return name in _VOID or tag.endswith("/>")


class _Page:
    """What is written, and the elements that are open in it."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._open: list[str] = []
        self._left_out: Counter[str] = Counter()
        self._holders_left_out = 0

    def start(self, name: str, rest: str) -> None:
        if self._holders_left_out if name in _HELD else len(self._open) >= _MOST_OPEN:
            self._left_out[name] += 1
            self._holders_left_out += name in _HOLDERS
            self.set_apart()
            return
        while self._open and self._open[-1] in _ENDED_BY.get(name, _NONE):
            self._close()
        self._open.append(name)
        self.written.append(f"<{name}{rest}")

    def end(self, name: str) -> None:
        if self._left_out[name]:
            self._left_out[name] -= 1
            self._holders_left_out -= name in _HOLDERS
            self.set_apart()
        elif name in self._open:
            while self._close() != name:
                pass

    def set_apart(self) -> None:
        if self._open and self._open[-1] not in _BETWEEN:
            self.written.append(_BREAK)

    def _close(self) -> str:
        name = self._open.pop()
        self.written.append(f"</{name}>")
        return name


def _written_anew(page: str) -> str:
    new, at = _Page(), 0
    for found in _TAG.finditer(page):
        new.written.append(page[at : found.start()])
        at, name = found.end(), (found["name"] or "").lower()
        if name in _VOID:
            new.written.append(found[0])
        elif name in _INLINE or not name:
            continue
        elif name not in _KEPT or _is_empty(name, found[0]):
            new.set_apart()
        elif found["end"]:
            new.end(name)
        else:
            new.start(name, found[0][1 + len(name) :])
    return "".join([*new.written, page[at:]])
