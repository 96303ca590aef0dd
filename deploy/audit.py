"""Ask the advisories for every pinned version, and tell apart: clean, vulnerable, and not audited at all.

pip-audit passes over packages that its source does not know, and ends with 0. Where the source is a mirror without
advisories, or there is no network, that would read as clean; here it ends with 3 and says so.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parents[1] / "requirements" / "dev.txt"
SOURCES = ("pypi", "osv")
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3


def asked(source: str, pinned: Path) -> list[dict[str, Any]] | None:
    """What pip-audit finds for each package; None where the source cannot be reached."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(pinned), "--no-deps", "--disable-pip"),
        *(
            "--vulnerability-service",
            source,
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--timeout",
            "15",
        ),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return found


def verdict(found: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and lines for a person."""
    audited = [each for each in found if "vulns" in each and "skip_reason" not in each]
    if not audited:
        return NOT_AUDITED, []
    bad = [_line(each, vulnerability) for each in audited for vulnerability in each["vulns"]]
    said = f"{len(audited)} of {len(found)} packages were audited: {len(bad)} advisories."
    return (VULNERABLE if bad else CLEAN), [*bad, said]


def _line(package: dict[str, Any], vulnerability: dict[str, Any]) -> str:
    mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {mended}"


def main() -> int:
    """Ask one source after the other until one knows the packages."""
    for source in SOURCES:
        code, lines = verdict(asked(source, PINNED) or [])
        if code != NOT_AUDITED:
            sys.stdout.write("\n".join(lines) + "\n")
            return code
    sys.stdout.write(
        "NOT AUDITED: no source of advisories could be reached (the package index is a mirror without them, or there is"
        " no network). Run `make audit` where pypi.org or api.osv.dev answers.\n"
    )
    return 0 if "--unreachable-will-do" in sys.argv else NOT_AUDITED


if __name__ == "__main__":
    sys.exit(main())
