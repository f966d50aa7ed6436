"""What was promised to a demo organization: a plan that becomes a smaller one, and reserved capacity from next month on.

Made as people make it: the plan is paid on the sandbox's page, which saves the card; staff draft and offer the contract, and
the owner accepts it. What is there already is left as it is.
"""

from datetime import UTC, datetime
from decimal import Decimal

from billing import flows, periods
from billing.catalog import current
from billing.contracts import agreement, signing
from billing.contracts.models import Contract
from billing.contracts.terms import Terms
from billing.payments import polling
from billing.subscriptions import choosing
from billing.subscriptions.models import State, Subscription
from orgs.models import Organization, User
from sandbox.stripe.client import Admin

TOKENS = 100_000_000
PER_MILLION, BEYOND = Decimal("0.30"), Decimal("0.36")
RATES = signing.Rates(requests_per_minute=1_000, tokens_per_minute=1_000_000)
NAME = "Demo Owner"


def promise(organization: Organization, owner: User, staff: User, *, stripe: Admin) -> None:
    _plan(organization, owner, stripe)
    _contract(organization, owner, staff)


def _plan(organization: Organization, owner: User, stripe: Admin) -> None:
    """The greatest that is sold; from its next period on the next smaller one of the same models."""
    if Subscription.objects.filter(wallet=organization.pk).exists():
        return
    now = datetime.now(UTC)
    sold = [offer.plan for offer in choosing.offers(organization.pk, now=now) if offer.move == "subscribe"]
    if not sold:
        return
    *smaller, chosen = sold
    quote = flows.quote_plan(organization.pk, chosen.id, by=owner.pk, now=now)
    charge = flows.subscribe(organization.pk, quote.pk, by=owner.pk, now=now)
    assert charge.intent is not None, "a plan has a price"
    stripe.pay(charge.intent.checkout_id or "")
    flows.payment_outcome(charge.intent.pk, polling.ask(charge.intent.pk, now=now), now=datetime.now(UTC))
    charge.subscription.refresh_from_db()
    below = [plan for plan in smaller if plan.covers & chosen.covers]
    # A Stripe that has not answered in time is asked again by the clock: then the plan begins a little later.
    if below and charge.subscription.state == State.ACTIVE:
        flows.schedule_plan(
            organization.pk, charge.subscription.public_id, below[-1].id, by=owner.pk, now=datetime.now(UTC)
        )


def _contract(organization: Organization, owner: User, staff: User) -> None:
    """For the first model that goes on and that no plan covers."""
    if Contract.objects.filter(wallet=organization.pk).exists():
        return
    now, catalog = datetime.now(UTC), current.latest()
    covered = {model_id for plan in catalog.plans for model_id in plan.covers}
    free = [model for model in catalog.models if model.deprecated_on is None and model.id not in covered]
    if not free or signing.card(organization.pk, now=now) is None:
        return
    starts_on = periods.next_month(periods.month_of(now))
    wanted = signing.Draft(
        organization.pk, Terms(TOKENS, PER_MILLION, BEYOND, starts_on), {free[0].id: RATES}, "To try the portal with"
    )
    drafted = flows.draft_contract(wanted, by=staff.pk, now=now)
    contract = flows.offer_contract(drafted, by=staff.pk, now=now)
    read = agreement.digest(signing.text(contract)).hex()
    flows.accept_contract(contract, by=owner.pk, name=NAME, digest=read, now=datetime.now(UTC))
