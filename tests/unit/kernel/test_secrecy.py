"""Which secrets are easy to guess."""

import pytest

from knowlog.kernel.secrecy import weakness_of_password, weakness_of_secret


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "changeme",
        "Password123!",
        "a" * 64,
        "0123456789abcdef0123",
        "abababababababababababababababababab",
    ],
)
def test_short_common_and_repeating_secrets_are_weak(secret: str) -> None:
    """Each with a reason."""
    assert weakness_of_secret(secret)


def test_what_a_generator_makes_is_strong() -> None:
    """As `openssl rand -base64 32` prints it, or in hexadecimal."""
    assert weakness_of_secret("8J3vYtPz1mLq0bWc9sXeRfUgHiKjNoTa2Q4=") is None
    assert weakness_of_secret("5f2b8c01d93e7a64b0c8d7e6f5a49382") is None


@pytest.mark.parametrize(
    "url", ["postgresql://a:postgres@db/x", "amqp://guest:guest@mq", "redis://:x1@r", "http://u:Knowlog1@h"]
)
def test_passwords_in_addresses_are_looked_at(url: str) -> None:
    """Those that everybody tries, and those that are short."""
    assert weakness_of_password(url)


@pytest.mark.parametrize(
    "url", ["postgresql://a@db/x", "127.0.0.1:9092", "postgresql://a:9fK2mZq8@db/x", "http://[::1"]
)
def test_other_addresses_pass(url: str) -> None:
    """Without a password others decide who may come: certificates, the network."""
    assert weakness_of_password(url) is None
