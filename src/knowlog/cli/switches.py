"""What commands that begin a switch have in common: waiting for it, and showing it."""

import time
from typing import TYPE_CHECKING, Any

from knowlog.cli.output import printable, progress, readable, say
from knowlog.kernel.errors import KnowlogError

if TYPE_CHECKING:
    from knowlog.cli.client import Client

_LOOK_EVERY_S = 0.5


class SwitchFailed(KnowlogError):
    """A switch did not come to a good end; the old profile answers."""

    code = "switch-failed"


def wait_for_switch(client: "Client", switch: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Look until a switch has happened, with a bar where somebody looks on. Raises SwitchFailed."""
    with progress(as_json) as bar:
        task = bar.add_task("Building the index", total=None, note="")
        while switch["state"] in ("waiting", "running"):
            time.sleep(_LOOK_EVERY_S)
            switch = client.get(f"/v1/switches/{switch['switch_id']}")
            bar.update(task, completed=switch["done"], total=switch["total"] or None)
    if switch["state"] != "done":
        raise SwitchFailed(printable(switch["reason"] or f"The switch is {switch['state']}."))
    return switch


def say_switched(switch: dict[str, Any]) -> None:
    """Say what answers now, and how long the way back is open."""
    kept = f" The old index is kept until {readable(switch['kept_until'])}." if switch["kept_until"] else ""
    say(
        f"Collection {switch['collection']} answers by profile version {switch['profile_version'] + 1}.{kept}"
        f" `knowlog collections rollback {switch['collection']}` goes back."
    )
