"""The product that is played against: the whole application on a database of its own, sockets and processes."""

import asyncio
import json
import os
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter_ns
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from isolation_oracle import Got, Oracle, Person, Tally, speaks_of_the_engine

from knowlog.api import create_api
from knowlog.api.server import configuration, listen
from knowlog.bootstrap import App, open_app
from knowlog.database import EmbeddedServer
from knowlog.settings import load_settings
from knowlog.tenants import Sessions
from knowlog.workers import Worker

OPERATOR = Person("operator", "operator", "the-operator-of-the-isolation-tests")
_PATIENCE_S = 60


class World:
    """One application with its people. Every answer passes `judge`."""

    def __init__(self, app: App, address: str, tally: Tally) -> None:
        self.app, self.address, self.tally = app, address, tally
        self.api = create_api(app)
        self.oracle = Oracle()

    def judge(self, who: Person | None, got: Got, asked: str) -> Got:
        """Hold an answer against the dictionary. Raises Leak."""
        seen = got.body + repr(got.headers).encode()
        if who != OPERATOR and (beyond := self.oracle.beyond(who, seen, got.said)):
            self.tally.leak(
                f"{asked} gave {who} what is not theirs: {[_around(seen, each) for each in beyond]}"
            )
        if speaks_of_the_engine(got.body):
            self.tally.leak(f"{asked} told {who} of the engine: {got.body[:2000]!r}")
        if got.status >= 500:
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
        **headers: str,
    ) -> Got:
        """Call the application without a network."""
        sent = b"" if body is None else json.dumps(body).encode()
        scope = _request(who, method, path, sent, headers)
        begun = perf_counter_ns()
        status, answered, content = await _exchange(self.api, scope, sent)
        self.tally.count(surface)
        said = b"%s %s %r" % (path.encode(), sent, headers.values())
        got = Got(status, answered, content, said, perf_counter_ns() - begun)
        return self.judge(who, got, f"{method} {path}")

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

    async def heard(
        self,
        who: Person,
        reader: asyncio.StreamReader,
        path: str,
        for_s: float,
        enough: asyncio.Event | None = None,
    ) -> bytes:
        """Read a stream until it ends, for so long at most, or until it is enough, and judge all of it."""
        heard = bytearray()

        async def read() -> None:
            while piece := await reader.read(65536):
                heard.extend(piece)

        tasks = [asyncio.create_task(each) for each in (read(), *([enough.wait()] if enough else []))]
        await asyncio.wait(tasks, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.judge(who, Got(200, {}, bytes(heard), path.encode(), 0), f"stream {path}")
        return bytes(heard)

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
    if who is not None:
        sent_headers.append((b"authorization", f"Bearer {who.secret}".encode()))
    sent_headers += [
        (name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()
    ]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": plain, "raw_path": plain.encode(), "root_path": "", "query_string": query.encode(),
        "headers": sent_headers, "client": ("127.0.0.1", 1), "server": ("knowlog.test", 80),
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


async def throw_away_database(server: EmbeddedServer, template: str | None) -> tuple[str, str]:
    """Make a database: empty, or a copy. Returns the addresses for the application and for its owner."""
    name = f"isolation_{uuid4().hex}"
    owner = await asyncpg.connect(server.url("postgres"))
    await owner.execute(f"create database {name}" + (f" template {template}" if template else ""))
    await owner.execute(f"alter database {name} set synchronous_commit = off")
    await owner.close()
    return tuple(server.url(login).replace("/knowlog?", f"/{name}?") for login in ("knowlog", "postgres"))


async def drop_database(server: EmbeddedServer, url: str) -> None:
    """Remove it with everything in it."""
    owner = await asyncpg.connect(server.url("postgres"))
    await owner.execute(f"drop database {urlsplit(url).path[1:]} with (force)")
    await owner.close()


@asynccontextmanager
async def open_world(urls: tuple[str, str], folder, tally: Tally) -> AsyncIterator[World]:
    """Open the application with a worker, and a server for what only a socket shows. Few connections serve everybody."""
    environ = {
        "KNOWLOG_DATA_DIR": str(folder), "KNOWLOG_DATABASE_URL": urls[0], "KNOWLOG_DATABASE_OWNER_URL": urls[1],
        "KNOWLOG_EMBEDDING_MODEL": "fake", "KNOWLOG_API_OPERATOR_KEY": OPERATOR.secret, "KNOWLOG_API_PORT": "0",
        "KNOWLOG_API_STREAM_HEARTBEAT_S": "0.05", "KNOWLOG_API_WRONG_KEYS_PER_MINUTE": "1000000",
        "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": "127.0.0.1", "KNOWLOG_SECRETS_KEY": b64encode(os.urandom(32)).decode(),
        "KNOWLOG_DATABASE_POOL_SIZE": "6", "KNOWLOG_API_CONCURRENCY": "512", "KNOWLOG_API_TENANT_SHARE": "1",
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(load_settings(environ)))
        listener = listen(app.settings.api)
        world = World(app, "http://{}:{}".format(*listener.getsockname()), tally)
        stop = asyncio.Event()
        worker = asyncio.create_task(Worker(app).run(stop))
        server = uvicorn.Server(configuration(world.api, app.settings.api))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield world
        finally:
            stop.set()
            server.should_exit = True
            await asyncio.gather(worker, serving, return_exceptions=True)
            await world.api.state.progress.close()
