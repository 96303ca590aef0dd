"""Passwords: argon2id with the parameters that OWASP recommends, no rules of composition, and a list of known ones.

https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html (19 MiB, 2 passes, 1 lane)
"""

import asyncio
import hashlib
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from knowlog.kernel.errors import Invalid, Misconfigured, Unavailable

LEAST_CHARS, MOST_CHARS = 8, 1024
_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
_AT_ONCE, _MOST_WAITING = 2, 64
_PRODUCT, _SHORTEST_WORD = "knowlog", 3
_BETWEEN_WORDS = re.compile(r"[\W\d_]+")
_POOL = ThreadPoolExecutor(_AT_ONCE, "passwords")
_DIGEST_LINE = re.compile(r"[0-9A-Fa-f]{40}(:\d+)?\s*")
_LARGEST_LIST_BYTES = 256 * 2**20
_waiting = 0


async def hash_password(password: str) -> str:
    """Hash a password for keeping, with a salt of its own. Raises Unavailable when too many are being hashed."""
    return str(await _in_turn(_HASHER.hash, _bytes(password)))


async def is_password(password: str, kept: str | None) -> bool:
    """Whether this is the password that was hashed. Takes as long where there is none."""
    return bool(await _in_turn(partial(_verify, kept), _bytes(password)))


def check_password(password: str, known: Path | None) -> None:
    """Raise Invalid for a password that is too short or too long, or stands in the list of known ones."""
    if not LEAST_CHARS <= len(password) <= MOST_CHARS:
        raise Invalid(f"A password has {LEAST_CHARS} to {MOST_CHARS:,} characters. Any will do.")
    if known is not None and is_known(password, known):
        raise Invalid("This password is in a list of passwords that attackers try. Choose another.")


def check_own_words(password: str, email: str) -> None:
    """Raise Invalid for a password of nothing but words that anybody would try here: the product's name, and what the
    person's own address is made of, whatever digits and signs stand between them.
    """
    rest = letters = _letters(password)
    words = {_PRODUCT, *map(_letters, (email.partition("@")[0], *_BETWEEN_WORDS.split(email)))}
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _SHORTEST_WORD:
            rest = rest.replace(word, "")
    if letters and not rest:
        raise Invalid(
            "This password is made of your own address or of this product's name. Choose another; a few words will do."
        )


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, unicodedata.normalize("NFKC", text).casefold()))


def is_known(password: str, known: Path) -> bool:
    """Whether a list of known passwords has this one. Raises Misconfigured where the list cannot be read."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        if known.is_dir():
            return _in_folder(digest, known)
        with known.open("rb") as file:
            ordered = _DIGEST_LINE.fullmatch(file.readline(200).decode("utf-8", "replace")) is not None
        return _in_file(digest, known) if ordered else bytes.fromhex(digest) in _plain(known)
    except OSError as error:
        raise Misconfigured(f"KNOWLOG_PEOPLE_BREACHED_PASSWORDS: {known} cannot be read: {error}.") from error


def _in_folder(digest: str, folder: Path) -> bool:
    """A file for each prefix of five digits, with the other thirty-five on its lines."""
    for name in (digest[:5], f"{digest[:5]}.txt"):
        if (folder / name).exists():
            return any(
                line[:35].upper() == digest[5:] for line in (folder / name).read_text("ascii").splitlines()
            )
    return False


def _in_file(digest: str, path: Path) -> bool:
    """Search a sorted file of digests, which may be far larger than memory, by halves."""
    wanted = digest.encode()
    with path.open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.readline()  # the rest of the line before
            line = file.readline().strip()[:40].upper()
            if line == wanted:
                return True
            if line and line < wanted:
                low = middle + 1
            else:
                high = middle
        file.seek(0)
        return file.readline().strip()[:40].upper() == wanted


@cache
def _plain(path: Path) -> frozenset[bytes]:
    """The digests of a list of passwords, read once."""
    if path.stat().st_size > _LARGEST_LIST_BYTES:
        raise Misconfigured(
            f"KNOWLOG_PEOPLE_BREACHED_PASSWORDS: {path} is too large to be kept in memory. Give a sorted file of SHA-1."
        )
    with path.open("rb") as file:
        return frozenset(hashlib.sha1(line.rstrip(b"\r\n"), usedforsecurity=False).digest() for line in file)


async def _in_turn(work: object, argument: bytes) -> object:
    """Hash in a thread, few at a time: each takes 19 MiB. Raises Unavailable when too many wait already."""
    global _waiting
    if _waiting >= _MOST_WAITING:
        raise Unavailable(
            "Too many people sign in at this moment. Try again in a few seconds.", retry_after_s=3
        )
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_POOL, work, argument)  # type: ignore[arg-type]
    finally:
        _waiting -= 1


def _verify(kept: str | None, password: bytes) -> bool:
    try:
        return _HASHER.verify(kept or _nobodys(), password) and kept is not None
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """The hash of a password that nobody has."""
    return _HASHER.hash(b"nobody's password")


def _bytes(password: str) -> bytes:
    """The same characters are the same password, however a keyboard composes them (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
