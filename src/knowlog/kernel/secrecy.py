"""What makes a secret easy to guess, and how one stands in an address."""

from urllib.parse import unquote, urlsplit

ENCODE = "In a user name or password, / ? # and @ are written as %2F %3F %23 and %40."
"""For who wrote an address that cannot be read. What is wrong with it is not repeated: it may be part of a password."""
_LEAST_CHARACTERS = 32
_LEAST_DIFFERENT = 10
_LEAST_PASSWORD = 8
_DEFAULTS = frozenset((
    "admin", "administrator", "changeme", "change-me", "change_me", "default", "example", "guest", "insecure", "kafka",
    "knowlog", "letmein", "minioadmin", "passw0rd", "password", "postgres", "postgresql", "qwerty", "rabbitmq", "redis",
    "root", "secret", "test", "user", "12345678", "123456789",
))  # fmt: skip


def weakness_of_secret(secret: str) -> str | None:
    """Say what is wrong with a secret that machines keep, such as "has fewer than 32 characters"; None: nothing."""
    if _is_default(secret):
        return "is a word that everybody tries"
    if len(secret) < _LEAST_CHARACTERS:
        return f"has fewer than {_LEAST_CHARACTERS} characters"
    if len(set(secret)) < _LEAST_DIFFERENT:
        return "repeats a few characters"
    return None


def weakness_of_password(url: str) -> str | None:
    """Say what is wrong with the password in an address; None: nothing, or there is none in it."""
    try:
        password = unquote(urlsplit(url).password or "")
    except ValueError:
        return None
    if not password:
        return None
    if _is_default(password):
        return "has a password that everybody tries"
    return (
        f"has a password of fewer than {_LEAST_PASSWORD} characters"
        if len(password) < _LEAST_PASSWORD
        else None
    )


def _is_default(secret: str) -> bool:
    plain = secret.lower().strip("0123456789!.-_ ")
    return not _DEFAULTS.isdisjoint((secret.lower(), plain))
