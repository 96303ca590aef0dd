"""Sign-ons by two providers: the certified one, and one that lies; and browsers that go through them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from api_scene import Client, client_of
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from joserfc import jws
from joserfc.jwk import RSAKey

from openid_provider import Provider, free_port, through_provider

KEY = RSAKey.generate_key(2048, {"kid": "liar"})


@dataclass
class Liar:
    """A provider that says what it is told to: in this process, on a real socket, with a key that signs anything."""

    key: RSAKey = field(default_factory=lambda: KEY)
    port: int = field(default_factory=free_port)
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    answers: dict[str, Response] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def describe(self) -> dict[str, Any]:
        """Its own description."""
        named = {name: f"{self.issuer}/{name}" for name in ("authorize", "token", "jwks")}
        return {
            "issuer": self.issuer, "authorization_endpoint": named["authorize"], "token_endpoint": named["token"],
            "jwks_uri": named["jwks"], "response_types_supported": ["code"], **self.discovery,
        }  # fmt: skip

    def id_token(self, nonce: str, client_id: str) -> str:
        """What it says of who signed in."""
        made = int(time())
        said = {
            "iss": self.issuer,
            "aud": client_id,
            "sub": "mallory",
            "nonce": nonce,
            "iat": made,
            "exp": made + 60,
        }
        registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
        head = {"alg": "RS256", "kid": "liar", **self.header}
        return jws.serialize_compact(head, json.dumps({**said, **self.claims}), self.key, registry=registry)

    def app(self) -> FastAPI:
        """It, as a server: a code is nonce and client, with a point between them."""
        app = FastAPI()

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def answer(path: str, request: Request) -> Response:
            self.asked.append(path)
            if path in self.answers:
                return self.answers[path]
            if path.startswith(".well-known"):
                return JSONResponse(self.describe())
            if path == "jwks":
                return JSONResponse({"keys": [self.key.as_dict(private=False)]})
            if path == "userinfo":
                return JSONResponse(self.userinfo)
            self.forms.append(parse_qs((await request.body()).decode()))
            nonce, _, client_id = self.forms[-1]["code"][0].partition(".")
            return JSONResponse(
                {
                    "access_token": "opaque",
                    "id_token": self.id_token(nonce, client_id),
                    "token_type": "Bearer",
                    **self.tokens,
                }
            )

        return app


def through(api: FastAPI, client: Client) -> Client:
    """The same caller, through another application."""
    return client_of(api, client.headers["authorization"].removeprefix("Bearer "))


async def served(app: FastAPI, port: int) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    """Serve an application on loopback."""
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="warning", ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    return server, task


def through_liar(address: str, **more: str) -> str:
    """Where the liar would lead a browser back to, at once."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    code = f"{asked['nonce']}.{asked['client_id']}"
    return str(
        httpx.URL(asked["redirect_uri"]).copy_merge_params({"state": asked["state"], "code": code, **more})
    )


async def add_sign_on(owner: Client, name: str, issuer: str, **terms: Any) -> dict[str, Any]:
    """Add a sign-on; returns what is answered."""
    given = {
        "client_id": "knowlog",
        "client_secret": "a-secret-of-the-client",
        "domains": ["example.com"],
        **terms,
    }
    made = await owner.post("/v1/sign-on", json={"name": name, "issuer": issuer, **given})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def registered_sign_on(
    owner: Client, provider: Provider, name: str = "company", **terms: Any
) -> dict[str, Any]:
    """Add a sign-on and register it at the provider, as an owner does."""
    algorithm = terms.pop("algorithm", "RS256")
    made = await add_sign_on(owner, name, provider.issuer, **terms)
    client = await provider.registered(made["redirect_uri"], algorithm)
    changed = await owner.patch(f"/v1/sign-on/{name}", json=client)
    assert changed.status_code == 200, changed.text
    return made


async def begun(browser: Client, start: str, **query: str) -> str:
    """Begin to sign in; returns where the browser is led."""
    answer = await browser.get(start, params=query)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def signed_on(browser: Client, start: str, account: str, **query: str) -> httpx.Response:
    """Sign in by the provider; returns the answer at the end."""
    return await browser.get(await through_provider(await begun(browser, start, **query), account))


def bearer(api: FastAPI, opened: Mapping[str, Any]) -> Client:
    """A client with the access token of a session."""
    return client_of(api, opened["access_token"])
