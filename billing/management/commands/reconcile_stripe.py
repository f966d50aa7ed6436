"""`manage.py reconcile_stripe`: do Stripe's lists and the books agree? What is safely ours is settled on the way.

One JSON object per finding and, as the last line, the sums of the run; what it is doing goes to the error output. The exit
code is 0 when all agree, 1 when something is left for staff, and 2 when Stripe could not be asked to the end.
"""

import json
import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import flows
from billing.money import from_cents
from billing.payments.reconciliations import Reconciliation, ReconciliationFinding
from billing.payments.reconciling import NotFinished


class Command(BaseCommand):
    help = (
        "Compares Stripe's charges, refunds and disputes with the books, both ways: JSON lines, the last with the sums."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="what happened from then on (ISO, UTC; a date or a moment); else from three days before the last run's end",
        )

    def handle(self, *args: Any, since: str | None, **options: Any) -> None:
        now = datetime.now(UTC)
        start = _moment(since, now) if since else None
        started = time.perf_counter()
        code = 0
        try:
            run = flows.reconcile(now=now, since=start, say=self.stderr.write)
            code = 1 if run.found else 0
        except NotFinished as broken:
            run, code = broken.run, 2
        for finding in run.findings.select_related("run"):
            self._line(**_told(finding))
        self._line(**_sums(run), seconds=round(time.perf_counter() - started, 3))
        if code:
            sys.exit(code)

    def _line(self, **what: Any) -> None:
        self.stdout.write(json.dumps(what, default=str))


def _told(finding: ReconciliationFinding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        finding.thing: finding.provider_id,
        "org": finding.wallet_id,
        "intent": finding.intent_id,
        "here": _usd(finding.here_cents),
        "there": _usd(finding.there_cents),
        "words": finding.words,
        "first_seen": finding.first_seen_at,
    }


def _sums(run: Reconciliation) -> dict[str, Any]:
    return {
        "run": run.pk,
        "since": run.since,
        "through": run.through,
        "charges": run.charges,
        "refunds": run.refunds,
        "disputes": run.disputes,
        "healed": run.healed,
        "not_ours": run.not_ours,
        "findings": run.found,
        "here": _usd(run.here_cents),
        "there": _usd(run.there_cents),
        "error": run.error or None,
    }


def _usd(cents: int | None) -> Decimal | None:
    return None if cents is None else from_cents(cents)


def _moment(text: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r} is no date or moment, as 2026-03-01 or 2026-03-01T12:00Z.", returncode=2
        ) from None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now:
        raise CommandError(f"{text!r} is in the future.", returncode=2)
    return moment
