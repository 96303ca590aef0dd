"""The server with a certificate: TLS 1.2 and later, and nothing else."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trustme
import uvicorn
from api_scene import Client

from knowlog.api import create_api
from knowlog.api.server import configuration, listen, run_server
from knowlog.bootstrap import App
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import load_settings


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of these tests."""
    return trustme.CA()


@pytest.fixture(scope="module")
async def port(
    app: App, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[int]:
    """The port of a server with a certificate for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(folder / "key.pem")
    made.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    edge = app.settings.api.model_copy(
        update={"tls_certificate": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}
    )
    api = create_api(replace(app, settings=replace(app.settings, api=edge)))
    listener = listen(edge)
    server = uvicorn.Server(configuration(api, edge))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_call_by_tls(port: int, authority: trustme.CA, alice: Client) -> None:
    """With a key, an answer, and the word to come by TLS from now on."""
    async with Client(
        verify=trusting(authority), base_url=f"https://localhost:{port}", trust_env=False
    ) as http:
        answer = await http.get("/v1/collections", headers={"Authorization": alice.headers["authorization"]})
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_without_tls_nothing_is_answered(port: int) -> None:
    """No redirect either, after which a key would have travelled in clear unnoticed."""
    async with Client(base_url=f"http://localhost:{port}", trust_env=False) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/health/live")


async def test_old_versions_and_weak_ciphers_are_refused(port: int, authority: trustme.CA) -> None:
    """TLS 1.1, and TLS 1.2 without forward secrecy."""
    old = trusting(authority)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    weak = trusting(authority)
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-GCM-SHA256:AES256-SHA")
    for context in (old, weak):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("localhost", port, ssl=context)


async def test_silent_handshakes_keep_nobody_waiting(port: int, authority: trustme.CA) -> None:
    """Two hundred clients that connect and say nothing."""
    silent = [await asyncio.open_connection("localhost", port) for _ in range(200)]
    async with Client(
        verify=trusting(authority), base_url=f"https://localhost:{port}", trust_env=False
    ) as http:
        assert (await http.get("/health/live")).status_code == 200
    for _, writer in silent:
        writer.close()


async def test_a_certificate_that_cannot_be_used_is_told_before_anything_starts(tmp_path: Path) -> None:
    """In a sentence that names the settings."""
    (tmp_path / "cert.pem").write_text("no certificate")
    settings = load_settings(
        {"KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_API_TLS_CERTIFICATE": str(tmp_path / "cert.pem"),
         "KNOWLOG_API_TLS_KEY": str(tmp_path / "key.pem")}
    )  # fmt: skip
    with pytest.raises(Misconfigured, match="KNOWLOG_API_TLS_CERTIFICATE"):
        await run_server(settings)
