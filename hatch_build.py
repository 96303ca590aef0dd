"""Lets each wheel carry the web application built, without a Node.js on the machine."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuild(BuildHookInterface[Any]):
    """Builds it before the files of the wheel are gathered. An editable install goes without where that fails: the server
    then answers a page that says how to build it.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build. Raises NotBuilt, which ends the making of a wheel with its sentence."""
        sys.path.insert(0, str(Path(self.root) / "web"))
        from build import NotBuilt, build

        try:
            build()
        except NotBuilt as error:
            if version != "editable":
                raise SystemExit(f"Error: {error}") from error
            self.app.display_warning(str(error))
        build_data["artifacts"].append("/src/knowlog/web")
