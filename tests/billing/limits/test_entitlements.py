"""What a key may do, in the order of A24: the key, the model, who covers it, then money."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.catalog.offer import Catalog, Model, Plan, Version, Windows
from billing.coverage.models import Payer
from billing.limits import entitlements
from billing.limits.answers import NOTHING, STATUS, Answer, ModelAnswer, Reason
from billing.limits.entitlements import Picture, Span

NOW = datetime(2026, 4, 14, 12, 41, tzinfo=UTC)
MIDNIGHT = datetime(2026, 4, 15, tzinfo=UTC)
DAY = timedelta(days=1)

FREE = Windows(requests_per_minute=10, tokens_per_day=1_000_000)
PAYG = Windows(requests_per_minute=1_000, tokens_per_minute=1_000_000)
PRO = Windows(requests_per_minute=50, tokens_per_minute=250_000)
MAX = Windows(requests_per_minute=100, tokens_per_minute=400_000)


def model(id: int, slug: str, *, ends: date | None = None, since: datetime = NOW - DAY, **tiers: Windows) -> Model:
    price = Version(since, Decimal("0.00000035"), Decimal("0.00000035"), Decimal("0.00000075"))
    return Model(id, slug, slug, "Example", ends, (price,), {name.replace("__", ":"): w for name, w in tiers.items()})


GPT = model(1, "gpt", free=FREE, payg=PAYG)
GLM = Model(2, "glm", "GLM", "Example", None, GPT.prices, {"payg": PAYG, "plan:pro": PRO, "plan:max": MAX})
OLD = model(3, "old", ends=date(2026, 4, 13), free=FREE, payg=PAYG)
LAST_DAY = model(4, "last-day", ends=date(2026, 4, 14), free=FREE, payg=PAYG)
UNPRICED = model(5, "unpriced", since=NOW + timedelta(seconds=3), free=FREE, payg=PAYG)
NOWHERE = model(6, "nowhere")
PRO_PLAN = Plan(7, "pro", "Pro", Decimal(50), 1_000, 1, frozenset({2}))
MAX_PLAN = Plan(8, "max", "Max", Decimal(200), 5_000, 2, frozenset({2}))
CATALOG = Catalog((GPT, GLM, OLD, LAST_DAY, UNPRICED, NOWHERE), (PRO_PLAN, MAX_PLAN))


def picture(**facts: Any) -> Picture:
    """A Team's key with 10 USD of credit, unless said otherwise."""
    usual: dict[str, Any] = {
        "public_id": "key_1",
        "organization": "Acme Labs",
        "personal": False,
        "available": Decimal(10),
        "base": Payer.CREDITS,
    }
    return Picture(**(usual | facts))


def ask(slug: str = "gpt", *, now: datetime = NOW, **facts: Any) -> ModelAnswer:
    return next(m for m in whole(now=now, **facts).models if m.model == slug)


def whole(*, now: datetime = NOW, **facts: Any) -> Answer:
    return entitlements.answer(picture(**facts), CATALOG, now=now)


def under(plan: Plan = PRO_PLAN, *, used: int = 0, start: datetime = NOW - DAY, end: datetime = NOW + 10 * DAY) -> Span:
    return Span(2, Payer.SUBSCRIPTION, plan.id, start, end, used)


# --- The key -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"revoked_at": NOW - DAY}, Reason.KEY_REVOKED),
        ({"expires_at": NOW}, Reason.KEY_EXPIRED),
        ({"expires_at": NOW - DAY, "revoked_at": NOW}, Reason.KEY_REVOKED),
    ],
)
def test_a_key_that_ended_opens_nothing(facts: dict[str, Any], reason: Reason) -> None:
    told = whole(**facts)
    assert (told.http_status, told.reason, told.models) == (401, reason, [])
    assert told.remedy


def test_a_key_works_until_the_instant_it_expires() -> None:
    told = whole(expires_at=NOW + timedelta(seconds=2))
    assert told.http_status == 200
    assert told.valid_until == told.stale_until == NOW + timedelta(seconds=2)
    assert told.max_age == 2


# --- The model ---------------------------------------------------------------------------------------------------------


