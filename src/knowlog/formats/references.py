"""References such as `&amp;` in the text of XML, which kreuzberg leaves out of Word documents and of plain XML.

Each is replaced by a character for private use that stands for what it means, until the text is read.
"""

import re

_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_MEANT = str.maketrans({"\ue011": "&", "\ue012": "<", "\ue013": ">"})
_STAND_INS = {ord(sign): stand_in for stand_in, sign in _MEANT.items()}
_TAKEN = dict.fromkeys(_MEANT, "\ufffd")
_TEXT = re.compile(r">[^<>]+")
_REFERENCE = re.compile(
    r"&(?:#(?:x(?P<hex>[0-9a-fA-F]{1,6})|(?P<number>[0-9]{1,7}))|(?P<name>amp|lt|gt|quot|apos));"
)


def without_references(xml: str) -> str:
    """Return XML in whose text nothing is written as a reference. Attributes stay, and what means no character."""
    return _TEXT.sub(lambda text: _REFERENCE.sub(_character, text[0]), xml.translate(_TAKEN))


def without_signs(text: str) -> str:
    """Return text of no XML as it may stand in such XML."""
    return text.translate(_TAKEN).translate(_STAND_INS)


def as_meant(text: str) -> str:
    """Return what was read from such XML with the signs that are meant."""
    return text.translate(_MEANT)


def _character(reference: re.Match[str]) -> str:
    if reference["name"]:
        return _NAMED[reference["name"]].translate(_STAND_INS)
    code = int(reference["hex"], 16) if reference["hex"] else int(reference["number"])
    is_character = (
        code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0xFFFF < code < 0x110000
    )
    return chr(code).translate(_STAND_INS) if is_character else reference[0]
