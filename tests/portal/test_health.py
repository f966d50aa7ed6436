"""Ready means: usage can be taken in and is being charged. Stripe has no say in it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from billing.metering.models import SweepRun


def sweep_ran(ago: timedelta) -> None:
    SweepRun.objects.create(at=datetime.now(UTC) - ago, rows=0, milliseconds=1)


def asked(client: Client) -> tuple[int, dict[str, dict[str, object]]]:
    answer = client.get("/health/ready")
    return answer.status_code, answer.json()["checks"]


@pytest.fixture(autouse=True)
def a_worker_is_expected(settings: LazySettings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


def test_alive_without_asking_anybody(client: Client) -> None:
    # No database mark: a query would fail the test.
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.django_db
def test_ready_when_all_is_well_even_while_stripe_is_away(client: Client, settings: LazySettings) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    sweep_ran(timedelta(seconds=2))
    status, checks = asked(client)
    assert status == 200
    assert list(checks) == ["database", "migrations", "partitions", "sweep"]
    assert all(check["ok"] for check in checks.values())


@pytest.mark.django_db
def test_a_read_only_database_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    assert asked(client) == (503, {"database": {"ok": False, "detail": "is read-only"}})


@pytest.mark.django_db
@pytest.mark.usefixtures("as_owner")
def test_a_migration_to_apply_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orgs' AND name LIKE '0001%'")
    status, checks = asked(client)
    assert status == 503
    assert checks["migrations"] == {"ok": False, "detail": "1 to apply"}
    assert "partitions" not in checks


@pytest.mark.django_db
@pytest.mark.usefixtures("as_owner")
def test_a_database_without_tables_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    assert asked(client)[1]["migrations"] == {"ok": False, "detail": "there are no tables yet"}


@pytest.mark.django_db
@pytest.mark.usefixtures("as_owner")
def test_tomorrows_partition_has_to_be_there(client: Client) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    sweep_ran(timedelta(0))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE usage_event_{tomorrow:%Y%m%d} RENAME TO elsewhere")
    status, checks = asked(client)
    assert status == 503
    assert checks["partitions"] == {"ok": False, "detail": f"missing before {tomorrow:%Y-%m-%d} ends"}


@pytest.mark.django_db
@pytest.mark.parametrize(("ago", "status"), [(59, 200), (61, 503)])
def test_a_sweep_within_the_last_minute(client: Client, monkeypatch: pytest.MonkeyPatch, ago: int, status: int) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    SweepRun.objects.create(at=now - timedelta(days=1), rows=0, milliseconds=1)
    SweepRun.objects.create(at=now - timedelta(seconds=ago), rows=0, milliseconds=1)
    answered, checks = asked(client)
    assert (answered, checks["sweep"]["detail"]) == (status, f"ran {ago} s ago")


@pytest.mark.django_db
def test_a_sweep_is_missed_only_where_a_worker_is_expected(client: Client, settings: LazySettings) -> None:
    status, checks = asked(client)
    assert (status, checks["sweep"]["detail"]) == (503, "has never run: is a worker up?")
    settings.REDIS_URL = ""
    assert asked(client)[0] == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("as_owner")
def test_a_broken_database_is_told_without_its_words(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sweep_run RENAME TO elsewhere")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["sweep"] == {"ok": False, "detail": "could not be asked; the log says why"}
    assert "sweep_run" not in answer.text


def test_only_reading_is_allowed(client: Client) -> None:
    assert client.post("/health/ready").status_code == 405
    assert client.post("/health/live").status_code == 405