def test_a_retired_model_is_refused_whoever_would_pay() -> None:
    cover = Span(3, Payer.CONTRACT, 1, NOW - DAY, NOW + DAY)
    told = ask("old", spans=(cover,))
    assert (told.http_status, told.reason) == (403, Reason.MODEL_RETIRED)
    assert told.remedy == "old ended on 13\u00a0Apr\u00a02026. Use gpt, glm or unpriced instead."


def test_a_model_serves_through_its_last_day() -> None:
    assert ask("last-day").http_status == 200
    assert ask("last-day", now=MIDNIGHT - timedelta(microseconds=1)).http_status == 200
    assert ask("last-day", now=MIDNIGHT).reason == Reason.MODEL_RETIRED
    assert ask("last-day").ends_at == MIDNIGHT


def test_a_model_is_not_offered_without_a_tier_or_a_price() -> None:
    assert ask("nowhere").reason == Reason.NOT_OFFERED
    assert ask("unpriced").reason == Reason.NOT_OFFERED
    assert ask("unpriced", now=NOW + timedelta(seconds=3)).http_status == 200
    assert whole().valid_until == NOW + timedelta(seconds=3)


def test_a_model_outside_the_free_tier_is_403_with_the_way_in() -> None:
    told = ask("glm", personal=True, available=Decimal(0), base=Payer.FREE)
    assert (told.http_status, told.reason) == (403, Reason.NOT_OFFERED)
    assert told.remedy == "glm is not part of free usage. Buy credit to use it."


# --- Money -------------------------------------------------------------------------------------------------------------


def test_a_team_with_credit_has_pay_as_you_go_limits() -> None:
    told = ask()
    assert (told.http_status, told.tier, told.payer) == (200, "payg", "credits")
    assert (told.limits.requests_per_minute, told.limits.tokens_per_minute) == (1_000, 1_000_000)
    assert told.limits.tokens_per_day is None


@pytest.mark.parametrize("available", ["0", "-0.000000000001", "-4"])
def test_a_team_without_credit_gets_402_with_the_way_out(available: str) -> None:
    told = ask(available=Decimal(available))
    assert (told.http_status, told.reason, told.limits) == (402, Reason.NO_CREDIT, NOTHING)
    assert told.remedy == (
        "This key belongs to Acme Labs, which has no credit. "
        "Buy credit for Acme Labs: requests work again within 10 seconds of the payment."
    )


def test_the_smallest_credit_is_credit() -> None:
    assert ask(available=Decimal("0.000000000001")).http_status == 200


def test_a_personal_organization_pays_while_it_has_credit_and_is_free_after() -> None:
    paying = ask(personal=True, base=Payer.FREE)  # the base payer may lag; the balance of this moment decides
    assert (paying.tier, paying.payer) == ("payg", "credits")
    free = ask(personal=True, base=Payer.CREDITS, available=Decimal(0))
    assert (free.http_status, free.tier, free.payer) == (200, "free", "free")
    assert (free.limits.requests_per_minute, free.limits.tokens_per_day) == (10, 1_000_000)


@pytest.mark.parametrize("personal", [False, True])
@pytest.mark.parametrize("available", ["10", "0"])
def test_a_key_at_its_cap_gets_402_not_free(personal: bool, available: str) -> None:
    told = ask(personal=personal, available=Decimal(available), cap=Decimal(25), spent=Decimal(25))
    assert told.http_status == 402
    assert told.reason == (Reason.NO_CREDIT if available == "0" and not personal else Reason.KEY_CAP)


def test_a_cap_is_reached_exactly() -> None:
    assert ask(cap=Decimal(25), spent=Decimal("24.999999999999")).http_status == 200
    told = ask(cap=Decimal(25), spent=Decimal(25))
    assert told.remedy == (
        "This key has spent its cap of $25.00 for this month. "
        "Raise the cap, or wait until 1\u00a0May\u00a02026, 00:00\u00a0UTC."
    )


# --- Coverage ----------------------------------------------------------------------------------------------------------


