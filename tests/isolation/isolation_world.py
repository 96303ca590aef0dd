"""The product that is played against: the whole application on a database of its own, sockets and processes."""

import asyncio
import json
import os
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter_ns
from urllib.parse import urlsplit
from uuid import UUID

import uvicorn
from isolation_ears import Ear
from isolation_ground import Ground
from isolation_oracle import Got, Oracle, Person, Tally, speaks_of_the_engine

from knowlog.api import create_api
from knowlog.api.server import configuration, listen
from knowlog.bootstrap import App, open_app
from knowlog.database import Database
from knowlog.kernel.errors import Unavailable
from knowlog.settings import load_settings
from knowlog.tenants import Sessions
from knowlog.workers import Worker
from openid_provider import Provider

OPERATOR = Person("operator", "operator", "the-operator-of-the-isolation-tests")
ANNEX = "annex"
"""The silo."""
_PATIENCE_S = 60


class World:
    """One application with its people. Every answer passes `judge`."""

    def __init__(self, app: App, address: str, tally: Tally, ground: Ground, provider: Provider) -> None:
        self.app, self.address, self.tally = app, address, tally
        self.api = create_api(app)
        self.oracle = Oracle()
        self._ground, self._provider = ground, provider
        self._stop = asyncio.Event()
        self._working = [asyncio.create_task(Worker(app).run(self._stop))]
        self._silo: Database | None = None

    async def silo(self) -> Database:
        """The database to which tenants are moved; made, with a worker in it, when it is first asked for."""
        if self._silo is None:
            await self._ground.make_silo()
            self._silo = await self._opened_silo()
            self._working.append(asyncio.create_task(Worker(self.app.at(self._silo)).run(self._stop)))
        return self._silo

    async def _opened_silo(self) -> Database:
        """The silo, for which streams may have looked before there was one: then it is left alone for a moment."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                with suppress(Unavailable):
                    return await self.app.database.silo(ANNEX)
                await asyncio.sleep(0.1)

    async def provider(self) -> Provider:
        """The OpenID provider of all tenants, which runs from now on."""
        if not self._provider.runs:
            await asyncio.to_thread(self._provider.start)
        return self._provider

    @property
    def has_provider(self) -> bool:
        """Whether there is one."""
        return self._provider.is_there

    async def close(self) -> None:
        """Send the workers home."""
        self._stop.set()
        await asyncio.gather(*self._working, self.api.state.progress.close(), return_exceptions=True)

    def judge(self, who: Person | None, got: Got, asked: str, bears: int = 0) -> Got:
        """Hold an answer against the dictionary; a status of 500 or above is one too, but for `bears`. Raises Leak."""
        seen = got.body + repr(got.headers).encode()
        if who != OPERATOR and (beyond := self.oracle.beyond(who, seen, got.said)):
            self.tally.leak(
                f"{asked} gave {who} what is not theirs: {[_around(seen, each) for each in beyond]}"
            )
        if speaks_of_the_engine(got.body):
            self.tally.leak(f"{asked} told {who} of the engine: {got.body[:2000]!r}")
        if got.status >= 500 and got.status != bears:
            self.tally.leak(f"{asked} by {who} broke: {got.status} {got.body[:2000]!r}")
        return got

    async def call(
        self,
        who: Person | None,
        method: str,
        path: str,
        body: object = None,
        *,
        surface: str = "rest",
        bears: int = 0,
        **headers: str,
    ) -> Got:
        """Call the application without a network. `bears`: the one status above 500 that it may answer with."""
        sent = b"" if body is None else json.dumps(body).encode()
        scope = _request(who, method, path, sent, headers)
        begun = perf_counter_ns()
        status, answered, content = await _exchange(self.api, scope, sent)
        self.tally.count(surface)
        said = b"%s %s %r" % (path.encode(), sent, headers.values())
        got = Got(status, answered, content, said, perf_counter_ns() - begun)
        return self.judge(who, got, f"{method} {path}", bears)

    async def good(self, who: Person, method: str, path: str, body: object = None, **headers: str):
        """Call what must succeed; its JSON."""
        got = await self.call(who, method, path, body, **headers)
        if got.status >= 300:
            self.tally.leak(f"{method} {path} was refused to {who}: {got.status} {got.body!r}")
        return got.json() if got.body else None

    async def command(self, who: Person, *words: str) -> Got:
        """Run the command line as `who`, in a process of its own."""
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KNOWLOG_")},
            "KNOWLOG_URL": self.address,
            "KNOWLOG_KEY": who.secret,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "knowlog", *words, env=environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
        self.tally.count("cli")
        got = Got(200 if process.returncode == 0 else 400, {}, output, " ".join(words).encode(), 0)
        return self.judge(who, got, f"knowlog {' '.join(words)}")

    @asynccontextmanager
    async def socket(
        self, who: Person, path: str, method: str = "GET", body: bytes = b""
    ) -> AsyncIterator[asyncio.StreamReader]:
        """Send a request on a connection of its own, which is dropped at the end, whatever is on its way."""
        place = urlsplit(self.address)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {who.secret}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.tally.count("sockets")
        try:
            yield reader
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def ear(self, who: Person, path: str = "/v1/events/stream") -> AsyncIterator[Ear]:
        """Listen to a stream, which has begun; all that is heard is judged at the end."""
        async with self.socket(who, path) as reader:
            ear = Ear(reader)
            listening = asyncio.create_task(ear.listen())
            try:
                await ear.begun()
                yield ear
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                self.judge(who, Got(200, {}, bytes(ear.heard), path.encode(), 0), f"stream {path}")

    async def glimpse(self, who: Person, path: str, method: str, body: bytes, for_s: float) -> None:
        """Send a request, judge what comes in so short a time, and hang up."""
        async with self.socket(who, path, method, body) as reader:
            ear = Ear(reader)
            with suppress(TimeoutError):
                async with asyncio.timeout(for_s):
                    await ear.listen()
            self.judge(who, Got(200, {}, bytes(ear.heard), path.encode(), 0), f"{method} {path}")

    async def session(self, tenant_id: str, member_id: str) -> str:
        """The access token of a session that a member has opened."""
        sessions = Sessions(self.app.database, self.app.vault, self.app.settings.people)
        return (await sessions.open(UUID(tenant_id), UUID(member_id), "password")).access_token


def _around(seen: bytes, secret: str) -> str:
    """What stands before and behind a secret."""
    place = seen.find(secret.encode())
    return seen[max(0, place - 200) : place + 200].decode("utf-8", "replace")


def _request(who: Person | None, method: str, path: str, sent: bytes, headers: dict[str, str]) -> dict:
    plain, _, query = path.partition("?")
    sent_headers = [
        (b"host", b"knowlog.test"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(sent)),
    ]
    if who is not None and who.secret:
        sent_headers.append((b"authorization", f"Bearer {who.secret}".encode()))
    sent_headers += [
        (name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()
    ]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": plain, "raw_path": plain.encode(), "root_path": "", "query_string": query.encode(),
        "headers": sent_headers, "client": (who.address if who else "127.0.0.1", 1), "server": ("knowlog.test", 80),
    }  # fmt: skip


async def _exchange(api, scope: dict, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    pieces: list[bytes] = []
    begun: dict = {}
    coming = [{"type": "http.request", "body": sent, "more_body": False}]

    async def receive() -> dict:
        if coming:
            return coming.pop()
        return await asyncio.get_running_loop().create_future()

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            begun.update(message)
        else:
            pieces.append(message.get("body", b""))

    async with asyncio.timeout(_PATIENCE_S):
        await api(scope, receive, send)
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in begun["headers"]}
    return begun["status"], headers, b"".join(pieces)


@asynccontextmanager
async def open_world(ground: Ground, folder: Path, tally: Tally, provider: Provider) -> AsyncIterator[World]:
    """Open the application with a worker, and a server for what only a socket shows. Few connections serve everybody."""
    environ = {
        "KNOWLOG_DATA_DIR": str(folder),
        "KNOWLOG_DATABASE_URL": ground.url, "KNOWLOG_DATABASE_OWNER_URL": ground.owner_url,
        "KNOWLOG_DATABASE_SILOS": f"{ANNEX}={ground.silo_url}",
        "KNOWLOG_DATABASE_SILO_OWNERS": f"{ANNEX}={ground.silo_owner_url}",
        "KNOWLOG_EMBEDDING_MODEL": "fake", "KNOWLOG_API_OPERATOR_KEY": OPERATOR.secret, "KNOWLOG_API_PORT": "0",
        "KNOWLOG_API_STREAM_HEARTBEAT_S": "0.05", "KNOWLOG_API_WRONG_KEYS_PER_MINUTE": "1000000",
        "KNOWLOG_API_TENANT_HINTS": "header", "KNOWLOG_API_SIGN_ON_PRIVATE_HOSTS": f"127.0.0.1:{provider.port}",
        "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": "127.0.0.1", "KNOWLOG_SECRETS_KEY": b64encode(os.urandom(32)).decode(),
        "KNOWLOG_DATABASE_POOL_SIZE": "6", "KNOWLOG_API_CONCURRENCY": "512", "KNOWLOG_API_TENANT_SHARE": "1",
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(load_settings(environ)))
        listener = listen(app.settings.api)
        world = World(app, "http://{}:{}".format(*listener.getsockname()), tally, ground, provider)
        server = uvicorn.Server(configuration(world.api, app.settings.api))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield world
        finally:
            server.should_exit = True
            await asyncio.gather(world.close(), serving, return_exceptions=True)
