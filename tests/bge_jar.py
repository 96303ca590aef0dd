"""The jar with the weights of bge, as `make services-install` brings it."""

from pathlib import Path

from servers import missing

_HOME = Path(__file__).parents[1] / ".services" / "bge"


def bge_jar() -> Path:
    """Return its path; without it the test is skipped."""
    jars = list(_HOME.glob("*.jar"))
    if not jars:
        missing(f"{_HOME} has no jar: `make services-install` brings one")
    return jars[0]
