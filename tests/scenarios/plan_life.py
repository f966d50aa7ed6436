"""The life of a plan: Stripe answers, the tasks of the clock come by, and there is use in between."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from billing import flows
from billing.catalog import current
from billing.catalog.models import Plan
from billing.ledger import balances
from billing.limits import entitlements, reading
from billing.limits.answers import ModelAnswer
from billing.metering.models import UsageEvent
from billing.payments import collecting, polling
from billing.payments.models import PaymentMethod
from billing.subscriptions.models import Charge, Subscription
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests.factories import business, plans
from tests.factories.paying import PAYS, order

SECOND, MINUTE, HOUR, DAY = plans.SECOND, plans.MINUTE, plans.HOUR, plans.DAY
MODEL = "zai-glm-4.7"
NEW_YEAR = datetime(2028, 1, 31, 10, 0, 30, tzinfo=UTC)
"""In the middle of a minute, in a leap year."""
WINTER = datetime(2027, 1, 31, 10, 0, 30, tzinfo=UTC)
"""The same where usage is reported, for which there is room a year ahead."""


@dataclass
class Life:
    """Acme's plan. `at` is the time of whoever acts next."""

    stripe: Running
    acme: Organization
    alice: User
    key: ApiKey

    def now(self, at: datetime) -> datetime:
        self.stripe.admin.set_clock(at.isoformat())
        return at

    def buys(self, usd: str, at: datetime) -> None:
        """On Stripe's page; the card is saved."""
        intent = collecting.buy_credits(order(self.acme, self.alice, int(Decimal(usd) * 100)), now=self.now(at))
        self.stripe.admin.pay(intent.checkout_id or "", PAYS)
        flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=at), now=at)

    def chooses(self, slug: str, at: datetime, *, upgrade: bool = False, page: bool = False) -> Charge:
        plan = Plan.objects.get(slug=slug)
        quote = flows.quote_plan(self.acme.pk, plan.pk, by=self.alice.pk, now=self.now(at))
        do = flows.upgrade if upgrade else flows.subscribe
        return do(self.acme.pk, quote.pk, by=self.alice.pk, method_id=None if page else self.card.pk, now=at)

    def pays(self, charge: Charge, at: datetime) -> None:
        """On the page that was opened."""
        assert charge.intent is not None
        self.now(at)
        self.stripe.admin.pay(charge.intent.checkout_id or "", PAYS)
        flows.payment_outcome(charge.intent.pk, polling.ask(charge.intent.pk, now=at), now=at)

    def clock(self, at: datetime) -> None:
        """What production does by itself with plans."""
        polling.poll(flows.payment_outcome, now=self.now(at))
        flows.renew_plans(now=at)
        flows.earn_plans(now=at)

    def bank_says(self, outcome: str, *, times: int | None = None) -> None:
        self.stripe.admin.behave(self.card.stripe_id, outcome, count=times)

    def asks(self, at: datetime) -> ModelAnswer:
        catalog = current.latest()
        [model] = [model for model in catalog.models if model.slug == MODEL]
        return entitlements.for_model(reading.pictures([self.acme.pk], now=at)[self.acme.pk], model, catalog, now=at)

    def uses(self, at: datetime, tokens: int = 1_000_000) -> int:
        """One request at that instant, reported soon after; answers who paid."""
        event = business.used(self.key, at, model=MODEL, tokens_in=tokens)
        return UsageEvent.objects.get(id=event).payer

    @property
    def card(self) -> PaymentMethod:
        return PaymentMethod.objects.get(wallet_id=self.acme.pk, is_default=True)

    @property
    def plan(self) -> Subscription:
        return Subscription.objects.filter(wallet_id=self.acme.pk).latest("pk")

    @property
    def id(self) -> UUID:
        return self.plan.public_id

    @property
    def charges(self) -> list[int]:
        """Cents that Stripe took, oldest first."""
        books = self.stripe.admin.books()["charges"]
        return [charge["charged"] for charge in books if charge["status"] == "succeeded"]

    def balance(self, at: datetime) -> Decimal:
        return balances.of(self.acme.pk, now=at).available
