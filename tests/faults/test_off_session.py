"""Every call of a charge without the customer x every moment x everything that can go wrong.

It is paid once and credited once, or it has failed and can never be paid; nothing in between is believed. In `make test`
each moment meets one of the troubles, in `make money` all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import flows
from billing.payments import polling
from billing.payments.models import OPEN_STATES, Intent, PaymentMethod, State
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests import figures as counted
from tests import verified
from tests.factories import cards, plans
from tests.factories.paying import pay, post
from tests.faults.troubles import BY_NAME, TROUBLES, Trouble, with_call

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

PAYMENTS = "/v1/payment_intents"
SECONDS, HOURS = timedelta(seconds=46), timedelta(hours=1)
AFTERWARDS = (timedelta(), SECONDS, 2 * SECONDS, HOURS, 22 * HOURS, 24 * HOURS, 30 * HOURS)
"""When it is asked about again, until it is over: past the day that Stripe keeps its keys."""


@dataclass
class Charge:
    """A charge that is written down, and the Stripe it is asked of."""

    stripe: Running
    intent: Intent
    card: PaymentMethod
    told: set[str]

    def ask(self, after: timedelta = timedelta()) -> None:
        now = datetime.now(UTC) + after
        flows.payment_outcome(self.intent.pk, polling.ask(self.intent.pk, now=now), now=now)
        self.intent.refresh_from_db()

    def ask_a_day_later(self) -> None:
        self.ask(24 * HOURS)

    def hear(self) -> None:
        """What Stripe has not told yet."""
        for event in self.stripe.sandbox.world.books.oldest_first("event"):
            if event["id"] not in self.told:
                self.told.add(event["id"])
                assert post(event).status_code == 200
        inbox.process(now=datetime.now(UTC))
        self.intent.refresh_from_db()

    def lost(self, trouble: str, path: str = PAYMENTS) -> None:
        """The first call got into trouble."""
        with with_call(self.stripe, "POST", path, BY_NAME[trouble]) as struck:
            self.ask()
        assert struck.hits == 1

    def refuse(self) -> None:
        """The bank will."""
        self.stripe.admin.behave(self.card.stripe_id, "insufficient_funds", count=1)

    @property
    def at_stripe(self) -> list[dict[str, Any]]:
        made = self.stripe.sandbox.world.books.oldest_first("payment_intent")
        return [payment for payment in made if payment["metadata"].get("purser_intent") == str(self.intent.pk)]


@dataclass(frozen=True)
class Moment:
    """`before` leads to it, `step` makes the call. It `ends` so; `final`: a refusal by Stripe itself ends it as FAILED."""

    name: str
    method: str
    path: str
    before: Callable[[Charge], object] = lambda charge: None
    step: Callable[[Charge], object] = lambda charge: charge.ask()
    ends: State = State.SUCCEEDED
    final: bool = False


def refused_and_not_cancelled(charge: Charge) -> None:
    charge.refuse()
    charge.lost("connection reset before", f"{PAYMENTS}/*/cancel")


MOMENTS = (
    Moment("create, first", "POST", PAYMENTS, final=True),
    Moment("create, poller after a lost call", "POST", PAYMENTS, lambda charge: charge.lost("500 before"), final=True),
    Moment(
        "create, poller after a lost answer", "POST", PAYMENTS, lambda charge: charge.lost("connection reset after")
    ),
    Moment("find, after an error that Stripe remembers", "GET", PAYMENTS, lambda charge: charge.lost("500 after")),
    Moment("find, a day later", "GET", PAYMENTS, lambda charge: charge.lost("time-out after"), Charge.ask_a_day_later),
    Moment("read, webhook", "GET", f"{PAYMENTS}/*", lambda charge: charge.lost("time-out after"), Charge.hear),
    Moment("cancel, first", "POST", f"{PAYMENTS}/*/cancel", Charge.refuse, ends=State.FAILED),
    Moment("cancel, again", "POST", f"{PAYMENTS}/*/cancel", refused_and_not_cancelled, ends=State.FAILED),
    Moment("read, poller before it cancels", "GET", f"{PAYMENTS}/*", refused_and_not_cancelled, ends=State.FAILED),
)


def wrongs(charge: Charge, moment: Moment, trouble: Trouble) -> list[str]:
    """What is not as it should be in the end."""
    ends = State.FAILED if moment.final and trouble.final else moment.ends
    paid = [payment for payment in charge.at_stripe if payment["status"] == "succeeded"]
    open_ = [payment for payment in charge.at_stripe if payment["status"] not in ("succeeded", "canceled")]
    wrong = [] if charge.intent.state == ends else [f"{charge.intent.state}, not {ends}"]
    wrong += [f"{len(paid)} paid at Stripe"] if len(paid) != (ends == State.SUCCEEDED) else []
    return wrong + (["could still be paid"] if open_ else [])


@pytest.fixture
def card(stripe: Running, acme: Organization, alice: User, settings: Any) -> PaymentMethod:
    patience, settings.STRIPE_TIMEOUT_SECONDS = settings.STRIPE_TIMEOUT_SECONDS, 20.0
    pay(stripe, acme, alice, 10_00)
    settings.STRIPE_TIMEOUT_SECONDS = patience
    return PaymentMethod.objects.get(wallet_id=acme.pk)


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[moment.name for moment in MOMENTS])
def test_it_is_paid_once_or_can_never_be_paid(
    stripe: Running, acme: Organization, card: PaymentMethod, place: int, figures: counted.Record
) -> None:
    moment, wrong, told = MOMENTS[place], {}, set[str]()
    troubles = counted.some(TROUBLES, place, reduced=1)
    for trouble in troubles:
        charge = Charge(stripe, cards.meant(acme, card, now=datetime.now(UTC)), card, told)
        moment.before(charge)
        with with_call(stripe, moment.method, moment.path, trouble) as struck:
            moment.step(charge)
        for after in AFTERWARDS:
            if charge.intent.state not in OPEN_STATES:
                break
            charge.ask(after)
        charge.hear()
        found = wrongs(charge, moment, trouble) + ([] if struck.hits else ["the trouble never struck"])
        if found:
            wrong[str(trouble)] = found
    assert wrong == {}
    assert verified.differences(now=datetime.now(UTC), without={*verified.PATIENCE, "recharge_unexplained"}) == []
    figures("stripe_faults", cells=len(troubles), lost=0, double=0)


# --- A renewal -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 2, 4, 6])
def test_a_renewal_is_paid_once_and_the_plan_goes_on_or_is_past_due(
    stripe: Running, acme: Organization, alice: User, card: PaymentMethod, place: int, figures: counted.Record
) -> None:
    """The same calls; and whatever Stripe answered in between, the plan is what became of its payment."""
    every, wrong, told = counted.of(40, full=4), {}, set[str]()
    began = datetime.now(UTC) - timedelta(days=40)
    for number, trouble in enumerate(TROUBLES[place::every]):
        slug = f"plan-{place}-{number}"
        running = plans.begun(acme, plans.alone(slug), alice, now=began + timedelta(seconds=number), method=card)
        intent = plans.renewing(running, now=datetime.now(UTC))
        assert intent is not None
        charge, moment = Charge(stripe, intent, card, told), MOMENTS[place]
        moment.before(charge)
        with with_call(stripe, moment.method, moment.path, trouble):
            moment.step(charge)
        for after in AFTERWARDS:
            if charge.intent.state not in OPEN_STATES:
                break
            charge.ask(after)
        charge.hear()
        running.refresh_from_db()
        paid = charge.intent.state == State.SUCCEEDED
        stands = (running.number, running.state) == ((2, "active") if paid else (1, "past_due"))
        found = wrongs(charge, moment, trouble) + ([] if stands else [f"{running.number}, {running.state}"])
        if found:
            wrong[str(trouble)] = found
        flows.cancel_plan(acme.pk, running.public_id, by=alice.pk, now=datetime.now(UTC))
    assert wrong == {}
    assert verified.differences(now=datetime.now(UTC)) == []
    figures("stripe_faults", cells=len(TROUBLES[place::every]), lost=0, double=0)
