"""What the clock goes by: a schedule that is in the code alone (`portal/celery.py`), and nothing kept in a file."""

from datetime import timedelta

from celery import beat
from celery.schedules import crontab

LONG_AGO = timedelta(days=2)


class Clock(beat.Scheduler):
    """Remembers nothing. The usual one keeps its times in a file, and killed while it writes could never start again.

    At its start all is due but what has its time of the day, for tasks find their work by query. So a clock that is killed
    again and again comes to its rarer tasks too.
    """

    def setup_schedule(self) -> None:
        super().setup_schedule()
        for entry in self.schedule.values():
            if not isinstance(entry.schedule, crontab):
                entry.last_run_at = entry.default_now() - LONG_AGO
