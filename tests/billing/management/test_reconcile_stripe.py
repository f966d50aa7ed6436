"""`manage.py reconcile_stripe` and its nightly task: what they print and log, and how they end."""

import io
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from structlog.testing import capture_logs

from billing import tasks
from billing.payments import reconciling
from billing.payments.reconciliations import Reconciliation
from orgs.models import Organization, User
from portal.celery import app
from sandbox.stripe import Running
from tests.factories.reconciled import charge_of, charged, paid, stripe

__all__ = ["stripe"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_are_right")]


@pytest.fixture(autouse=True)
def nothing_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reads the clock itself: what was paid a moment ago counts."""
    monkeypatch.setattr(reconciling, "IN_FLIGHT", timedelta(seconds=-5))


def run(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, what each line says, and what was said meanwhile."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("reconcile_stripe", *words, stdout=out, stderr=err)
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_all_agrees_after_what_was_lost_is_healed(stripe: Running, acme: Organization, alice: User) -> None:
    paid(stripe, acme, alice)
    code, (sums,), said = run()
    assert code == 0
    assert list(sums) == [
        "run", "since", "through", "charges", "refunds", "disputes", "healed", "not_ours", "findings", "here", "there",
        "error", "seconds",
    ]  # fmt: skip
    assert (sums["charges"], sums["healed"], sums["findings"], sums["error"]) == (1, 1, 0, None)
    assert sums["here"] == sums["there"] == "100"
    assert "1 charges seen" in said
    assert run()[1][0]["healed"] == 0


def test_each_finding_is_a_line_and_the_end_is_1(stripe: Running, acme: Organization, alice: User) -> None:
    intent = paid(stripe, acme, alice)
    charge = charged(stripe, 7_00, intent_id=uuid4())
    code, (finding, sums), _ = run()
    assert (code, sums["findings"], sums["healed"]) == (1, 1, 1)
    assert (finding["kind"], finding["charge"], finding["there"], finding["here"]) == (
        "unknown_here",
        charge,
        "7",
        None,
    )
    assert (finding["org"], finding["intent"]) == (None, None)
    assert finding["first_seen"]
    assert charge != charge_of(stripe, intent)


def test_stripe_away_is_2(stripe: Running, acme: Organization) -> None:
    stripe.admin.fault("error", path="/v1/refunds")
    code, (sums,), _ = run()
    assert code == 2
    assert sums["error"].startswith("Unknown")


def test_since(stripe: Running, acme: Organization, alice: User) -> None:
    intent = paid(stripe, acme, alice)
    stripe.sandbox.world.find("charge", charge_of(stripe, intent))["created"] -= 9 * 86_400
    tomorrow = f"{intent.created_at - timedelta(days=3):%Y-%m-%d}"
    assert run("--since", tomorrow)[1][0]["charges"] == 0
    code, (sums,), _ = run("--since", "2026-01-01T00:30+02:00")
    assert (code, sums["charges"], sums["healed"]) == (0, 1, 1)
    assert sums["since"] == "2025-12-31 22:30:00+00:00"
    assert Reconciliation.objects.filter(by_hand=True).count() == 2


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2999-01-01"])
def test_no_such_moment(since: str, db: None) -> None:
    with pytest.raises(CommandError) as refused:
        run("--since", since)
    assert refused.value.returncode == 2
    assert not Reconciliation.objects.exists()


class TestTask:
    def test_it_runs_each_night(self) -> None:
        (entry,) = (
            entry for entry in app.conf.beat_schedule.values() if entry["task"] == "billing.tasks.reconcile_stripe"
        )
        assert (entry["schedule"].hour, entry["schedule"].minute) == ({3, 4, 5, 6, 7}, {40})
        assert app.conf.timezone == "UTC"

    def test_what_is_found_is_logged(self, stripe: Running, acme: Organization) -> None:
        charge = charged(stripe, 7_00, intent_id=uuid4())
        with capture_logs() as logs:
            tasks.reconcile_stripe()
        (finding, end) = (line for line in logs if line["log_level"] == "error")
        assert (finding["event"], finding["kind"], finding["id"]) == ("stripe_differs", "unknown_here", charge)
        assert (end["event"], end["findings"]) == ("stripe_reconciled", 1)

    def test_a_night_without_findings(self, stripe: Running, acme: Organization, alice: User) -> None:
        paid(stripe, acme, alice)
        with capture_logs() as logs:
            tasks.reconcile_stripe()
        assert not [line for line in logs if line["log_level"] == "error"]
        assert logs[-1]["event"] == "stripe_reconciled"
        assert (logs[-1]["healed"], logs[-1]["findings"]) == (1, 0)

    def test_stripe_away_and_tried_again_until_it_is_done_once(self, stripe: Running, acme: Organization) -> None:
        stripe.admin.fault("error", path="/v1/charges")
        with capture_logs() as logs:
            tasks.reconcile_stripe()
        assert logs[-1]["event"] == "stripe_not_reconciled"
        assert logs[-1]["error"].startswith("Unknown")
        for _ in range(3):
            tasks.reconcile_stripe()
        assert list(Reconciliation.objects.order_by("pk").values_list("error", flat=True))[1:] == [""]

    def test_whoever_asks_gets_one_at_once(self, stripe: Running, acme: Organization) -> None:
        for _ in range(2):
            tasks.reconcile_stripe(asked=True)
        assert Reconciliation.objects.count() == 2
