"""Whether a schema may take the place of a published one of the same version.

It may, when everything that was written under the old one fits the new, and everything written under the new one fits
the old: stored events are read by new processes, and readers hold on to the schema they know. So a member may be added
if it may be absent; all else must stay as it is. Texts for people may change.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_FOR_PEOPLE = {"description", "title", "examples", "$comment"}
_OPEN = ("properties", "required")


def incompatibilities(published: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Say what in `current` breaks the contract that `published` is; empty when nothing does."""
    return list(_compare(_inlined(published, published), _inlined(current, current), "data"))


def _compare(old: Any, new: Any, place: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_members(old, new, place)
        for keyword in sorted((old.keys() | new.keys()) - _FOR_PEOPLE - set(_OPEN)):
            if keyword not in old or keyword not in new:
                yield f"{place}: {keyword} was {'added' if keyword in new else 'removed'}"
            else:
                yield from _compare(old[keyword], new[keyword], f"{place}: {keyword}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            yield from _compare(before, after, place)
    elif old != new or type(old) is not type(new):
        yield f"{place} changed from {old} to {new}"


def _compare_members(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    had_to, has_to = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() - after.keys()):
        yield f"{place}.{name} was removed or renamed"
    for name in sorted(after.keys() - before.keys()):
        if name in has_to:
            yield f"{place}.{name} was added without a default"
    for name in sorted(before.keys() & after.keys()):
        if (name in had_to) != (name in has_to):
            yield f"{place}.{name} {'may now be absent' if name in had_to else 'must now be there'}"
        yield from _compare(before[name], after[name], f"{place}.{name}")


def _inlined(node: Any, root: Mapping[str, Any], within: tuple[str, ...] = ()) -> Any:
    """The schema with each reference replaced by what it refers to; one that holds itself is cut off there."""
    if isinstance(node, list):
        return [_inlined(each, root, within) for each in node]
    if not isinstance(node, dict):
        return node
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    if not name:
        return {key: _inlined(each, root, within) for key, each in node.items() if key != "$defs"}
    if name in within:
        return {"$ref": name}
    beside = {key: each for key, each in node.items() if key != "$ref"}
    return _inlined({**root["$defs"][name], **beside}, root, (*within, name))
