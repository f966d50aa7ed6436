"""The world around the process that is killed: the test's database, Stripe's sandbox, people and gateways."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import count
from typing import Any
from uuid import uuid4

from django.conf import settings

from billing import flows
from billing.catalog.models import AIModel
from billing.metering import gateways
from billing.metering.models import Gateway
from billing.payments import collecting, polling
from billing.payments.models import Intent
from billing.payments.reconciliations import Reconciliation
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests import owners
from tests.factories import orgs as people
from tests.factories.paying import PAYS


@dataclass
class World:
    """Each walk of a path takes place in an organization of its own. `start` is when it begins; no walk changes another."""

    stripe: Running
    alice: User
    staff: User
    model: AIModel
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    told: Counter[str] = field(default_factory=Counter)
    """How often Stripe has told each of its events."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def begin(self) -> None:
        """The next walk begins now, by every clock, and no night has passed yet."""
        self.stripe.admin.call("POST", "/clock", reset=True)
        for gateway in Gateway.objects.filter(retired_at=None):
            gateways.retire(gateway, now=self.start)
        if Reconciliation.objects.exists():
            with owners.connected() as owner:
                owner.execute("TRUNCATE reconciliation CASCADE")
        self.start = datetime.now(UTC)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What Stripe has to tell, oldest first."""
        return self.stripe.sandbox.world.books.oldest_first("event")

    def heard(self) -> None:
        """All that Stripe has to tell so far was told long ago."""
        self.told.update({event["id"]: 2 for event in self.events})

    @cached_property
    def session(self) -> str:
        """The cookie of Alice's browser."""
        return people.signed_in(self.alice).cookies[settings.SESSION_COOKIE_NAME].value

    @cached_property
    def staff_session(self) -> str:
        return people.signed_in(self.staff).cookies[settings.SESSION_COOKIE_NAME].value

    def organization(self) -> Organization:
        number = next(self._numbers)
        return people.team(self.alice, f"Acme {number}", slug=f"acme-{number}", now=self.start)

    def key(self, organization: Organization) -> ApiKey:
        return people.key(organization, user=self.alice, now=self.start).key

    def gateway(self) -> str:
        """A gateway that is at work; its token."""
        gateway = gateways.register(f"gw-{uuid4().hex[:8]}", now=self.start)
        return gateways.mint(gateway, now=self.start)

    def order(self, organization: Organization, usd: str) -> collecting.Order:
        return collecting.Order(organization.pk, int(Decimal(usd) * 100), uuid4(), self.alice.pk)

    def opened(self, organization: Organization, usd: str = "100", *, ago: timedelta = timedelta()) -> Intent:
        """A purchase whose page at Stripe is open."""
        self.stripe.admin.call("POST", "/clock", reset=True)
        if ago:
            self.stripe.admin.advance(-ago.total_seconds())
        return collecting.buy_credits(self.order(organization, usd), now=self.start - ago)

    def paid(self, organization: Organization, usd: str = "100", *, ago: timedelta = timedelta()) -> Intent:
        """A purchase that Stripe has the money of, and we do not know it yet."""
        intent = self.opened(organization, usd, ago=ago)
        self.stripe.admin.pay(intent.checkout_id or "", PAYS)
        if ago:
            self.stripe.admin.call("POST", "/clock", reset=True)
        return intent

    def bought(self, organization: Organization, usd: str = "100", *, ago: timedelta = timedelta()) -> Intent:
        """Credit that is there."""
        intent = self.paid(organization, usd, ago=ago)
        flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=self.start - ago), now=self.start - ago)
        intent.refresh_from_db()
        self.heard()
        return intent

    def given(self, organization: Organization, usd: str, *, lasts: timedelta = timedelta(days=30)) -> None:
        flows.grant_promotional(
            organization.pk, Decimal(usd), key=uuid4().hex, title="Welcome credit", expires_at=self.start + lasts,
            reason="welcome", issued_by=self.alice.pk, now=self.start,
        )  # fmt: skip
