"""ZIP and OLE containers: which document is inside, how large is it unpacked, does it ask for a password?"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

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
_BY_STREAM = (  # names of OLE streams, as their directory spells them
    ("EncryptedPackage", None),
    ("__substg1.0_", kinds.MSG),
    ("WordDocument", kinds.DOC),
    ("Workbook", kinds.XLS),
    ("Book", kinds.XLS),
    ("PowerPoint Document", kinds.PPT),
)


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
    """Return the kind of document in an OLE container; ParseFailed when it is encrypted or none we know."""
    for name, kind in _BY_STREAM:
        if name.encode("utf-16-le") in source.content:
            if kind is None:
                raise encrypted("an Office document")
            return kind
    raise damaged("an Office document", "no known content in its container")


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
        kind = _BY_MIMETYPE.get(declared.removesuffix("-template"))
        if kind is not None:
            return kind
    if "[Content_Types].xml" in names:
        for folder, kind in _BY_FOLDER:
            if any(name.startswith(folder) for name in names):
                return kind
    raise UnsupportedType("The file is a ZIP archive: unpack it and upload the files in it.")


def _too_large_unpacked(limits: Limits) -> ParseFailed:
    return ParseFailed(
        f"The file unpacks to more than {limits.max_unpacked_bytes // 2**20:,} MB, the limit"
        " for one document. Split it, or remove what makes it large."
    )
