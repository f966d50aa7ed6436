"""What a contract will do by itself, told by its own rules. That it then does is a scenario (`test_timeline.py`)."""

from datetime import UTC, date, datetime

import pytest

from billing.catalog import current
from billing.catalog.models import AIModel
from billing.contracts import ahead
from billing.contracts.ahead import What
from billing.payments.models import PaymentMethod
from orgs.models import Organization, User
from tests.factories import cards, contracts
from tests.factories.contracts import DAY, FEBRUARY, MARCH

pytestmark = pytest.mark.django_db

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
TWO_YEARS_ON = datetime(2028, 2, 20, tzinfo=UTC)


def told(org: Organization, now: datetime = FEBRUARY) -> list[tuple[What, datetime, int]]:
    [standing] = ahead.of(org.pk)
    found = ahead.steps(standing, current.latest(), now=now, until=TWO_YEARS_ON)
    return [(one.what, one.at, one.cents) for one in found]


def test_twelve_months_and_then_it_ends(acme: Organization, alice: User) -> None:
    contracts.accepted(acme, alice)
    steps, over = told(acme), datetime(2027, 3, 1, tzinfo=UTC)
    assert [(what, cents) for what, _, cents in steps] == [(What.COMMITTED, 5_00)] * 12 + [
        (What.TOLD, 0),
        (What.ENDED, 0),
    ]
    assert [at.day for _, at, _ in steps[:12]] == [1] * 12
    assert [at for _, at, _ in steps[12:]] == [over - 60 * DAY, over]


def test_a_month_that_has_begun_is_not_ahead(acme: Organization, alice: User) -> None:
    contracts.running(acme, alice)
    assert told(acme, MARCH + DAY)[0] == (What.COMMITTED, APRIL, 5_00)


def test_without_a_card_it_starts_a_month_later(acme: Organization, alice: User) -> None:
    contracts.accepted(acme, alice)
    PaymentMethod.objects.update(detached_at=FEBRUARY, is_default=False)
    assert told(acme) == [(What.COMMITTED, MARCH, 5_00), (What.PUT_OFF, MARCH + DAY, 0)]


def test_a_card_that_expires_leaves_it_owed_and_closes_it(acme: Organization, alice: User) -> None:
    cards.saved(acme, expires=(2026, 3))
    contracts.accepted(acme, alice, card=False)
    steps = told(acme)
    assert steps[:3] == [
        (What.COMMITTED, MARCH, 5_00),
        (What.COMMITTED, APRIL, 5_00),
        (What.CLOSED, APRIL + 14 * DAY, 0),
    ]
    assert [what for what, _, _ in steps].count(What.CLOSED) == 1
    assert [what for what, _, _ in steps].count(What.COMMITTED) == 12


def test_what_was_declined_is_tried_again(acme: Organization, alice: User) -> None:
    contracts.running(acme, alice)
    contracts.begun(APRIL)
    contracts.refused(acme, now=APRIL)
    assert told(acme, APRIL)[:2] == [(What.RETRIED, APRIL + DAY, 5_00), (What.CLOSED, APRIL + 14 * DAY, 0)]


def test_its_last_model_is_retired_within_a_month(acme: Organization, alice: User) -> None:
    contracts.accepted(acme, alice)
    AIModel.objects.update(deprecated_on=date(2026, 4, 14))
    assert told(acme) == [
        (What.COMMITTED, MARCH, 5_00), (What.COMMITTED, APRIL, 2_33),  # 14 of 30 days
        (What.ENDED, datetime(2026, 4, 15, tzinfo=UTC), 0),
    ]  # fmt: skip


def test_an_offer_lasts_until_its_start(acme: Organization, alice: User) -> None:
    contracts.offered(acme, alice)
    assert told(acme) == [(What.LAPSED, MARCH, 0)]
    assert told(acme, MARCH) == []