def test_a_plan_covers_its_model_without_credit_and_beyond_a_cap() -> None:
    facts: dict[str, Any] = {
        "available": Decimal(-3),
        "cap": Decimal(1),
        "spent": Decimal(2),
        "spans": (under(used=999),),
    }
    told = ask("glm", **facts)
    assert (told.http_status, told.tier, told.payer) == (200, "plan:pro", "subscription")
    assert told.limits.tokens_per_minute == 250_000
    assert told.allowance is not None
    assert (told.allowance.limit, told.allowance.used, told.allowance.reset_at) == (1_000, 999, MIDNIGHT)
    assert ask("gpt", **facts).reason == Reason.NO_CREDIT


def test_a_used_up_allowance_is_429_and_credit_never_steps_in() -> None:
    told = ask("glm", spans=(under(used=1_000),))
    assert (told.http_status, told.reason, told.limits) == (429, Reason.DAILY_ALLOWANCE, NOTHING)
    assert told.allowance is not None
    assert told.allowance.reset_at == MIDNIGHT
    assert told.remedy == (
        "The 1\u00a0k tokens a day of Pro are used up. Requests work again from 15\u00a0Apr\u00a02026, 00:00\u00a0UTC."
    )


def test_on_a_day_with_two_plans_the_higher_allowance_counts_all_use() -> None:
    change = NOW - timedelta(hours=2)
    told = ask("glm", spans=(under(PRO_PLAN, used=900, end=change), under(MAX_PLAN, used=600, start=change)))
    assert told.allowance is not None
    assert (told.allowance.limit, told.allowance.used, told.tier) == (5_000, 1_500, "plan:max")
    down = ask("glm", spans=(under(MAX_PLAN, used=900, end=change), under(PRO_PLAN, used=600, start=change)))
    assert down.allowance is not None
    assert (down.allowance.limit, down.allowance.used, down.tier) == (5_000, 1_500, "plan:pro")


@pytest.mark.parametrize(("state", "reason"), [("past_due", Reason.PLAN_PAST_DUE), ("suspended", Reason.PLAN_DISPUTED)])
def test_where_a_plan_stopped_covering_credit_never_steps_in(state: str, reason: Reason) -> None:
    told = ask("glm", stopped={2: state})
    assert (told.http_status, told.reason, told.limits) == (402, reason, NOTHING)
    assert told.remedy is not None
    assert told.remedy.startswith(("The plan of Acme Labs", "A payment for the plan of Acme Labs"))
    assert ask("gpt", stopped={2: state}).http_status == 200, "another model is nobody's plan"
    assert ask("glm", stopped={2: state}, spans=(under(),)).http_status == 200, "in grace it covers"


def test_cover_ends_to_the_instant() -> None:
    spans = (under(end=NOW + timedelta(seconds=2)),)
    told = whole(spans=spans, available=Decimal(0))
    assert told.valid_until == NOW + timedelta(seconds=2)
    assert ask("glm", spans=spans, available=Decimal(0), now=told.valid_until).reason == Reason.NO_CREDIT


def test_contract_and_marketplace_cover_with_the_limits_of_pay_as_you_go() -> None:
    contract = ask("glm", available=Decimal(0), spans=(Span(2, Payer.CONTRACT, 1, NOW - DAY, NOW + DAY),))
    assert (contract.http_status, contract.tier, contract.payer) == (200, "contract", "contract")
    assert contract.limits.tokens_per_minute == 1_000_000
    aws = ask("gpt", available=Decimal(0), base=Payer.MARKETPLACE)
    assert (aws.http_status, aws.tier, aws.payer) == (200, "marketplace", "marketplace")


def test_a_plan_whose_limits_are_gone_offers_nothing() -> None:
    bare = Catalog((Model(2, "glm", "GLM", "Example", None, GPT.prices, {"payg": PAYG}),), (PRO_PLAN,))
    told = entitlements.answer(picture(spans=(under(),)), bare, now=NOW).models[0]
    assert told.reason == Reason.NOT_OFFERED


# --- How long it holds -------------------------------------------------------------------------------------------------

STEADY = Catalog((GPT, GLM), (PRO_PLAN, MAX_PLAN))


