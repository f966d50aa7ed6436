"""`manage.py gateway_token NAME`: a bearer token for a gateway, told once."""

from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.metering import gateways
from billing.metering.models import Gateway


class Command(BaseCommand):
    help = "Registers a gateway (or finds it) and prints a new bearer token for it. The token is shown only now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the gateway's name, e.g. eu-west-1")
        parser.add_argument("--days", type=int, help="the token ends after so many days (default: never)")
        parser.add_argument("--revoke", action="store_true", help="end all tokens of this gateway instead")

    def handle(self, *args: Any, name: str, days: int | None, revoke: bool, **options: Any) -> None:
        now = datetime.now(UTC)
        if revoke:
            self._revoke(name, now)
            return
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--days must be between 1 and 3650.")
        if not name.strip() or len(name) > 80:
            raise CommandError("A gateway's name has 1 to 80 characters.")
        lifetime = timedelta(days=days) if days is not None else None
        token = gateways.mint(gateways.register(name, now=now), now=now, lifetime=lifetime)
        self.stderr.write(f"Token of gateway {name}; it is shown only now:")
        self.stdout.write(token)

    def _revoke(self, name: str, now: datetime) -> None:
        gateway = Gateway.objects.filter(name=name).first()
        if gateway is None:
            raise CommandError(f"There is no gateway named {name}.")
        ended = gateways.revoke(gateway, now=now)
        gateways.retire(gateway, now=now)
        self.stderr.write(f"{ended} token(s) of gateway {name} ended. It no longer holds back what is complete.")
