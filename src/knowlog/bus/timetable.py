"""When something is due that is due again and again: a cron expression in a time zone, or every so many seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from knowlog.kernel.errors import Invalid
from knowlog.kernel.wording import counted

_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Timetable:
    """Either `cron` (five fields, Vixie's rules, in `timezone`) or `every_s`."""

    cron: str | None = None
    every_s: int | None = None
    timezone: str = "UTC"

    def check(self) -> None:
        """Raise Invalid, saying which part cannot be."""
        if (self.cron is None) is (self.every_s is None):
            raise Invalid(
                'A schedule needs either cron, such as "0 3 * * *", or every_s, a number of seconds.'
            )
        self._zone()
        if self.cron is not None:
            self._simulated(datetime(2026, 1, 1, tzinfo=self._zone()))

    def next_after(self, moment: datetime, last: datetime | None = None) -> datetime:
        """The first time that is due after `moment`. Every so many seconds is counted from `last`, the time that was due
        before, so that it does not drift; however many were missed, there is one next. Raises Invalid.
        """
        if self.every_s is not None:
            step = timedelta(seconds=self.every_s)
            begin = last or moment
            return begin + step * max(1, (moment - begin) // step + 1)
        simulated = self._simulated(moment.astimezone(self._zone()))
        try:
            return next(simulated)
        except StopIteration as error:
            raise self._never() from error

    def _simulated(self, moment: datetime) -> CronSim:
        assert self.cron is not None
        try:
            if len(self.cron.split()) != _FIELDS:  # six would begin with seconds
                raise CronSimError(f"it has {counted(len(self.cron.split()), 'field')}")
            return CronSim(self.cron, moment)
        except CronSimError as error:
            raise Invalid(
                f"{self.cron!r:.100} is no cron expression: {error}."
                " Its five fields are minute, hour, day of the month, month, day of the week:"
                " 0 3 * * * is every day at 3:00."
            ) from error

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid(
                f"There is no time zone {self.timezone!r:.100}. Give one such as Europe/Berlin, or UTC."
            ) from error

    def _never(self) -> Invalid:
        return Invalid(f"{self.cron!r:.100} is never due.")
