"""What the money timeline previews is what then happens: a year is foretold, lived through, and compared, both ways."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing import flows, periods
from billing.catalog.models import AIModel, Plan
from billing.contracts.models import Contract
from billing.contracts.monthly import ContractDue
from billing.coverage.models import Coverage, Payer
from billing.graphs import timeline
from billing.graphs.timeline import Item, Kind
from billing.ledger.models import LedgerPeriod, Transfer
from billing.notices.models import Notice
from billing.payments import card_charges
from billing.payments.models import PaymentMethod, Refund
from billing.settlement.closing import AT_LATEST
from billing.subscriptions.models import Change, PaidPeriod, Subscription
from orgs.models import Organization
from tests.factories import cards, contracts, months, usage
from tests.scenarios.plan_life import DAY, MINUTE, MODEL, Life

pytestmark = pytest.mark.django_db(transaction=True)

Told = tuple[datetime, Kind, Decimal | None]
"""When, what, and how much: charged to a card, or lost of a grant."""

START = datetime(2026, 1, 31, 10, 0, 30, tzinfo=UTC)
LOOKS = datetime(2026, 2, 20, 16, 20, tzinfo=UTC)
"""When the timeline is looked at."""
A_YEAR_ON = datetime(2027, 2, 20, 16, 20, tzinfo=UTC)
MILLION = 1_000_000


def comes_by(life: Life, at: datetime) -> None:
    """What production does by itself, with gateways that have reported everything."""
    life.clock(at)
    flows.retire_plans(now=at)
    flows.bring_contracts_forward(now=at)
    flows.collect_contracts(now=at)
    months.reported(at)
    flows.expire(now=at)
    flows.settle_periods(now=at)


def is_scheduled(life: Life) -> Contract:
    """Credit of two kinds, a plan that becomes a smaller one, a contract in its first month, a second card."""
    life.buys("10", START - 20 * DAY)
    life.chooses("code-max", START)
    life.now(START - 10 * DAY)
    contract = contracts.accepted(
        life.acme, life.alice, card=False, now=START - 10 * DAY, starts_on=date(2026, 2, 1)
    )  # fmt: skip
    comes_by(life, datetime(2026, 2, 1, 0, 1, tzinfo=UTC))
    contracts.used(life.acme, 4 * MILLION, at=datetime(2026, 2, 3, 9, tzinfo=UTC))
    usage.given(life.acme, "20", now=LOOKS - DAY, days=115)
    cards.saved(life.acme, "1881", expires=(2026, 9), at=LOOKS - DAY)
    pro = Plan.objects.get(slug="code-pro")
    flows.schedule_plan(life.acme.pk, life.id, pro.pk, by=life.alice.pk, now=LOOKS - MINUTE)
    comes_by(life, LOOKS - MINUTE)
    contract.refresh_from_db()
    assert contract.state == "active"
    return contract


def lives_through(life: Life, foretold: tuple[Item, ...]) -> None:
    """A minute after each moment on the timeline, and once a week besides: what is on none would happen then."""
    stops = {item.at + MINUTE for item in foretold} | {LOOKS + 7 * n * DAY for n in range(53)}
    for at in sorted(stops):
        comes_by(life, at)
    comes_by(life, A_YEAR_ON + AT_LATEST)


def happened(org: Organization, contract: Contract) -> Iterator[Told]:
    """All that the clock alone did in that year, from the books, the periods and what people were told."""
    since = {"paid_at__gt": LOOKS, "starts_at__lt": A_YEAR_ON}
    for fee in PaidPeriod.objects.filter(wallet_id=org.pk, part=0, **since):
        yield fee.starts_at, Kind.RENEWAL, Decimal(fee.charged_cents) / 100
    for change in Change.objects.filter(wallet_id=org.pk, applied_at__isnull=False):
        yield change.effective_at, Kind.PLAN_CHANGE, None
    for ended in Subscription.objects.filter(wallet_id=org.pk, ended_at__isnull=False):
        assert ended.ended_at is not None
        yield ended.ended_at, Kind.PLAN_END, None
    for due in Transfer.objects.filter(wallet=org.pk, reason="commitment", effective_at__gt=LOOKS):
        yield due.effective_at, Kind.COMMITMENT, due.amount
    for lost in Transfer.objects.filter(wallet=org.pk, reason="expiry"):
        yield lost.effective_at, Kind.EXPIRY, lost.amount
    for cover in Coverage.objects.filter(wallet=org.pk, payer=Payer.CONTRACT, valid_to__lt=A_YEAR_ON):
        assert Contract.objects.get(pk=contract.pk).state == "ended"
        yield cover.valid_to, Kind.CONTRACT_END, None
    for told in Notice.objects.filter(wallet=org.pk, kind="contract_ending"):
        yield told.created_at - MINUTE, Kind.CONTRACT_NOTICE, None
    for month in LedgerPeriod.objects.filter(wallet=org.pk, closed_at__gt=LOOKS):
        end = periods.month_start(periods.next_month(month.period))
        if end < A_YEAR_ON:
            yield end, Kind.MONTH_CLOSE, None
    for card in PaymentMethod.objects.filter(wallet_id=org.pk, detached_at=None):
        if not card_charges.is_usable(card, now=A_YEAR_ON):
            yield datetime(card.exp_year, card.exp_month + 1, 1, tzinfo=UTC), Kind.CARD_END, None


def test_scheduled_items_are_what_a_simulated_year_then_does(life: Life) -> None:
    contract = is_scheduled(life)
    foretold = timeline.of(life.acme.pk, now=LOOKS).items
    assert all(item.fixed for item in foretold), "nothing is used at a pace"
    charged_before = len(life.charges)

    lives_through(life, foretold)

    told = [(item.at, item.kind, item.charge if item.credit is None else item.credit) for item in foretold]
    assert sorted(happened(life.acme, contract)) == sorted(told)
    # Enough of each happened for that to say something.
    kinds = [kind for _, kind, _ in told]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        Kind.PLAN_CHANGE: 1, Kind.RENEWAL: 12, Kind.COMMITMENT: 11, Kind.CONTRACT_NOTICE: 1, Kind.CONTRACT_END: 1,
        Kind.EXPIRY: 2, Kind.MONTH_CLOSE: 12, Kind.CARD_END: 1,
    }  # fmt: skip
    # Stripe took what was foretold and nothing else, and the plan goes on for less.
    charges = [round(item.charge * 100) for item in foretold if item.charge]
    assert sorted(life.charges[charged_before:]) == sorted(charges) == [5_00] * 11 + [50_00] * 12
    assert set(ContractDue.objects.values_list("stage", flat=True)) == {"paid"}


def test_a_card_that_expires_before_the_plan_is_renewed(life: Life) -> None:
    """What goes wrong unless somebody acts stands there too, as it then goes."""
    life.buys("10", START - DAY)
    life.chooses("code-pro", START)
    PaymentMethod.objects.filter(pk=life.card.pk).update(exp_year=2026, exp_month=4)
    foretold = timeline.of(life.acme.pk, now=LOOKS)
    plan = [(item.at, item.kind) for item in foretold.items if item.kind not in (Kind.MONTH_CLOSE, Kind.EXPIRY)]
    may = datetime(2026, 5, 31, 10, 0, 30, tzinfo=UTC)
    assert plan == [
        (datetime(2026, 2, 28, 10, 0, 30, tzinfo=UTC), Kind.RENEWAL),
        (datetime(2026, 3, 31, 10, 0, 30, tzinfo=UTC), Kind.RENEWAL),
        (datetime(2026, 4, 30, 10, 0, 30, tzinfo=UTC), Kind.RENEWAL),
        (datetime(2026, 5, 1, tzinfo=UTC), Kind.CARD_END),
        (may, Kind.NOT_RENEWED),
        (may + 7 * DAY, Kind.PLAN_END),
    ]
    for at, _ in plan:
        for days in (0, 1, 3, 5):
            life.clock(at + days * DAY)
    ended = Subscription.objects.get(wallet_id=life.acme.pk)
    assert (ended.state, ended.ended_at, ended.ends_at) == ("ended", may + 7 * DAY, may)
    assert life.charges == [10_00] + [50_00] * 4


def test_a_model_that_is_retired_under_a_plan(life: Life) -> None:
    """It ends with its model, and the days that were not used go back, to the cent that was foretold."""
    life.buys("10", START - DAY)
    life.chooses("code-pro", START)
    AIModel.objects.filter(slug=MODEL).update(deprecated_on=date(2026, 3, 14))
    over = datetime(2026, 3, 15, tzinfo=UTC)
    foretold = [item for item in timeline.of(life.acme.pk, now=LOOKS).items if item.at == over]
    assert [(item.kind, item.charge) for item in foretold] == [
        (Kind.PLAN_END, None), (Kind.REFUND, Decimal("-25.81")), (Kind.MODEL_END, None),
    ]  # fmt: skip
    comes_by(life, datetime(2026, 2, 28, 10, 1, tzinfo=UTC))
    comes_by(life, over)
    ended = Subscription.objects.get(wallet_id=life.acme.pk)
    assert (ended.state, ended.ended_as, ended.ended_at) == ("ended", "retired", over)
    assert list(Refund.objects.values_list("amount_cents", flat=True)) == [25_81]
