"""Tasks that go on for ever, until they are cancelled."""

import asyncio


def asked_to_end() -> bool:
    """Say whether somebody has cancelled the present task.

    A library may turn the cancellation into an error of its own, for example while it connects. A loop that survives
    errors asks this before each round, or it would go on for ever.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
