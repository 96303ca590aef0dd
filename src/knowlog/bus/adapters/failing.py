"""What the adapters say when a broker does not answer."""

from knowlog.kernel.errors import Unavailable


def unavailable(name: str, why: str) -> Unavailable:
    """The broker of this name does not answer, or not now."""
    return Unavailable(
        f"{name} cannot be reached or used now ({why}). Check that it runs, and KNOWLOG_BUS_URL."
    )
