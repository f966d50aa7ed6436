"""`manage.py verify_ledger` and its hourly task: what they print, how they end, and that they only read."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, connection, transaction
from structlog.testing import capture_logs

from billing import tasks
from billing.ledger.audit import Scope
from billing.verifying import books
from orgs.models import Organization
from portal.celery import app
from tests import owners
from tests.factories import usage
from tests.paths import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def credit(acme: Organization) -> None:
    with transaction.atomic():
        usage.bought(acme, "10", now=datetime.now(UTC))
    with transaction.atomic():
        usage.given(acme, "5", now=datetime.now(UTC))


@pytest.fixture
def broken(acme: Organization) -> None:
    """Acme's wallet says more than its accounts: its owner can do that, the application cannot."""
    with owners.connected() as owner:
        owner.execute("UPDATE wallet SET posted = posted + 1 WHERE org_id = %s", [acme.pk])


def run(*words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what each line says."""
    out, code = io.StringIO(), 0
    try:
        call_command("verify_ledger", *words, stdout=out)
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_right_books_are_one_line_and_0() -> None:
    code, (summary,) = run()
    assert code == 0
    assert list(summary) == ["checks", "differences", "transfers", "seconds"]
    assert (summary["checks"], summary["differences"], summary["transfers"]) == (len(books.NAMES), 0, 2)
    assert 0 < summary["seconds"] < 60


def test_each_difference_is_a_line_and_the_end_is_1(acme: Organization, broken: None) -> None:
    code, (*lines, summary) = run()
    assert code == 1
    assert summary["differences"] == len(lines) == 2
    assert {line["check"] for line in lines} == {"wallet_sums", "credit_used"}
    (wallet,) = (line for line in lines if line["check"] == "wallet_sums")
    assert (wallet["org"], wallet["posted"], wallet["accounts_posted"]) == (
        acme.pk,
        "16.000000000000",
        "15.000000000000",
    )


@pytest.mark.parametrize(("by_hand", "code"), [(0, 0), (1, 1)])
def test_the_last_line_of_the_command_is_its_figures(
    database_url: str, acme: Organization, by_hand: int, code: int
) -> None:
    """As a shell sees it, whatever else is written, to the error output too; `make verify` is no more than the command."""
    with owners.connected() as owner:
        owner.execute("UPDATE wallet SET posted = posted + %s WHERE org_id = %s", [by_hand, acme.pk])
    done = subprocess.run(
        [sys.executable, "manage.py", "verify_ledger"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url, "PURSER_ENV_FILES": "none"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, list(figures)) == (code, ["checks", "differences", "transfers", "seconds"])
    assert (figures["differences"], figures["transfers"]) == (2 * code, 2)
    recipe = (ROOT / "Makefile").read_text().partition("\nverify:")[2].splitlines()[1]
    assert recipe == "\t@$(PY) manage.py verify_ledger $(A)"


def test_one_organization(broken: None, charlie_personal: Organization) -> None:
    assert run("--org", "acme")[0] == 1
    code, (summary,) = run("--org", charlie_personal.slug)
    assert (code, summary["differences"], summary["transfers"]) == (0, 0, 0)


@pytest.mark.parametrize(("since", "transfers"), [("2026-01-01", 2), ("2999-01-01T12:30+02:00", 0)])
def test_since(since: str, transfers: int) -> None:
    code, (summary,) = run("--since", since)
    assert (code, summary["transfers"]) == (0, transfers)


@pytest.mark.parametrize("words", [("--org", "nobody"), ("--since", "yesterday")])
def test_wrongly_asked_ends_with_2(words: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=words[1]) as error:
        run(*words)
    assert error.value.returncode == 2


def test_nothing_can_be_written_and_nothing_was() -> None:
    with books.snapshot(), connection.cursor() as cursor:
        books.verify(Scope(datetime.now(UTC)))
        cursor.execute("SELECT pg_current_xact_id_if_assigned(), current_setting('transaction_isolation')")
        assert cursor.fetchone() == (None, "repeatable read")
    for write in ("UPDATE wallet SET posted = 0", "CREATE TABLE x ()", "SELECT limits_touch(ARRAY[0::bigint])"):
        with pytest.raises(InternalError, match="read-only transaction"), books.snapshot():
            with connection.cursor() as cursor:
                cursor.execute(write)


def test_all_checks_see_one_moment(acme: Organization) -> None:
    """What is bought while the checks run is not there for any of them."""

    def buy() -> None:
        with transaction.atomic():
            usage.bought(acme, "20", now=datetime.now(UTC))
        connection.close()

    with books.snapshot():
        before = books.verify(Scope(datetime.now(UTC)))
        buyer = threading.Thread(target=buy)
        buyer.start()
        buyer.join()
        after = books.verify(Scope(datetime.now(UTC)))
    assert before.transfers == after.transfers == 2
    assert before.differences == after.differences == []
    assert run()[1][-1]["transfers"] == 3


def test_a_snapshot_is_not_taken_inside_another_transaction() -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(), books.snapshot():
        pass


class TestTask:
    @pytest.fixture
    def logs(self) -> Iterator[list[Any]]:
        with capture_logs() as said:
            yield said

    def test_it_says_an_error_per_difference(self, logs: list[Any], acme: Organization, broken: None) -> None:
        tasks.verify_ledger()
        errors = [said for said in logs if said["event"] == "ledger_differs"]
        assert {said["check"] for said in errors} == {"wallet_sums", "credit_used"}
        assert {(said["log_level"], said["org_id"]) for said in errors} == {("error", acme.pk)}
        assert (logs[-1]["event"], logs[-1]["differences"]) == ("ledger_verified", 2)

    def test_right_books_are_no_error(self, logs: list[Any]) -> None:
        tasks.verify_ledger()
        assert [(said["event"], said["log_level"]) for said in logs] == [("ledger_verified", "info")]

    def test_it_runs_every_hour(self) -> None:
        runs = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
        assert runs["billing.tasks.verify_ledger"] == 3600


def test_a_database_without_tables_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", list)
    with pytest.raises(CommandError, match="migrate") as error:
        run()
    assert error.value.returncode == 2
