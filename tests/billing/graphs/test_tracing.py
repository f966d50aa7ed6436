"""Why was I charged? Every step from the ledger line to the tokens is the same figure."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import periods
from billing.catalog.models import AIModel
from billing.graphs import tracing
from billing.ledger.models import Transfer
from orgs.models import ApiKey, Organization
from tests.billing.graphs.conftest import NOW
from tests.factories import books, catalog, usage

HOUR = periods.floor_hour(NOW) - periods.HOUR


def test_one_hour_of_one_model(acme: Organization, key: ApiKey, other_key: ApiKey, model: AIModel) -> None:
    """The figures of a real hour of traffic: 18,059,974 tokens in and 245,896 out cost 6.5054129 USD."""
    usage.given(acme, "4", now=HOUR - periods.HOUR)
    usage.bought(acme, "100", now=HOUR - periods.HOUR)
    books.accepted(key, model, HOUR, tokens_in=18_000_000, cached=1_000_000, tokens_out=245_000, requests=8_000)
    books.accepted(
        other_key, model, HOUR + timedelta(minutes=16), tokens_in=59_974, cached=0, tokens_out=896, requests=819
    )
    books.charged_and_posted(HOUR, now=NOW)
    trace = tracing.of_hour(acme.pk, HOUR, model.pk)
    assert trace.posted == trace.cost == Decimal("6.5054129")
    assert trace.adds_up
    assert [(one.grant.title if one.grant else "", one.amount, one.left) for one in trace.drawn] == [
        ("Welcome credit", 4, 0),
        ("Purchase", Decimal("2.5054129"), Decimal("97.4945871")),
    ]
    [priced] = trace.priced
    assert [(one.what, one.tokens, one.per_million) for one in priced.counted] == [
        ("Input", 17_059_974, Decimal("0.35")),
        ("Cached input", 1_000_000, Decimal("0.35")),
        ("Output", 245_896, Decimal("0.75")),
    ]
    assert sum(one.cost for one in priced.counted) == priced.cost == Decimal("6.5054129")
    assert [(share.name, share.requests) for share in trace.keys] == [("prod-api", 8_000), ("eval-batch", 819)]
    assert sum(share.cost for share in trace.keys) == Decimal("6.5054129")
    assert trace.minutes is not None
    assert (trace.minutes.used, trace.minutes.cost) == (2, Decimal("6.5054129"))
    assert trace.decimals == 7


def test_use_beyond_credit_comes_last(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.given(acme, "1", now=HOUR - periods.HOUR)
    books.accepted(key, model, HOUR, tokens_in=10_000_000, tokens_out=0)
    books.charged_and_posted(HOUR, now=NOW)
    trace = tracing.of_hour(acme.pk, HOUR, model.pk)
    assert [(one.grant is None, one.amount) for one in trace.drawn] == [(False, 1), (True, Decimal("2.5"))]
    assert trace.overdrawn


def test_a_price_that_changed_within_the_hour(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.bought(acme, "10", now=HOUR - periods.HOUR)
    catalog.price(model, HOUR + timedelta(minutes=30), input_usd="0.50", output_usd="0.75")
    books.accepted(key, model, HOUR, tokens_in=1_000_000, tokens_out=0)
    books.accepted(key, model, HOUR + timedelta(minutes=31), tokens_in=1_000_000, tokens_out=0)
    books.charged_and_posted(HOUR, now=NOW)
    trace = tracing.of_hour(acme.pk, HOUR, model.pk)
    assert [priced.cost for priced in trace.priced] == [Decimal("0.35"), Decimal("0.50")]
    assert trace.adds_up


def test_late_use_is_told_apart_until_it_is_posted(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.bought(acme, "10", now=HOUR - periods.HOUR)
    books.accepted(key, model, HOUR, tokens_in=1_000_000, tokens_out=0)
    books.charged_and_posted(HOUR, now=NOW)
    books.accepted(key, model, HOUR, tokens_in=2_000_000, tokens_out=0, late=2_000_000)
    books.charged(now=NOW)
    trace = tracing.of_hour(acme.pk, HOUR, model.pk)
    assert (trace.posted, trace.accrued, trace.cost) == (Decimal("0.35"), Decimal("0.7"), Decimal("1.05"))
    assert trace.adds_up
    books.charged(now=NOW + periods.HOUR)
    later = tracing.of_hour(acme.pk, HOUR, model.pk)
    assert (len(later.lines), later.posted, later.accrued) == (2, Decimal("1.05"), 0)
    assert later.adds_up


def test_other_models_have_no_part_in_it(acme: Organization, key: ApiKey, model: AIModel, other_model: AIModel) -> None:
    usage.bought(acme, "10", now=HOUR - periods.HOUR)
    for used in (model, other_model):
        books.accepted(key, used, HOUR, tokens_in=1_000_000, tokens_out=0)
    books.charged_and_posted(HOUR, now=NOW)
    trace = tracing.of_hour(acme.pk, HOUR, model.pk)
    assert trace.posted == Decimal("0.35")
    assert trace.minutes is not None
    assert trace.minutes.cost == Decimal("0.35")


def test_new_credit_says_what_it_paid_first(acme: Organization, key: ApiKey, model: AIModel) -> None:
    books.accepted(key, model, HOUR, tokens_in=10_000_000, tokens_out=0)
    books.charged_and_posted(HOUR, now=NOW)
    grant = usage.bought(acme, "20", now=NOW)
    [paid] = tracing.debts_paid(grant.account_id)
    assert paid.amount == Decimal("3.5")
    assert Transfer.objects.get(pk=paid.pk).reason == "overdraft_paid"


@pytest.mark.parametrize("grants", [1, 5])
def test_the_cost_of_an_answer_does_not_grow(
    acme: Organization, key: ApiKey, model: AIModel, grants: int, django_assert_num_queries: Any
) -> None:
    for _ in range(grants):
        usage.given(acme, "0.50", now=HOUR - periods.HOUR)
    for minute in range(0, 60, 60 // grants // 2):
        books.accepted(key, model, HOUR + timedelta(minutes=minute), tokens_in=400_000, tokens_out=0)
    books.charged_and_posted(HOUR, now=NOW)
    with django_assert_num_queries(9):
        assert tracing.of_hour(acme.pk, HOUR, model.pk).adds_up
