"""The clock remembers nothing: at its start all is due, and a killed one leaves nothing that stops the next."""

from pathlib import Path

import pytest
from celery.schedules import crontab

from portal.celery import app
from portal.clock import Clock


def test_at_its_start_everything_is_due_and_afterwards_at_its_interval() -> None:
    clock = Clock(app)
    assert set(clock.schedule) == set(app.conf.beat_schedule)
    entries = [entry for entry in clock.schedule.values() if not isinstance(entry.schedule, crontab)]
    assert entries
    for entry in entries:
        due, _ = entry.is_due()
        assert due, entry.name
        due, wait = next(entry).is_due()
        assert not due
        assert wait > 0


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clock = Clock(app, schedule_filename=str(tmp_path / "schedule"))
    clock.sync()
    clock.close()
    assert list(tmp_path.iterdir()) == []


def test_it_is_the_clock_of_the_portal() -> None:
    assert app.conf.beat_scheduler == f"{Clock.__module__}:{Clock.__name__}"
