"""Hints about the tenant, and what proxies say: read without a server."""

import pytest

from knowlog.edge.hints import Hint, Hints
from knowlog.edge.proxies import heed_proxy
from knowlog.edge.settings import ApiSettings
from knowlog.kernel.errors import BadRequest

BASE = "knowlog.example.com"
ALL = Hints(
    ApiSettings.model_validate(
        {
            "tenant_hints": ["subdomain", "domain", "path", "header"],
            "base_domain": BASE,
            "public_url": "https://kl.example",
        }
    )
)


def read(host: str, path: str = "/v1/search", hints: Hints = ALL) -> tuple[Hint, ...]:
    """The hints of a request."""
    return hints.read({"path": path}, {}, host)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8484",
        "[::1]:8484",
        "localhost",
        "knowlog",
        BASE,
        f"{BASE}.",
        f"{BASE}:443",
        "kl.example",
        "10.0.0.7",
    ],
)
def test_addresses_and_hosts_of_the_installation_name_nobody(host: str) -> None:
    """Probes and commands on the machine itself call by them."""
    assert read(host) == ()


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        (f"acme.{BASE}", Hint("slug", "acme")),
        (f"ACME.{BASE.upper()}.:8484", Hint("slug", "acme")),
        (f"a.b.{BASE}", Hint("slug", "a.b")),
        ("docs.acme.example", Hint("domain", "docs.acme.example")),
        (f"evil{BASE}", Hint("domain", f"evil{BASE}")),
        (f"{BASE}.evil.example", Hint("domain", f"{BASE}.evil.example")),
    ],
)
def test_a_host_names_a_tenant_by_its_slug_or_its_domain(host: str, hint: Hint) -> None:
    """Only what stands below the base domain is a slug."""
    assert read(host) == (hint,)


@pytest.mark.parametrize(
    "host", ["", "a b", "x/../y", "a@b", "a,b", "ä.example", "-", "a:b", "[::1", "a\x00b"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    """Never guessed at."""
    with pytest.raises(BadRequest):
        read(host)


def test_a_host_below_the_base_domain_names_nobody_where_subdomains_are_not_taken() -> None:
    """It is a hint all the same, and one that no tenant fulfils."""
    only = Hints(ApiSettings.model_validate({"tenant_hints": ["domain"], "base_domain": BASE}))
    assert read(f"acme.{BASE}", hints=only) == (Hint(None, ""),)


@pytest.mark.parametrize("path", ["/t/acme", "/t//v1/search", "/tt/acme/v1", "/v1/t/acme"])
def test_other_paths_have_no_prefix(path: str) -> None:
    """They lead nowhere, as before."""
    scope = {"path": path}
    assert ALL.read(scope, {}, "localhost") == ()
    assert scope["path"] == path


def heed(peer: str, trusted: set[str], **headers: str) -> tuple[str, str, str]:
    """(client, scheme, host) as they count for a request from `peer`."""
    scope = {"client": (peer, 1), "scheme": "http"}
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    host = heed_proxy(scope, {b"host": b"own.example", **given}, frozenset(trusted))
    return scope["client"][0], scope["scheme"], host


def test_nobody_is_believed_by_default() -> None:
    """The headers are anybody's to send."""
    told = {"x_forwarded_for": "1.2.3.4", "x_forwarded_proto": "https", "x_forwarded_host": "evil.example"}
    assert heed("10.0.0.1", set(), **told) == ("10.0.0.1", "http", "own.example")
    assert heed("203.0.113.1", {"10.0.0.0/8"}, **told) == ("203.0.113.1", "http", "own.example")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        ("10.0.0.9", "10.0.0.1"),
        ("6.6.6.6, unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_is_the_last_that_no_proxy_of_ours_has(forwarded: str, client: str) -> None:
    """What stands before it, the client wrote."""
    assert heed("10.0.0.1", {"10.0.0.0/8"}, x_forwarded_for=forwarded)[0] == client


def test_a_trusted_proxy_says_scheme_and_host() -> None:
    """So that subdomains and HSTS work behind it."""
    told = {"x_forwarded_proto": "HTTPS", "x_forwarded_host": "acme.example"}
    assert heed("::1", {"::1"}, **told) == ("::1", "https", "acme.example")
    assert heed("::1", {"::1"}, x_forwarded_proto="javascript")[1] == "http"
