"""Lets each wheel carry the web application built, without a Node.js on the machine."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuild(BuildHookInterface[Any]):
    """Builds it before the files of the wheel are gathered. An editable install is left alone: there `make` builds what
    has changed, and the server answers a page that says so where nothing is built.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build. Ends the making of a wheel with a sentence where that cannot be done."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root) / "web"))
        from build import NotBuilt, build

        try:
            build()
        except NotBuilt as error:
            raise SystemExit(f"Error: {error}") from error
        build_data["artifacts"].append("/src/knowlog/web")
