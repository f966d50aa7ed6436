"""`manage.py verify_ledger`: are the books right? Reads one snapshot and writes nothing.

One JSON object per difference and, as the last line, {"checks", "differences", "transfers", "seconds"}. The exit code is 0
when nothing differs, 1 when something does, and 2 when it was called wrongly.
"""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from billing.ledger.audit import BEGINNING, Scope
from billing.verifying import books
from orgs.models import Organization


class Command(BaseCommand):
    help = "Checks every promise of the books again: JSON lines, one per difference, and a last one with the sum."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", help="only this organization")
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="chains from this month, usage from this hour, payments from this moment (ISO, UTC)",
        )

    def handle(self, *args: Any, org: str | None, since: str | None, **options: Any) -> None:
        if "transfer" not in connection.introspection.table_names():
            raise CommandError("There are no books yet: `manage.py migrate` makes the tables.", returncode=2)
        start = _moment(since) if since else BEGINNING
        with books.snapshot():
            report = books.verify(Scope(datetime.now(UTC), _organization(org) if org else None, start))
        for difference in report.differences:
            self._line(check=difference.check, org=difference.org_id, **difference.row)
        self._line(
            checks=report.checks,
            differences=len(report.differences),
            transfers=report.transfers,
            seconds=report.seconds,
        )
        if report.differences:
            sys.exit(1)

    def _line(self, **what: Any) -> None:
        self.stdout.write(json.dumps(what, default=str))


def _organization(slug: str) -> int:
    org_id = Organization.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if org_id is None:
        raise CommandError(f"There is no organization {slug!r}.", returncode=2)
    return org_id


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r} is no date or moment, as 2026-03-01 or 2026-03-01T12:00Z.", returncode=2
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
