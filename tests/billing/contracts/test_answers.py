"""What a key is told of a model under a contract: its own rates, and 402 where money is the cause, to the instant."""

from datetime import UTC, datetime

import pytest

from billing import flows
from billing.catalog import current
from billing.limits import entitlements, reading
from billing.limits.answers import ModelAnswer
from billing.limits.models import LimitsAnswer
from orgs.models import Organization, User
from tests.factories import contracts, usage
from tests.factories import orgs as people
from tests.factories.contracts import DAY, MARCH, MILLION, MINUTE

pytestmark = pytest.mark.django_db

APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def told(org: Organization, now: datetime) -> ModelAnswer:
    catalog = current.latest()
    [model] = [model for model in catalog.models if model.slug == contracts.MODEL]
    return entitlements.for_model(reading.pictures([org.pk], now=now)[org.pk], model, catalog, now=now)


def version(org: Organization) -> int:
    return LimitsAnswer.objects.values_list("version", flat=True).get(pk=org.pk)


def test_its_own_rates_and_no_day(acme: Organization, alice: User) -> None:
    contracts.model()
    people.key(acme, now=MARCH - DAY)
    assert told(acme, MARCH - MINUTE).reason == "no_credit"
    contracts.accepted(acme, alice)
    contracts.begun()
    before = version(acme)
    contracts.paid(acme, now=MARCH + MINUTE)
    answer = told(acme, MARCH + MINUTE)
    assert (answer.http_status, answer.tier, answer.payer) == (200, "contract", "contract")
    assert (answer.limits.requests_per_minute, answer.limits.tokens_per_minute) == (600, 600_000)
    assert (answer.limits.requests_per_day, answer.limits.tokens_per_day) == (None, None)
    assert version(acme) > before


def test_the_overage_limit_closes_until_the_month_ends_or_an_owner_raises_it(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    at = MARCH + 9 * DAY
    contracts.used(acme, 16 * MILLION, at=at)
    assert told(acme, at).http_status == 200
    before = version(acme)
    contracts.used(acme, MILLION, at=at)
    answer = told(acme, at)
    assert (answer.http_status, answer.reason) == (402, "contract_overage_limit")
    assert "limit of $5.00" in (answer.remedy or "")
    assert version(acme) > before
    # The answer says when that ends by itself; to the instant.
    catalog = current.latest()
    picture = reading.pictures([acme.pk], now=APRIL - MINUTE)[acme.pk]
    assert entitlements.next_boundary(picture, catalog, now=APRIL - MINUTE) == APRIL
    assert told(acme, APRIL).http_status == 200
    flows.set_contract_limit(contract, 6_00, by=alice.pk, now=at)
    assert told(acme, at).http_status == 200


def test_credit_does_not_step_in(acme: Organization, alice: User) -> None:
    contracts.running(acme, alice, overage_limit_cents=0)
    usage.bought(acme, "20", now=MARCH + DAY)
    contracts.used(acme, 10 * MILLION, at=MARCH + 2 * DAY)
    assert told(acme, MARCH + 2 * DAY).reason == "contract_overage_limit"


def test_fourteen_days_unpaid_close_it_to_the_instant_and_payment_opens_it(acme: Organization, alice: User) -> None:
    contracts.running(acme, alice)
    contracts.begun(APRIL)
    for day in (0, 1, 3, 7, 13):
        contracts.refused(acme, now=APRIL + day * DAY)
    closes = APRIL + 14 * DAY
    assert told(acme, closes - MINUTE).http_status == 200
    catalog, picture = current.latest(), reading.pictures([acme.pk], now=closes - MINUTE)[acme.pk]
    assert entitlements.next_boundary(picture, catalog, now=closes - MINUTE) == closes
    answer = told(acme, closes)
    assert (answer.http_status, answer.reason) == (402, "contract_past_due")
    contracts.begun(closes)
    contracts.dunned_again(acme, now=closes)
    contracts.paid(acme, now=closes)
    assert told(acme, closes).http_status == 200
