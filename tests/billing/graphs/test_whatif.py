"""What if: the same use, priced each way. Figures worked out by hand, at the published prices of the first catalog.

Per million: gpt-oss-120b 0.35 in, 0.75 out; zai-glm-4.7 2.25 in, 2.75 out. Code Pro: 50 a month, 24 M tokens a day, 250,000
tokens and 50 requests a minute; Code Max: 200, 120 M, 400,000, 100; both cover zai-glm-4.7. Pay as you go: 500,000, 500.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.catalog import current as on_sale
from billing.catalog.models import AIModel
from billing.catalog.offer import Catalog, Plan
from billing.contracts.terms import Terms
from billing.coverage.models import Payer
from billing.graphs import past_use, whatif, whatif_drawing
from billing.graphs.past_use import Days, History
from billing.graphs.whatif import Held, Option, Promise
from billing.ledger import balances
from billing.money import ZERO
from orgs.models import ApiKey, Organization, User
from tests.billing.graphs.conftest import NOW
from tests.factories import books, catalog, usage
from tests.factories import orgs as people

M = 1_000_000
TODAY = datetime(2026, 4, 14, tzinfo=UTC)


@pytest.fixture
def sold(db: None) -> dict[str, AIModel]:
    return catalog.first_catalog()


@pytest.fixture
def gpt(sold: dict[str, AIModel]) -> AIModel:
    return sold["gpt-oss-120b"]


@pytest.fixture
def glm(sold: dict[str, AIModel]) -> AIModel:
    return sold["zai-glm-4.7"]


@pytest.fixture
def offer(sold: dict[str, AIModel]) -> Catalog:
    return on_sale.load()


def at(day: int, hour: int = 8, minute: int = 0) -> datetime:
    """In April 2026; NOW is 12:41:08 on the 14th."""
    return datetime(2026, 4, day, hour, minute, tzinfo=UTC)


def past(org: Organization, days: Days = Days.MONTH) -> History:
    books.charged(now=NOW)
    return past_use.history(org.pk, past_use.span(days, NOW))


def ways(org: Organization, offer: Catalog, days: Days = Days.MONTH, **other: Any) -> dict[str, Option]:
    """By name: "", "code-pro", "code-pro+contract"; the cheapest first."""
    found = whatif.options(org.pk, past(org, days), offer, now=NOW, **other)
    return {"+".join([*(p.slug for p in one.plans), *(["contract"] if one.promise else [])]): one for one in found}


def promise(model: AIModel, millions: int = 10, per_million: str = "0.50", overage: str = "0.80") -> Promise:
    return Promise.of([model.pk], Terms(millions * M, Decimal(per_million), Decimal(overage), date(2026, 5, 1)))


def plan(offer: Catalog, slug: str) -> Plan:
    return next(plan for plan in offer.plans if plan.slug == slug)


# --- What each way costs -------------------------------------------------------------------------------------------------


def test_the_same_month_each_way_the_cheapest_first(
    acme: Organization, key: ApiKey, gpt: AIModel, glm: AIModel, offer: Catalog
) -> None:
    books.accepted(key, gpt, at(3), tokens_in=10 * M, tokens_out=1 * M)  # 3.50 + 0.75
    books.accepted(key, glm, at(4), tokens_in=4 * M, tokens_out=1 * M)  # 9.00 + 2.75
    found = ways(acme, offer, promise=promise(gpt))
    assert {name: option.total for name, option in found.items()} == {
        "": Decimal("16.00"),
        "contract": Decimal("17.55"),  # 10 M for 5.00, a million beyond for 0.80, and 11.75 for zai-glm-4.7
        "code-pro": Decimal("54.25"),
        "code-pro+contract": Decimal("55.80"),
        "code-max": Decimal("204.25"),
        "code-max+contract": Decimal("205.80"),
    }
    assert list(found) == ["", "contract", "code-pro", "code-pro+contract", "code-max", "code-max+contract"]
    both = found["code-pro+contract"]
    assert (both.plan_usd, both.committed_usd, both.overage_usd, both.credit_usd) == (50, 5, Decimal("0.80"), 0)
    assert promise(gpt).overage_tokens(past(acme)) == 1 * M


def test_a_contract_and_a_plan_never_cover_one_model(
    acme: Organization, key: ApiKey, glm: AIModel, offer: Catalog
) -> None:
    books.accepted(key, glm, at(4), tokens_in=4 * M)
    found = ways(acme, offer, promise=promise(glm, per_million="2"))
    assert set(found) == {"", "contract", "code-pro", "code-max"}


def test_a_commitment_is_paid_each_month_used_or_not_and_no_month_helps_another(
    acme: Organization, key: ApiKey, gpt: AIModel, offer: Catalog
) -> None:
    books.accepted(key, gpt, NOW - timedelta(days=80), tokens_in=12 * M, tokens_out=0)
    books.accepted(key, gpt, NOW - timedelta(days=2), tokens_in=7 * M, tokens_out=0)
    found = ways(acme, offer, Days.QUARTER, promise=promise(gpt))
    assert (found["contract"].committed_usd, found["contract"].overage_usd) == (15, Decimal("1.60"))
    assert found["code-pro"].plan_usd == 150
    assert found[""].total == Decimal("6.65")
    assert past(acme, Days.QUARTER).tokens_by_month([gpt.pk]) == [12 * M, 0, 7 * M]


def test_tokens_cost_what_they_cost_when_they_were_used(acme: Organization, key: ApiKey, offer: Catalog) -> None:
    model = catalog.model("tides", input_usd="1", cached_usd="0.10", output_usd="2")
    catalog.price(model, at(10), input_usd="3", output_usd="3")
    books.accepted(key, model, at(9), tokens_in=2 * M, cached=1 * M, tokens_out=1 * M)  # 1 + 0.10 + 2
    books.accepted(key, model, at(11), tokens_in=1 * M, tokens_out=0)  # 3
    was = past(acme)
    assert was.of(model.pk).cost == Decimal("6.10")
    assert was.per_million(model.pk) == Decimal("1.53")  # 6.10 for 4 M is 1.525: up, so that no contract looks cheaper


def test_whoever_paid_it_is_priced_at_list_and_free_tokens_are_told(
    acme: Organization, key: ApiKey, gpt: AIModel, offer: Catalog
) -> None:
    for payer in (Payer.FREE, Payer.SUBSCRIPTION, Payer.CONTRACT, Payer.CREDITS):
        books.accepted(key, gpt, at(5), tokens_in=1 * M, tokens_out=0, payer=payer)
    assert ways(acme, offer)[""].total == Decimal("1.40")
    assert past(acme).all.free == 1 * M


def test_a_span_is_whole_days_with_today_so_far(acme: Organization, key: ApiKey, gpt: AIModel) -> None:
    first = TODAY - timedelta(days=29)
    for moment in (first - timedelta(minutes=1), first, NOW):
        books.accepted(key, gpt, moment, tokens_in=1 * M, tokens_out=0)
    was = past(acme)
    assert (was.days[0], was.days[-1], len(was.days), was.months) == (first, TODAY, 30, 1)
    assert was.of(gpt.pk).tokens == 2 * M


def test_nobody_is_compared_on_the_use_of_others(
    acme: Organization, charlie_personal: Organization, key: ApiKey, gpt: AIModel, offer: Catalog
) -> None:
    books.accepted(key, gpt, at(5), tokens_in=900 * M)
    found = ways(charlie_personal, offer)
    assert (found[""].total, found[""].hits.minutes) == (0, 0)
    assert past(charlie_personal).per_million(gpt.pk) is None


# --- Limits ----------------------------------------------------------------------------------------------------------------


def test_days_above_the_allowance_and_for_how_long_a_plan_would_have_been_closed(
    acme: Organization, key: ApiKey, glm: AIModel, offer: Catalog
) -> None:
    for moment, tokens in ((at(12, 6), 10), (at(12, 9, 30), 14), (at(12, 20), 3)):
        books.accepted(key, glm, moment, tokens_in=tokens * M, tokens_out=0)
    books.accepted(key, glm, at(13, 9), tokens_in=24 * M, tokens_out=0)  # all of it, and nothing beyond
    found = ways(acme, offer)
    assert found["code-pro"].hits.beyond == {datetime(2026, 4, 12, tzinfo=UTC): 3 * M}
    assert found["code-pro"].hits.closed == timedelta(hours=14, minutes=30)
    assert found["code-max"].hits.beyond == {}
    assert found[""].hits.beyond == {}


def test_today_is_closed_until_now_and_not_until_midnight(
    acme: Organization, key: ApiKey, glm: AIModel, offer: Catalog
) -> None:
    for moment, tokens in ((at(14, 10), 24), (at(14, 11), 1)):
        books.accepted(key, glm, moment, tokens_in=tokens * M, tokens_out=0)
    hits = ways(acme, offer)["code-pro"].hits
    assert (hits.tokens, hits.closed) == (1 * M, timedelta(hours=2, minutes=41, seconds=8))


def test_the_models_of_a_plan_share_its_allowance(acme: Organization, key: ApiKey, gpt: AIModel, glm: AIModel) -> None:
    catalog.plan(gpt, "both", daily_tokens=10 * M, rank=9).covers.add(glm)
    for model, hour in ((gpt, 6), (glm, 7)):
        books.accepted(key, model, at(5, hour), tokens_in=6 * M, tokens_out=0)
    hits = ways(acme, on_sale.load())["both"].hits
    assert (hits.tokens, hits.closed) == (2 * M, timedelta(hours=17))


def test_minutes_in_which_more_was_asked_than_a_plan_lets_through(
    acme: Organization, key: ApiKey, other_key: ApiKey, gpt: AIModel, glm: AIModel, offer: Catalog
) -> None:
    small: dict[str, Any] = {"tokens_out": 0, "requests": 1}
    books.accepted(key, glm, at(5, 8, 0), tokens_in=250_000, **small)  # just enough
    books.accepted(key, glm, at(5, 8, 1), tokens_in=250_001, **small)
    books.accepted(key, glm, at(5, 8, 2), tokens_in=100, tokens_out=0, requests=51)
    for one in (key, other_key):  # the keys of an organization share its limits
        books.accepted(one, glm, at(5, 8, 3), tokens_in=200_000, **small)
    books.accepted(key, glm, at(5, 8, 4), tokens_in=200_000, **small)
    books.accepted(key, gpt, at(5, 8, 4), tokens_in=200_000, **small)  # models do not
    books.accepted(key, glm, at(5, 8, 5), tokens_in=500_001, **small)
    found = ways(acme, offer)
    assert {name: option.hits.minutes for name, option in found.items()} == {"": 1, "code-pro": 4, "code-max": 1}


def test_the_limits_of_a_contract_are_not_guessed(
    acme: Organization, key: ApiKey, gpt: AIModel, offer: Catalog
) -> None:
    books.accepted(key, gpt, at(5), tokens_in=2 * M, tokens_out=0)
    found = ways(acme, offer, promise=promise(gpt))
    assert {name: option.hits.minutes for name, option in found.items() if not option.plans} == {"": 1, "contract": 0}


def test_old_days_are_known_by_the_day_alone(acme: Organization, key: ApiKey, glm: AIModel, offer: Catalog) -> None:
    for days in (60, 36, 35):
        books.accepted(key, glm, TODAY - timedelta(days=days), tokens_in=30 * M, tokens_out=0)
    hits = ways(acme, offer, Days.QUARTER)["code-pro"].hits
    assert (hits.days, hits.closed, hits.minutes) == (3, timedelta(days=1), 1)
    known = past_use.by_the_minute(past_use.span(Days.QUARTER, NOW))
    assert (known.start, known.end) == (TODAY - timedelta(days=35), TODAY + timedelta(days=1))


# --- What it has now ---------------------------------------------------------------------------------------------------


def test_now_is_what_the_organization_has(acme: Organization, key: ApiKey, gpt: AIModel, offer: Catalog) -> None:
    books.accepted(key, gpt, at(5))
    assert [name for name, option in ways(acme, offer, promise=promise(gpt)).items() if option.current] == [""]
    pro = frozenset({plan(offer, "code-pro").id})
    found = ways(acme, offer, held=Held(pro), promise=promise(gpt))
    assert [name for name, option in found.items() if option.current] == ["code-pro"]


def test_two_plans_beside_each_other_are_a_way_of_their_own(
    acme: Organization, key: ApiKey, gpt: AIModel, glm: AIModel
) -> None:
    catalog.plan(gpt, "talk", daily_tokens=1 * M, rank=9)
    books.accepted(key, gpt, at(5, 12), tokens_in=3 * M, tokens_out=0)
    books.accepted(key, glm, at(5, 18), tokens_in=25 * M, tokens_out=0)
    offer = on_sale.load()
    held = frozenset({plan(offer, "code-pro").id, plan(offer, "talk").id})
    both = ways(acme, offer, held=Held(held))["code-pro+talk"]
    assert (both.total, both.current) == (100, True)
    assert (both.hits.days, both.hits.tokens, both.hits.closed) == (1, 3 * M, timedelta(hours=18))


def test_a_plan_without_a_model_left_is_compared_only_while_it_is_had(
    acme: Organization, key: ApiKey, gpt: AIModel
) -> None:
    gone = catalog.model("gone", deprecated_on=date(2026, 4, 1))
    row = catalog.plan(gone, "old-pro", rank=9)
    books.accepted(key, gpt, at(5))
    assert "old-pro" not in ways(acme, on_sale.load())
    assert ways(acme, on_sale.load(), held=Held(frozenset({row.pk})))["old-pro"].current


def test_a_contract_that_there_is_belongs_to_each_way(
    acme: Organization, key: ApiKey, gpt: AIModel, glm: AIModel, offer: Catalog
) -> None:
    """12 M of gpt-oss-120b are 5.00 and 1.60 however glm is paid: it never ends early, and none takes its place."""
    books.accepted(key, gpt, at(3), tokens_in=12 * M, tokens_out=0)
    books.accepted(key, glm, at(4), tokens_in=4 * M, tokens_out=0)  # 9.00
    held = Held(contracts=(promise(gpt),))
    found = ways(acme, offer, held=held, promise=promise(gpt))
    assert {name: option.total for name, option in found.items()} == {
        "": Decimal("15.60"), "code-pro": Decimal("56.60"), "code-max": Decimal("206.60"),
    }  # fmt: skip
    assert [name for name, option in found.items() if option.current] == [""]
    reserved = Held(contracts=(promise(glm, per_million="2"),))
    assert set(ways(acme, offer, held=reserved)) == {""}, "no plan is sold on a model under contract"


def test_what_is_scheduled_is_marked_too(acme: Organization, key: ApiKey, glm: AIModel, offer: Catalog) -> None:
    books.accepted(key, glm, at(4))
    pro, larger = (frozenset({plan(offer, slug).id}) for slug in ("code-pro", "code-max"))
    found = ways(acme, offer, held=Held(larger, next=pro, changes_at=NOW))
    assert [(name, one.current, one.coming) for name, one in found.items() if one.current or one.coming] == [
        ("code-pro", False, True), ("code-max", True, False),
    ]  # fmt: skip
    assert ways(acme, offer, held=Held(pro, next=frozenset(), changes_at=NOW))[""].coming


# --- Drawn -------------------------------------------------------------------------------------------------------------


def test_bars_are_to_one_scale(acme: Organization, key: ApiKey, gpt: AIModel, glm: AIModel, offer: Catalog) -> None:
    books.accepted(key, gpt, at(3), tokens_in=100 * M, tokens_out=20 * M)  # 35 + 15
    found = ways(acme, offer)
    drawn = dict(zip(found, whatif_drawing.bars(list(found.values())), strict=True))
    assert [(part.colour, part.x, part.width) for part in drawn["code-max"]] == [("s1", 0, 80), ("s3", 80, 20)]
    assert [(part.colour, part.x, part.width) for part in drawn["code-pro"]] == [("s1", 0, 20), ("s3", 20, 20)]
    assert [part.title for part in drawn[""]] == ["Credit · $50.00"]


def test_the_days_of_a_plan_fill_from_its_allowance_up(
    acme: Organization, key: ApiKey, glm: AIModel, offer: Catalog
) -> None:
    books.accepted(key, glm, at(12), tokens_in=90 * M, tokens_out=0)
    books.accepted(key, glm, at(14), tokens_in=5 * M, tokens_out=0)
    chart = whatif_drawing.days(past(acme), plan(offer, "code-pro"), NOW)
    within, above = chart.series
    assert (within.values[-3:], above.values[-3:]) == ((24 * M, 0, 5 * M), (66 * M, 0, 0))
    assert [bucket.incomplete for bucket in chart.buckets] == [False] * 29 + [True]
    assert chart.order == (within.name, above.name)
    assert len(whatif_drawing.days(past(acme), plan(offer, "code-max"), NOW).series) == 1


# --- As billing charges, and cheap -------------------------------------------------------------------------------------

USES = st.lists(
    st.tuples(
        st.sampled_from(["gpt-oss-120b", "zai-glm-4.7", "qwen-3-235b-instruct", "llama3.1-8b"]),
        st.integers(0, 29 * 1440),
        st.integers(0, 3 * M),
        st.integers(0, 100),
        st.integers(0, 2 * M),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=USES)
def test_pay_as_you_go_is_what_billing_charged_when_credit_paid_for_everything(
    alice: User, sold: dict[str, AIModel], offer: Catalog, uses: list[tuple[str, int, int, int, int]]
) -> None:
    team = people.team(alice, f"Team {uuid4().hex}")
    key = people.key(team, now=NOW).key
    usage.bought(team, "1000", now=NOW - timedelta(days=31))
    for slug, minutes, tokens_in, cached, tokens_out in uses:
        share = tokens_in * cached // 100
        moment = NOW - timedelta(minutes=minutes)
        books.accepted(key, sold[slug], moment, tokens_in=tokens_in, cached=share, tokens_out=tokens_out)
    found = ways(team, offer)
    charged = 1000 - balances.of(team.pk, now=NOW).available
    assert found[""].total == charged
    assert found[""].credit_usd == sum((past(team).of(model.pk).cost for model in sold.values()), ZERO)


def test_the_cost_of_comparing_does_not_grow_with_use_or_plans(
    acme: Organization, key: ApiKey, sold: dict[str, AIModel], gpt: AIModel, django_assert_num_queries: Any
) -> None:
    for rank in range(10, 16):
        catalog.plan(gpt, f"plan-{rank}", daily_tokens=1 * M, rank=rank)
    for hours in range(0, 200, 9):
        for model in sold.values():
            books.accepted(key, model, NOW - timedelta(hours=hours))
    books.charged(now=NOW)
    offer = on_sale.load()
    with django_assert_num_queries(3):
        was = past_use.history(acme.pk, past_use.span(Days.QUARTER, NOW))
        assert len(whatif.options(acme.pk, was, offer, now=NOW, promise=promise(gpt))) == 12
