"""The parts of an Office document (ECMA-376, part 2): which of them another one names, and the words of its drawings."""

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from xml.etree.ElementTree import Element, ParseError  # names of types alone: defusedxml reads  # nosec B405

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from knowlog.formats.containers import read_member
from knowlog.formats.decoding import normalise
from knowlog.formats.model import Limits, damaged
from knowlog.kernel.errors import ParseFailed

DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_D = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_CHART, _DIAGRAM = "/chart", "/diagramData"
_MOST_POINTS = 200
"""A chart of more points draws what was measured; of such a one its titles and the names of its series are read."""

_DAY_0 = date(1899, 12, 30)
_DATED = re.compile(r"[dy]", re.IGNORECASE)
"""In the format of numbers that count days."""

Rows = Sequence[Sequence[str]]


def part_xml(archive: zipfile.ZipFile, name: str, limits: Limits) -> Element:
    """Read a part. Raises ParseFailed where it is no XML, or defines entities."""
    content = read_member(archive, name, limits)
    try:
        root: Element = fromstring(content, forbid_dtd=True)
        return root
    except DefusedXmlException as error:
        raise damaged("an Office document", "its XML defines entities") from error
    except ParseError as error:
        raise damaged("an Office document", str(error)) from error


def relations_of(
    archive: zipfile.ZipFile, names: frozenset[str], part: str, limits: Limits
) -> dict[str, tuple[str, str]]:
    """Return relation id -> (type, target part) of a part; links that leave the file are not followed."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in names:
        return {}
    found = {}
    for relation in part_xml(archive, relations, limits):
        if relation.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
            found[relation.get("Id", "")] = (relation.get("Type", ""), target)
    return found


def drawn(
    archive: zipfile.ZipFile, names: frozenset[str], relations: Mapping[str, tuple[str, str]], limits: Limits
) -> dict[str, Rows]:
    """Return the words of the charts and diagrams that a part names, by the relation's id.

    Of a chart they are rows of cells, under the names of its series; of a diagram, rows of one cell. A drawing that
    cannot be read has none: the document is worth more than its picture.
    """
    found: dict[str, Rows] = {}
    for name, (kind, target) in relations.items():
        if target in names and kind.endswith((_CHART, _DIAGRAM)):
            try:
                root = part_xml(archive, target, limits)
            except ParseFailed:
                continue
            found[name] = list(_chart_rows(root) if kind.endswith(_CHART) else _diagram_rows(root))
    return {name: rows for name, rows in found.items() if rows}


def _chart_rows(root: Element) -> Iterator[list[str]]:
    """The title, then a row for each category with the values of all series (ECMA-376, part 1, 21.2)."""
    title = root.find(f"{_C}chart/{_C}title")
    series = list(root.iter(f"{_C}ser"))
    categories = next(filter(None, (_points(each, "cat", "xVal") for each in series)), {})
    values = [_points(each, "val", "yVal") for each in series]
    names = [" ".join(_points(each, "tx").values()) or words_of(each.find(f"{_C}tx")) for each in series]
    head = ["" if title is None else words_of(title), *names]
    if any(head):
        yield head
    indices = sorted({index for each in (categories, *values) for index in each})
    for index in indices if len(indices) * len(series) <= _MOST_POINTS else ():
        yield [categories.get(index, ""), *(each.get(index, "") for each in values)]


def _points(series: Element, *places: str) -> dict[int, str]:
    """Index -> text of a series' names, categories or values as they are kept; of several levels, of the lowest."""
    held = next((found for place in places if (found := series.find(f"{_C}{place}")) is not None), None)
    if held is None:
        return {}
    level = held.find(f".//{_C}lvl")
    dated = _DATED.search(held.findtext(f".//{_C}formatCode") or "") is not None
    return {
        int(index): _figure(point.findtext(f"{_C}v") or "", dated)
        for point in (held if level is None else level).iter(f"{_C}pt")
        if (index := point.get("idx", "")).isdecimal() and len(index) < 10
    }


def _figure(text: str, dated: bool) -> str:
    """A number without the digits that binary fractions leave behind, or the day that it stands for; else the text."""
    try:
        number = float(text)
        return str(_DAY_0 + timedelta(days=int(number))) if dated else f"{number:.10g}"
    except (ValueError, OverflowError):
        return " ".join(normalise(text).split())


def _diagram_rows(root: Element) -> Iterator[list[str]]:
    """The text of each point of a diagram (SmartArt; ECMA-376, part 1, 21.4)."""
    for point in root.iter(f"{_D}pt"):
        if words := words_of(point):
            yield [words]


def words_of(holder: Element | None) -> str:
    """Return the text of the paragraphs that an element of a drawing holds, in one line."""
    if holder is None:
        return ""
    paragraphs = (
        "".join(text.text or "" for text in each.iter(f"{DRAWING}t")) for each in holder.iter(f"{DRAWING}p")
    )
    return " ".join(normalise(" ".join(paragraphs)).split())
