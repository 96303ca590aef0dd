"""A certified OpenID provider in a process of its own, and the browser of somebody who goes through it."""

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from time import sleep, time
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.jwk import ECKey, OKPKey, RSAKey

from servers import missing

HOME = Path(__file__).parents[1] / ".services" / "openid"
_SOURCE = Path(__file__).parents[1] / "deploy" / "openid" / "provider.mjs"
_PATIENCE_S = 30


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Provider:
    """oidc-provider on Node.js, with users whose claims a test may change at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    @property
    def is_there(self) -> bool:
        """Whether it can be started. In CI, where everything can be installed, it must be."""
        return (HOME / "node_modules").is_dir() or os.environ.get("CI") == "true"

    def start(self, generation: int = 1, **settings: Any) -> None:
        """Start it, in place of the one that runs, with fresh keys."""
        self.stop()
        if not (HOME / "node_modules").is_dir():
            missing(
                "there is no OpenID provider: `make services-install` fetches it, where Node.js is installed"
            )
        keys = [
            RSAKey.generate_key(2048, {"kid": f"rsa-{generation}", "use": "sig"}),
            ECKey.generate_key("P-256", {"kid": f"ec-{generation}", "use": "sig"}),
            OKPKey.generate_key("Ed25519", {"kid": f"ed-{generation}", "use": "sig"}),
        ]
        self._write("jwks.json", {"keys": [key.as_dict(private=True) for key in keys]})
        self._write("settings.json", settings)
        self.users({})
        # The provider as it is here, with the packages that are installed: a copy beside them may be older.
        with (self._folder / "log").open("wb") as log, _SOURCE.open("rb") as source:
            self._process = subprocess.Popen(
                ["node", "--input-type=module", "-", str(self.port), self._folder],
                cwd=HOME, stdin=source, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time() + _PATIENCE_S
        while b"ready" not in (said := (self._folder / "log").read_bytes()):
            assert time() < deadline, said
            assert self._process.poll() is None, said
            sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def users(self, users: Mapping[str, Mapping[str, Any]]) -> None:
        """Say who there is, with which claims."""
        self._write("users.json", users)

    async def registered(self, redirect_uri: str, algorithm: str = "RS256", **more: Any) -> dict[str, str]:
        """A client of this provider: client_id and client_secret."""
        wanted = {"redirect_uris": [redirect_uri], "id_token_signed_response_alg": algorithm, **more}
        async with httpx.AsyncClient(verify=False) as http:
            made = await http.post(f"{self.issuer}/reg", json=wanted)
        assert made.status_code == 201, made.text
        return {name: made.json()[name] for name in ("client_id", "client_secret")}

    def _write(self, name: str, value: object) -> None:
        (self._folder / name).write_text(json.dumps(value))


class _Form(HTMLParser):
    """The form of a page: where it leads, and what is filled in already."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.values = "", dict[str, str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        elif tag == "input" and "name" in given:
            self.values[given["name"]] = given.get("value", "")


def a_browser() -> httpx.AsyncClient:
    """A browser, which keeps the provider's cookies."""
    return httpx.AsyncClient(timeout=30, verify=False)


async def through_provider(address: str, account: str) -> str:
    """Sign in at the provider as a person does, in a browser of its own. Returns where it leads back to."""
    async with a_browser() as browser:
        return await through_provider_in(browser, address, account)


async def through_provider_in(browser: httpx.AsyncClient, address: str, account: str) -> str:
    """The same in a browser that goes on."""
    answer = await browser.get(address)
    for _ in range(10):
        if answer.has_redirect_location:
            led_to = str(answer.url.join(answer.headers["location"]))
            if urlsplit(led_to).netloc != urlsplit(address).netloc:
                return led_to
            answer = await browser.get(led_to)
        else:
            assert answer.status_code == 200, answer.text
            form = _Form(answer.text)
            given = {"login": account, "password": "any"} if "login" in form.values else {}
            answer = await browser.post(str(answer.url.join(form.action)), data={**form.values, **given})
    raise AssertionError(f"the provider leads nowhere: {answer.url}")


async def sign_out_in(browser: httpx.AsyncClient, provider: Provider) -> None:
    """Sign out at the provider, which tells its clients of it."""
    answer = await browser.get(f"{provider.issuer}/session/end")
    form = _Form(answer.text)
    answer = await browser.post(str(answer.url.join(form.action)), data={**form.values, "logout": "yes"})
    assert answer.status_code < 400, answer.text
