"""To which grant an event's money goes back: the one drawn last, of those that live (A33)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import balances
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant
from billing.metering import ingest
from billing.metering.events import Event
from billing.metering.models import Gateway
from billing.metering.reversing import Reversal
from orgs.models import ApiKey, Organization
from tests.billing.metering.conftest import NOW
from tests.factories import usage

pytestmark = pytest.mark.django_db

DOLLAR = {"input_tokens": 2_000_000, "output_tokens": 400_000}


@pytest.fixture
def use(gateway: Gateway, key: ApiKey, model: AIModel) -> Any:
    """One event that costs a dollar, reported and not charged yet."""

    def reported(at: datetime = NOW) -> Event:
        event = usage.event(key.public_id, at, **DOLLAR)
        ingest.ingest(usage.batch(event), gateway_id=gateway.pk, now=NOW)
        return event

    return reported


@pytest.fixture
def reverse(gateway: Gateway) -> Any:
    def ask(event: Event, *, now: datetime = NOW) -> None:
        flows.reverse_usage(Reversal(uuid4(), event.id, "a test", gateway.pk), now=now)

    return ask


def rest(grant: CreditGrant) -> Decimal:
    return Account.objects.get(pk=grant.pk).rest


def test_the_grant_drawn_last_is_not_the_one_issued_last(use: Any, reverse: Any, acme: Organization) -> None:
    """Bought first and drawn last, in one sweep: the promotion ends earlier, so it paid first."""
    paid = usage.bought(acme, "10", now=NOW)
    promo = usage.given(acme, "0.40", now=NOW)
    first, _ = use(), use()
    flows.sweep(now=NOW)
    assert (rest(promo), rest(paid)) == (0, Decimal("8.4"))
    reverse(first)
    assert (rest(promo), rest(paid)) == (0, Decimal("9.4"))


def test_the_grant_drawn_last_is_not_the_one_drawn_first_last(use: Any, reverse: Any, acme: Organization) -> None:
    """Drawn, then a promotion that ends earlier, then drawn again within the hour."""
    paid = usage.bought(acme, "10", now=NOW)
    use()
    flows.sweep(now=NOW)
    promo = usage.given(acme, "0.40", now=NOW)
    event = use()
    flows.sweep(now=NOW)
    assert (rest(promo), rest(paid)) == (0, Decimal("8.4"))
    reverse(event)
    assert (rest(promo), rest(paid)) == (0, Decimal("9.4"))


def test_only_where_no_grant_lives_it_is_a_correction(use: Any, reverse: Any, acme: Organization) -> None:
    """The promotion was drawn last and has ended; the purchase paid for that hour too, and lives."""
    paid = usage.bought(acme, "10", now=NOW)
    event = use()
    flows.sweep(now=NOW)
    promo = usage.given(acme, "1", now=NOW, days=1)
    use()
    flows.sweep(now=NOW)
    assert (rest(promo), rest(paid)) == (0, 9)
    later = NOW + timedelta(days=2)
    reverse(event, now=later)
    assert rest(paid) == balances.of(acme.pk, now=later).available == 10
    assert not CreditGrant.objects.filter(source="correction").exists()


def test_what_ended_comes_back_once_as_what_it_was(use: Any, reverse: Any, acme: Organization) -> None:
    """A promotion paid for the first event and a later purchase for the second; then the promotion ends."""
    promo = usage.given(acme, "1", now=NOW, days=1)
    first, second = use(), use()
    flows.sweep(now=NOW)
    paid = usage.bought(acme, "10", now=NOW)
    assert (rest(promo), rest(paid)) == (0, 9)
    later = NOW + timedelta(days=2)
    reverse(first, now=later)
    reverse(second, now=later)
    assert rest(paid) == 10
    correction = CreditGrant.objects.get(source="correction")
    assert (correction.account.code, rest(correction)) == (Code.CREDIT_PROMO, 1)
