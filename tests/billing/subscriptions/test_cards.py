"""The card of a plan: saved again it stays the plan's, and what was removed is not charged."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.catalog.models import Plan
from billing.payments.models import PaymentMethod
from billing.subscriptions.models import State, Subscription
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import adding_cards, paying, plans
from tests.factories.plans import DAY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(stripe: Running, acme: Organization, alice: User, pro: Plan) -> Subscription:
    """Since a month less an hour, paid with a card that was saved at Stripe."""
    card = adding_cards.saved(stripe, acme, alice)
    return plans.begun(acme, pro, alice, now=timezone.now() - 31 * DAY + timedelta(hours=1), method=card)


@pytest.mark.parametrize("how", ["a purchase", "the Cards page"])
def test_the_same_card_saved_again_is_charged_as_its_bank_confirmed_it(
    stripe: Running, acme: Organization, alice: User, running: Subscription, how: str
) -> None:
    """The new one takes the place of the old, which Stripe lets go: a plan left with that one could not be renewed."""
    old = running.method
    if how == "a purchase":
        paying.pay(stripe, acme, alice)
    else:
        adding_cards.saved(stripe, acme, alice)
    new = PaymentMethod.objects.get(wallet_id=acme.pk, detached_at=None)
    assert new != old
    running.refresh_from_db()
    assert running.method == new
    assert plans.renewed(running, now=timezone.now() + DAY).state == State.ACTIVE


def test_another_card_never_becomes_the_plans_by_being_saved(
    stripe: Running, acme: Organization, alice: User, running: Subscription
) -> None:
    """A47."""
    old = running.method
    paying.pay(stripe, acme, alice, card="5555555555554444")
    assert PaymentMethod.objects.filter(wallet_id=acme.pk, detached_at=None).count() == 2
    running.refresh_from_db()
    assert running.method == old
