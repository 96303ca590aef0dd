"""What the endpoint of a model means by the status of its answer."""

from dataclasses import dataclass

from knowlog.kernel.errors import KnowlogError, LimitReached, Misconfigured, Unavailable

_LONGEST_PAUSE_S = 3600
"""An endpoint that asks for more is asked again sooner: nobody waits for years because it says so."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """How an endpoint's refusals are told: `what` it is and where, and the settings to look at.

    `pause_s`: the wait that is told where it asks for a pause and does not say how long; None: none. `advice` ends what
    passes by itself.
    """

    what: str
    key_setting: str
    settings: str
    pause_s: int | None = None
    advice: str = ""

    def of(self, status: int, wait: str = "", detail: str = "") -> KnowlogError:
        """Return the error that a status other than 200 is. `wait` is Retry-After, `detail` what the endpoint says."""
        if status in (401, 403):
            return Misconfigured(f"{self.what} refuses the key ({status}): set {self.key_setting}.")
        if status == 429:
            told = min(int(wait[:9]), _LONGEST_PAUSE_S) if wait.isdecimal() else self.pause_s
            extra = {} if told is None else {"retry_after_s": told}
            return LimitReached(f"{self.what} asks for a pause{detail}.{self.advice}", **extra)
        if status >= 500 or status in (408, 409):
            return Unavailable(f"{self.what} fails ({status}{detail}).{self.advice}")
        return Misconfigured(f"{self.what} refuses the request ({status}{detail}): check {self.settings}.")
