"""Passwords: which are taken, how they are kept, and which are known to attackers."""

import hashlib
from pathlib import Path

import pytest

from knowlog.kernel.errors import Invalid
from knowlog.tenants.passwords import check_own_words, check_password, hash_password, is_known, is_password


async def test_a_password_is_kept_as_owasp_recommends() -> None:
    """argon2id with 19 MiB, two passes and one lane; a salt for each."""
    kept = await hash_password("correct horse")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await is_password("correct horse", kept)
    assert not await is_password("Correct horse", kept)
    assert kept != await hash_password("correct horse")


async def test_nobody_has_no_password() -> None:
    """Neither none nor a broken hash is matched by anything."""
    assert not await is_password("nobody's password", None)
    assert not await is_password("", "not a hash")


async def test_the_same_characters_are_the_same_password() -> None:
    """However they are composed."""
    assert await is_password("Zu\u0308rich 8000", await hash_password("Z\u00fcrich 8000"))


@pytest.mark.parametrize("password", ["1234567", "x" * 1025])
def test_only_the_length_of_a_password_is_ruled(password: str) -> None:
    """8 to 1,024 characters, of any kind."""
    with pytest.raises(Invalid):
        check_password(password, None)
    for fine in ("12345678", "x" * 1024, "        ", "\U0001f511" * 8):
        check_password(fine, None)


@pytest.mark.parametrize(
    "password",
    ["Knowlog-2026!", "b.hale#1987", "fernhillFERNHILL", "KnowlogFernhill1", "\uff42.hale99"],
)
def test_words_of_ones_own_are_no_password(password: str) -> None:
    """The product's name and parts of one's address, however written and joined; with other words they are one."""
    with pytest.raises(Invalid, match="your own address"):
        check_own_words(password, "b.hale@fernhill.example")
    for fine in ("12345678", f"{password} horse", "hail storm"):
        check_own_words(fine, "b.hale@fernhill.example")


def digests(*words: str) -> list[str]:
    return sorted(hashlib.sha1(each.encode()).hexdigest().upper() for each in words)


@pytest.mark.parametrize("form", ["plain", "sorted", "folder"])
def test_known_passwords_are_found(tmp_path: Path, form: str) -> None:
    """In each of the forms that such lists have; every one of them, and nothing else."""
    words = [f"password{number}" for number in range(500)]
    known = tmp_path / "known"
    if form == "plain":
        known.write_text("\n".join(words))
    elif form == "sorted":
        known.write_text("".join(f"{each}:{number}\r\n" for number, each in enumerate(digests(*words))))
    else:
        known.mkdir()
        for each in digests(*words):
            with (known / f"{each[:5]}.txt").open("a") as file:
                file.write(f"{each[5:]}:3\n")
    assert [each for each in words if not is_known(each, known)] == []
    assert not is_known("correct horse battery staple", known)
    with pytest.raises(Invalid, match="list"):
        check_password(words[0], known)
