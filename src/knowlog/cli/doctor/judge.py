"""Whether answers can be judged for faithfulness."""

from collections.abc import AsyncIterator

from knowlog.cli.doctor.model import Finding, fail, ok
from knowlog.faithfulness import open_judge
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings

_PART = "judge"


async def check_judge(settings: Settings) -> AsyncIterator[Finding]:
    """Have one claim judged, as a run would. A language model is asked once."""
    judge = open_judge(settings.faithfulness)
    try:
        judgement = await judge.judge("How long?", "It lasts two years.", ["It lasts two years."])
        yield ok(_PART, f"{judgement.judge} judges answers")
    except KnowlogError as error:
        yield fail(
            _PART, error.detail, "Correct the KNOWLOG_FAITHFULNESS_ settings that `knowlog config` shows."
        )
    finally:
        await judge.close()
