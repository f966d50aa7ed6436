"""What a plan will do by itself, told by its own rules. That it then does is a scenario (`test_timeline.py`)."""

from datetime import UTC, date, datetime
from itertools import islice

import pytest

from billing import flows
from billing.catalog import current
from billing.catalog.models import Plan
from billing.payments.models import Intent
from billing.subscriptions import ahead
from billing.subscriptions.ahead import What
from billing.subscriptions.models import Subscription
from orgs.models import Organization, User
from tests.factories import cards, catalog, plans
from tests.factories.plans import DAY, FEB, JAN, MARCH

pytestmark = pytest.mark.django_db

YEAR_ON = datetime(2028, 1, 31, 10, tzinfo=UTC)
Told = list[tuple[What, datetime, int]]


def told(org: Organization, until: datetime = YEAR_ON) -> Told:
    [standing] = ahead.of(org.pk)
    return [(one.what, one.at, one.cents) for one in ahead.steps(standing, current.latest(), until=until)]


@pytest.fixture
def pro(acme: Organization, alice: User) -> Subscription:
    return plans.begun(acme, plans.offered()[1], alice)


def test_it_is_renewed_on_its_own_day_of_each_month(acme: Organization, pro: Subscription) -> None:
    renewed = told(acme)
    assert {(what, cents) for what, _, cents in renewed} == {(What.RENEWED, 50_00)}
    assert [(at.month, at.day) for _, at, _ in renewed] == [
        (2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31), (8, 31), (9, 30), (10, 31), (11, 30), (12, 31),
    ]  # fmt: skip


def test_a_change_comes_first_and_then_its_price(acme: Organization, alice: User, pro: Subscription) -> None:
    larger = Plan.objects.get(slug="code-max")
    plans.upgraded(pro, larger, alice, now=JAN + DAY)
    small = Plan.objects.get(slug="code-pro")
    flows.schedule_plan(acme.pk, pro.public_id, small.pk, by=alice.pk, now=JAN + 2 * DAY)
    assert told(acme, MARCH) == [(What.CHANGED, FEB, 0), (What.RENEWED, FEB, 50_00)]


def test_canceled_it_ends_and_nothing_follows(acme: Organization, alice: User, pro: Subscription) -> None:
    flows.cancel_plan(acme.pk, pro.public_id, by=alice.pk, now=JAN + DAY)
    assert told(acme) == [(What.ENDED, FEB, 0)]


def test_past_due_it_is_tried_again_and_goes_on_from_the_old_end(acme: Organization, pro: Subscription) -> None:
    plans.refused(pro, now=FEB)
    assert told(acme, MARCH + DAY) == [(What.RETRIED, FEB + DAY, 50_00), (What.RENEWED, MARCH, 50_00)]


def test_without_a_card_it_ends_with_its_grace(acme: Organization, pro: Subscription) -> None:
    Subscription.objects.update(method=cards.saved(acme, "1881", expires=(2026, 1)))
    assert told(acme) == [(What.NOT_RENEWED, FEB, 0), (What.ENDED, FEB + 7 * DAY, 0)]


def test_disputed_it_ends_with_its_period(acme: Organization, pro: Subscription) -> None:
    plans.disputed(Intent.objects.get(wallet=acme.pk), -50_00, now=JAN + DAY)
    assert told(acme) == [(What.ENDED, FEB, 0)]


def test_retired_at_the_very_end_of_a_period_nothing_goes_back(acme: Organization, alice: User) -> None:
    midnight = datetime(2026, 2, 1, tzinfo=UTC)
    model = catalog.model("brief", deprecated_on=date(2026, 3, 31))
    plan = plans.another("brief-pro", model, usd=50, rank=7)
    plans.begun(acme, plan, alice, now=midnight)
    assert told(acme) == [
        (What.RENEWED, datetime(2026, 3, 1, tzinfo=UTC), 50_00), (What.ENDED, datetime(2026, 4, 1, tzinfo=UTC), 0),
    ]  # fmt: skip


def test_a_lower_price_holds_from_the_next_renewal(acme: Organization, pro: Subscription) -> None:
    Plan.objects.filter(slug="code-pro").update(price_usd=40)
    assert [cents for _, _, cents in islice(told(acme), 2)] == [40_00, 40_00]


def test_another_organizations_plan_is_none_of_ours(alice_personal: Organization, pro: Subscription) -> None:
    assert ahead.of(alice_personal.pk) == []
