"""The charge of a month's end: every call x every moment x everything that can go wrong, for a month that is really closed.

The debt is paid once; or the charge has failed and can never be paid, and the next try, a day later, pays it once. In
`make test` each moment meets one of the troubles, in `make money` all of them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from billing import flows
from billing.payments import gateway
from billing.payments.models import OPEN_STATES, Customer, Intent, PaymentMethod, State
from billing.settlement import dunning
from billing.settlement.models import Settlement, Stage
from orgs.models import Organization, User
from sandbox.stripe import Running
from sandbox.stripe import methods as at_stripe
from tests import figures as counted
from tests import verified
from tests.factories import months
from tests.factories import orgs as people
from tests.faults.test_off_session import AFTERWARDS, MOMENTS, Charge, Moment, wrongs
from tests.faults.troubles import TROUBLES, Trouble, with_call

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

OWED = "3.50"
_numbers = count(1)


@dataclass
class Collected(Charge):
    """A month that is closed, and of which nothing is charged yet: `intent` is not there before the first time."""

    settlement: Settlement = field(kw_only=True)

    def ask(self, after: timedelta = timedelta()) -> None:
        """The clock comes by: first it is collected, then asked about."""
        if self.intent._state.adding:
            self.collect(datetime.now(UTC) + after)
        else:
            super().ask(after)

    def collect(self, now: datetime) -> None:
        flows.collect_settlement(dunning.Due(self.settlement.pk, self.settlement.wallet_id), now=now)
        self.settlement.refresh_from_db()
        assert self.settlement.intent is not None
        self.intent = self.settlement.intent

    def standing(self) -> tuple[str, str]:
        """How it stands, and what is still owed."""
        self.settlement.refresh_from_db()
        return self.settlement.stage, f"{dunning.overdraft(self.settlement.wallet_id):.2f}"

    @property
    def paid_at_stripe(self) -> int:
        """How many payments of this organization Stripe has the money of."""
        made = self.stripe.sandbox.world.books.oldest_first("payment_intent")
        customer = Customer.objects.get(wallet=self.settlement.wallet).stripe_id
        return sum(payment["customer"] == customer and payment["status"] == "succeeded" for payment in made)


def with_a_card(stripe: Running, org: Organization) -> PaymentMethod:
    """Saved here and at Stripe."""
    customer = gateway.create_customer(gateway.NewCustomer(org.pk, org.name, "alice@example.com"), key=uuid4().hex)
    Customer.objects.create(wallet_id=org.pk, stripe_id=customer)
    with stripe.sandbox.transaction():
        made = at_stripe.attach(stripe.sandbox.world, "pm_card_visa", {"customer": customer})
    card = made["card"]
    return PaymentMethod.objects.create(
        wallet_id=org.pk, stripe_id=made["id"], brand=card["brand"], last4=card["last4"], exp_month=card["exp_month"],
        exp_year=card["exp_year"], is_default=True, created_at=datetime.now(UTC),
    )  # fmt: skip


def owing(stripe: Running, alice: User, told: set[str]) -> Collected:
    """Another team, which owed for March when it was closed."""
    team = people.team(alice, f"Team {next(_numbers)}", now=months.MARCH)
    months.owing(team, OWED, card=False)
    card = with_a_card(stripe, team)
    months.closed(datetime.now(UTC))
    return Collected(stripe, Intent(), card, told, settlement=months.settlement(team))


def not_settled(month: Collected, moment: Moment, trouble: Trouble) -> list[str]:
    """What is not as it should be with the month; a charge that failed is tried again first."""
    ends = State.FAILED if moment.final and trouble.final else moment.ends
    stage, owed = month.standing()
    should = (Stage.PAID, "0.00") if ends == State.SUCCEEDED else (Stage.DUE, OWED)
    wrong = [] if (stage, owed) == should else [f"{stage} with {owed} owed, not {should}"]
    if stage == Stage.DUE and month.settlement.next_try_at is not None:
        month.collect(month.settlement.next_try_at)
        again = month.standing()
        wrong += [] if again == (Stage.PAID, "0.00") else [f"tried again it is {again}"]
    return wrong + ([] if month.paid_at_stripe == 1 else [f"{month.paid_at_stripe} paid in the end"])


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[moment.name for moment in MOMENTS])
def test_a_month_is_paid_once(stripe: Running, alice: User, place: int, figures: counted.Record) -> None:
    moment, wrong, told = MOMENTS[place], dict[str, list[str]](), set[str]()
    troubles = counted.some(TROUBLES, place, reduced=1)
    for trouble in troubles:
        month = owing(stripe, alice, told)
        moment.before(month)
        with with_call(stripe, moment.method, moment.path, trouble) as struck:
            moment.step(month)
        for after in AFTERWARDS:
            if month.intent.state not in OPEN_STATES:
                break
            month.ask(after)
        month.hear()
        found = wrongs(month, moment, trouble) + not_settled(month, moment, trouble)
        if found or not struck.hits:
            wrong[str(trouble)] = found or ["the trouble never struck"]
    assert wrong == {}
    late = datetime.now(UTC) + timedelta(days=4)
    assert verified.differences(now=late) == []
    figures("stripe_faults", cells=len(troubles), lost=0, double=0)
