"""Where the parts of a program begin: by its syntax tree where tree-sitter is installed, else by its indentation.

https://tree-sitter.github.io. A grammar is imported when the first program in its language comes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

GRAMMARS = {
    "python": "tree_sitter_python:language",
    "javascript": "tree_sitter_javascript:language",
    "typescript": "tree_sitter_typescript:language_typescript",
    "tsx": "tree_sitter_typescript:language_tsx",
    "java": "tree_sitter_java:language",
    "go": "tree_sitter_go:language",
    "rust": "tree_sitter_rust:language",
    "c": "tree_sitter_c:language",
    "cpp": "tree_sitter_cpp:language",
}
"""Modules that give a grammar, by language; all come with the extra `code`."""

_OTHER_NAMES = {
    "py": "python", "python3": "python", "js": "javascript", "jsx": "javascript", "mjs": "javascript",
    "ts": "typescript", "golang": "go", "rs": "rust", "c++": "cpp", "cc": "cpp", "hpp": "cpp", "h": "c",
}  # fmt: skip
_MEDIA_TYPE = re.compile(r"text/x-([\w+]+)")
_LARGEST_CHARS = 2_000_000
"""A larger program, which somebody's program wrote, is cut by its indentation."""
_SIGNATURE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Part:
    """A definition, statement or comment at [start, end) of the text, which begins a line; `inner` finds those in it."""

    start: int
    end: int
    signature: str = ""
    inner: Callable[[], list["Part"]] = list


def language_of(media_type: str) -> str | None:
    """Return the language of a file of program text; None for other files."""
    match = _MEDIA_TYPE.fullmatch(media_type)
    name = match and canonical(match[1])
    return name if name in GRAMMARS else None


def canonical(name: str) -> str:
    """Return the name that GRAMMARS has for a language."""
    return _OTHER_NAMES.get(name, name)


def parts(code: str, language: str, offset: int = 0) -> list[Part]:
    """Return the outermost parts of a program in order; `offset` is where it begins in the whole text."""
    parser = _parser(canonical(language)) if len(code) <= _LARGEST_CHARS else None
    if parser is None:
        return list(_by_indentation(code, offset))
    program = _Program(code, offset)
    return program.inside(parser.parse(code.encode("utf-8", "replace")).root_node)


@cache
def _parser(language: str) -> Any:
    """Return the parser of a language, None where it is not installed."""
    module, _, function = GRAMMARS.get(language, "").partition(":")
    try:
        tree_sitter = import_module("tree_sitter")
        grammar = getattr(import_module(module), function)()
    except (ImportError, ValueError, AttributeError):
        return None
    return tree_sitter.Parser(tree_sitter.Language(grammar))


@dataclass(slots=True)
class _Siblings:
    """Nodes that are yet to be looked at, and where the comments begin that wait for what they precede."""

    left: Iterator[Any]
    waiting: int | None = None


class _Program:
    """Program text at an offset of the whole text; its parser counts in bytes of UTF-8."""

    def __init__(self, code: str, offset: int) -> None:
        self._code = code
        self._offset = offset
        self._ends = None if code.isascii() else self._byte_ends(code)

    def inside(self, node: Any) -> list[Part]:
        """Return what begins a line in a node, outermost first; a comment or decorator is one with what it precedes."""
        found: list[Part] = []
        nodes = [
            _Siblings(iter(node.children))
        ]  # not by recursion: programs nest more deeply than Python calls
        while nodes:
            child = next(nodes[-1].left, None)
            if child is None:
                nodes.pop()
                continue
            start = self._index(child.start_byte)
            if not self._begins_line(start):
                if child.start_point.row < child.end_point.row:
                    nodes.append(_Siblings(iter(child.children)))
            elif "comment" in child.type or child.type == "decorator":
                nodes[-1].waiting = start if nodes[-1].waiting is None else nodes[-1].waiting
            elif child.is_named:
                waiting, nodes[-1].waiting = nodes[-1].waiting, None
                found.append(self._part(child, start if waiting is None else waiting))
        return found

    def _part(self, node: Any, start: int) -> Part:
        end = self._index(node.end_byte)
        return Part(
            self._offset + start, self._offset + end, self._signature(node), lambda: self.inside(node)
        )

    def _signature(self, node: Any) -> str:
        """Return the first line of a definition: what a reader of its middle must know."""
        named = node.child_by_field_name("definition") or node
        if named.child_by_field_name("body") is None or named.child_by_field_name("name") is None:
            return ""
        start = self._index(named.start_byte)
        return self._code[start : start + _SIGNATURE_CHARS].partition("\n")[0].strip()

    def _begins_line(self, start: int) -> bool:
        line = self._code.rfind("\n", max(0, start - _SIGNATURE_CHARS), start) + 1
        return not self._code[line:start].strip()

    def _index(self, byte: int) -> int:
        """Return the code point of the program at a byte."""
        return byte if self._ends is None else int(np.searchsorted(self._ends, byte, side="right"))

    @staticmethod
    def _byte_ends(code: str) -> Any:
        points = np.frombuffer(code.encode("utf-32-le", "replace"), np.uint32)
        return np.cumsum(1 + (points > 0x7F) + (points > 0x7FF) + (points > 0xFFFF))


def _by_indentation(code: str, offset: int) -> Iterator[Part]:
    """Yield what begins at the margin behind a blank line, with what is indented below it; in it, its lines."""
    starts = [match.end() for match in re.finditer(r"\n[ \t\r]*\n(?=[^\s)}\]])", code)]
    for start, end in pairwise([0, *starts, len(code)]):
        if code[start:end].strip():
            yield Part(offset + start, offset + end, inner=partial(_lines, code[start:end], offset + start))


def _lines(code: str, offset: int) -> list[Part]:
    starts = [match.end() for match in re.finditer(r"(?:^|\n)(?=[ \t]*\S)", code)]
    return [Part(offset + start, offset + end) for start, end in pairwise([*starts, len(code)])]
