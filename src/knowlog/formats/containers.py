"""ZIP and OLE containers: which document is inside, how large is it unpacked, does it ask for a password?"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

from olefile import OleFileIO

from knowlog.formats import kinds
from knowlog.formats.kinds import Kind
from knowlog.formats.model import Limits, Source, damaged, encrypted
from knowlog.kernel.errors import ParseFailed, UnsupportedType

_MAX_MEMBERS = 20_000
_ENCRYPTED_FLAG = 0x1
_BY_FOLDER = (("word/", kinds.DOCX), ("xl/", kinds.XLSX), ("ppt/", kinds.PPTX))
_BY_MIMETYPE = {kind.media_type: kind for kind in (kinds.ODT, kinds.ODS, kinds.ODP, kinds.EPUB)}
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, ValueError, OverflowError, RuntimeError, EOFError,
)  # fmt: skip
"""What a damaged or hostile container raises; of RuntimeError, also what asks for a password or an unknown method."""
_BY_STREAM = {  # names of OLE streams, which say themselves alike in small letters and in capitals
    "__properties_version1.0": kinds.MSG,
    "worddocument": kinds.DOC,
    "workbook": kinds.XLS,
    "book": kinds.XLS,
    "powerpoint document": kinds.PPT,
}
_OLE_DOCUMENTS = frozenset(_BY_STREAM.values())
_WORD_97, _WORD_ENCRYPTED = 0xA5EC, 0x0100
_SLIDES_ENCRYPTED = 0xF3D1C4DF
_ARCHIVE = "The file is a ZIP archive: unpack it and upload the files in it."
_NO_ARCHIVES = (
    (re.compile(r"\.fdseq$"), "The file is an XPS document, which is not read: print it to PDF and upload that."),
    (re.compile(r"^(?:Index/.*\.iwa|Index\.zip|index\.apxl|buildVersionHistory\.plist)$"),
     "The file is a document of Pages, Numbers or Keynote, which is not read: export it as PDF and upload that."),
)  # fmt: skip


def kind_in_zip(source: Source, limits: Limits) -> Kind:
    """Return the kind of document that a ZIP container holds.

    ParseFailed when it is damaged, has a password or unpacks to more than the limit; UnsupportedType for an
    archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as archive:
            _refuse_bombs(archive, limits)
            kind = _inside(archive)
            _refuse_passwords(archive, kind)
    except UNREADABLE as error:
        raise damaged("a complete document", str(error)) from error
    return kind


def kind_in_ole(source: Source) -> Kind:
    """Return the kind of document in an OLE container. ParseFailed when it is damaged or has a password; UnsupportedType
    when it is of another program, or of one before 1997.
    """
    try:
        with OleFileIO(io.BytesIO(source.content)) as container:
            names = {each.name.lower() for each in container.root.kids}
            if "encryptedpackage" in names:
                raise encrypted("an Office document")
            kind = next((kind for name, kind in _BY_STREAM.items() if name in names), None)
            if kind is not None:
                _refuse_old_or_encrypted(container, kind)
                return kind
    except (OSError, ValueError, struct.error, RecursionError, IndexError) as error:
        raise damaged("an Office document", str(error)) from error
    if kinds.named_kind(source) in _OLE_DOCUMENTS:
        raise damaged("an Office document", "no known content in its container")
    raise UnsupportedType(kinds.unsupported(source))


def _refuse_old_or_encrypted(container: OleFileIO, kind: Kind) -> None:
    if kind is kinds.DOC:
        version, flags = struct.unpack("<H8xH", container.openstream("WordDocument").read(12))
        if version != _WORD_97:
            raise UnsupportedType(
                "The file is a document of a Word before Word 97, which is not read: save it as .docx and upload that."
            )
        if flags & _WORD_ENCRYPTED:
            raise encrypted(kind.what)
    elif kind is kinds.PPT and container.exists("Current User"):
        head = container.openstream("Current User").read(16)
        if len(head) == 16 and struct.unpack("<12xL", head)[0] == _SLIDES_ENCRYPTED:
            raise encrypted(kind.what)


def read_member(archive: zipfile.ZipFile, name: str, limits: Limits) -> bytes:
    """Return one member of a ZIP container unpacked, never more than the limit, whatever it claims."""
    with archive.open(name) as member:
        content = member.read(limits.max_unpacked_bytes + 1)
    if len(content) > limits.max_unpacked_bytes:
        raise _too_large_unpacked(limits)
    return content


def repacked(
    source: Source, kind: Kind, limits: Limits, kept: Callable[[str], bool], rewrite: Callable[[str, bytes], bytes],
    needs: str | None = None,
) -> Source:  # fmt: skip
    """Return a container with those members alone that are kept, each as `rewrite` has it, given its name and content.

    Raises ParseFailed where a member cannot be unpacked, or the one that it needs is missing; and what `rewrite` raises.
    """
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(source.content)) as given:
            names = dict.fromkeys(filter(kept, given.namelist()))  # else the last of a name, many times
            contents = {name: read_member(given, name, limits) for name in names}
    except UNREADABLE as error:
        raise damaged(kind.what, str(error)) from error
    if needs is not None and needs not in contents:
        raise damaged(kind.what, f"{needs} is missing")
    with zipfile.ZipFile(packed, "w") as plain:
        for name, content in contents.items():
            plain.writestr(name, rewrite(name, content))
    return replace(source, content=packed.getvalue())


def _refuse_bombs(archive: zipfile.ZipFile, limits: Limits) -> None:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise ParseFailed(
            f"The file is a container of more than {_MAX_MEMBERS:,} parts; no document needs as many."
        )
    if sum(member.file_size for member in members) > limits.max_unpacked_bytes:
        raise _too_large_unpacked(limits)


def _refuse_passwords(archive: zipfile.ZipFile, kind: Kind) -> None:
    if any(member.flag_bits & _ENCRYPTED_FLAG for member in archive.infolist()):
        raise encrypted(kind.what)
    if "META-INF/manifest.xml" in archive.namelist():
        with archive.open("META-INF/manifest.xml") as manifest:
            if b"encryption-data" in manifest.read(1_000_000):
                raise encrypted(kind.what)


def _inside(archive: zipfile.ZipFile) -> Kind:
    names = archive.namelist()
    if "mimetype" in names:
        with archive.open("mimetype") as member:
            declared = member.read(200).decode("ascii", "replace").strip()
        kind = _BY_MIMETYPE.get(declared.removesuffix("-template").replace("x-ibooks", "epub"))
        if kind is not None:
            return kind
    if "xl/workbook.bin" in names:
        return kinds.XLSB
    if "[Content_Types].xml" in names:
        for folder, kind in _BY_FOLDER:
            if any(name.startswith(folder) for name in names):
                return kind
    raise UnsupportedType(
        next((said for part, said in _NO_ARCHIVES if any(map(part.search, names))), _ARCHIVE)
    )


def _too_large_unpacked(limits: Limits) -> ParseFailed:
    return ParseFailed(
        f"The file unpacks to more than {limits.max_unpacked_bytes // 2**20:,} MB, the limit"
        " for one document. Split it, or remove what makes it large."
    )
