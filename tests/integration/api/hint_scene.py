"""Calls by any address: to an application that takes every kind of hint about the tenant."""

from dataclasses import replace

import httpx
from api_scene import Client
from fastapi import FastAPI

from knowlog.api import create_api
from knowlog.bootstrap import App

BASE = "knowlog.example.com"
PLACES = {"subdomain", "domain", "path", "header"}


def with_settings(app: App, **changes: object) -> FastAPI:
    """The application under other settings of the edge."""
    edge = type(app.settings.api).model_validate({**dict(app.settings.api), **changes})
    return create_api(replace(app, settings=replace(app.settings, api=edge)))


class Named:
    """Calls with one key, by any address."""

    def __init__(self, api: FastAPI, client: Client, slug: str) -> None:
        self._api, self._authorization, self.slug = api, client.headers["authorization"], slug

    async def get(
        self, path: str = "/v1/collections", host: str = "10.1.1.1", peer: str = "127.0.0.1", **headers: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._api, raise_app_exceptions=False, client=(peer, 5))
        given = {"Authorization": self._authorization, **{n.replace("_", "-"): v for n, v in headers.items()}}
        async with Client(transport=transport, base_url=f"http://{host}") as http:
            return await http.get(path, headers={**given, "Host": host})
