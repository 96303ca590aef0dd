"""`make services` brings the three brokers, and nothing that only tests use."""

import importlib.util
import os
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "services.py"
NOTING = '#!/bin/sh\necho "$(basename "$0") $*" >> {log}\n'


def test_the_brokers_alone_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No language model, no OpenID provider, no browser, no embedding model: only the jars that Kafka lacks here."""
    log, programs = tmp_path / "log", tmp_path / "programs"
    programs.mkdir()
    for name in ("mvn", "npm", "apt-get"):
        (programs / name).write_text(NOTING.format(log=log))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    found = importlib.util.spec_from_file_location("services", SCRIPT)
    assert found is not None
    assert found.loader is not None
    services = importlib.util.module_from_spec(found)
    found.loader.exec_module(services)
    monkeypatch.setattr(services, "HOME", tmp_path / "home")
    (tmp_path / "home").mkdir()
    services.install_brokers()
    fetched = [line for line in log.read_text().splitlines() if not line.startswith("apt-get")]
    assert [line.split()[:5] for line in fetched] == [
        ["mvn", "-q", "-B", "-f", str(SCRIPT.parent / "kafka" / "pom.xml")]
    ]
