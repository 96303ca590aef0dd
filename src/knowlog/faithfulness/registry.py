"""Which judges there are: name -> where its adapter is. It is imported when it is chosen."""

from importlib import import_module

from knowlog.faithfulness.port import Judge
from knowlog.faithfulness.settings import FaithfulnessSettings
from knowlog.kernel.errors import Misconfigured

_JUDGES = {
    "evidence": "knowlog.faithfulness.adapters.evidence_judge:open_evidence_judge",
    "openai": "knowlog.faithfulness.adapters.openai_judge:open_openai_judge",
}


def open_judge(settings: FaithfulnessSettings) -> Judge:
    """Open the judge that the settings name. Raises Misconfigured for one that there is not."""
    place = _JUDGES.get(settings.adapter)
    if place is None:
        raise Misconfigured(
            f"There is no judge {settings.judge!r:.100}: set KNOWLOG_FAITHFULNESS_JUDGE to evidence or openai:NAME."
        )
    module, _, name = place.partition(":")
    judge: Judge = getattr(import_module(module), name)(settings)
    return judge