@pytest.mark.parametrize(
    ("facts", "boundary"),
    [
        ({}, None),
        ({"credit_ends": NOW + timedelta(minutes=2)}, NOW + timedelta(minutes=2)),
        ({"spans": (under(start=NOW + timedelta(minutes=1)),)}, NOW + timedelta(minutes=1)),
        ({"spans": (under(),)}, MIDNIGHT),
        ({"cap": Decimal(5)}, datetime(2026, 5, 1, tzinfo=UTC)),
        ({"expires_at": NOW - DAY}, None),
    ],
)
def test_the_next_known_boundary(facts: dict[str, Any], boundary: datetime | None) -> None:
    assert entitlements.next_boundary(picture(**facts), STEADY, now=NOW) == boundary


def test_an_answer_holds_ten_seconds_and_five_minutes_when_purser_is_away() -> None:
    told = entitlements.answer(picture(version=48_211), STEADY, now=NOW)
    assert (told.valid_until - NOW, told.stale_until - NOW) == (timedelta(seconds=10), timedelta(minutes=5))
    assert (told.max_age, told.version) == (10, 48_211)


# --- Whatever the facts ------------------------------------------------------------------------------------------------

moments = st.integers(-3 * 86_400, 3 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))
money = st.decimals(min_value=-20, max_value=20, places=12)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start, end = sorted([draw(moments), draw(moments)])
    payer = draw(st.sampled_from([Payer.SUBSCRIPTION, Payer.CONTRACT, Payer.MARKETPLACE]))
    used = draw(st.integers(0, 8_000))
    return Span(draw(st.integers(1, 6)), payer, draw(st.sampled_from([7, 8])), start, end + timedelta(seconds=1), used)


pictures = st.builds(
    Picture,
    public_id=st.just("key_1"),
    organization=st.text(max_size=20),
    personal=st.booleans(),
    available=money,
    base=st.sampled_from([Payer.CREDITS, Payer.FREE]),
    version=st.integers(0, 10),
    revoked_at=st.none() | moments,
    expires_at=st.none() | moments,
    cap=st.none() | st.decimals(min_value=1, max_value=20, places=2),
    spent=st.decimals(min_value=0, max_value=20, places=6),
    spans=st.lists(spans(), max_size=4).map(tuple),
    credit_ends=st.none() | moments,
)


@settings(max_examples=300, deadline=None)
@given(facts=pictures)
def test_no_money_no_limits(facts: Picture) -> None:
    told = entitlements.answer(facts, CATALOG, now=NOW)
    for each in told.models:
        refused = each.http_status != 200
        assert refused == (each.limits == NOTHING) == (each.reason is not None) == (each.remedy is not None)
        if each.reason is not None:
            assert STATUS[each.reason] == each.http_status
        covered = each.payer in ("subscription", "contract", "marketplace")
        if not refused and not covered:
            assert facts.available > 0 or (facts.personal and each.payer == "free")
            assert facts.cap is None or facts.spent < facts.cap
        if each.payer == "free":
            assert facts.available <= 0
        if each.http_status == 429:
            assert each.allowance is not None
            assert each.allowance.used >= each.allowance.limit
        if each.model in ("old", "nowhere"):
            assert each.http_status == 403
    if facts.revoked_at is not None:
        assert (told.http_status, told.models) == (401, [])


@settings(max_examples=300, deadline=None)
@given(facts=pictures, catalog=st.sampled_from([CATALOG, STEADY]), seconds=st.integers(0, 300))
def test_until_the_boundary_the_clock_changes_nothing(facts: Picture, catalog: Catalog, seconds: int) -> None:
    told = entitlements.answer(facts, catalog, now=NOW)
    assert NOW < told.valid_until <= NOW + timedelta(seconds=10)
    assert told.valid_until <= told.stale_until <= NOW + timedelta(minutes=5)
    later = min(NOW + timedelta(seconds=seconds), told.stale_until - timedelta(microseconds=1))
    again = entitlements.answer(facts, catalog, now=later)
    assert (again.http_status, again.reason, again.models) == (told.http_status, told.reason, told.models)
