"""The questions after a soak find what they are for: from notes and books that agree, one thing is changed at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from tests.soak import oracles
from tests.soak.diary import Act, Diary, Kind, Purchase, Sent
from tests.soak.facts import Charge, Dispute, Facts, Intent, Paid, Price, Refund, Stripe

pytestmark = pytest.mark.money

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
INTENT, UNPAID, NONCE, OTHER, FORM = (UUID(int=n) for n in range(1, 6))
EVENT, FREE, TAKEN_BACK, REFUSED, REVERSAL, STRANGE = (UUID(int=n) for n in range(11, 17))
SENT = Sent(7, "key_1", "gpt-oss-120b", 1_000, 200, 10, NOW)
COST = Decimal("0.00082")


@dataclass
class World:
    diary: Diary
    stripe: Stripe
    facts: Facts

    def differences(self) -> set[str]:
        return {found["difference"] for found in oracles.differences(self.diary, self.stripe, self.facts)}


@pytest.fixture
def world() -> World:
    """One bought 10.00 of which 3.00 were refunded and 2.00 disputed, another did not pay; four events; a gift."""
    diary = Diary(
        sent=dict.fromkeys((EVENT, FREE, TAKEN_BACK, REFUSED), SENT),
        taken={EVENT, FREE, TAKEN_BACK},
        refused={REFUSED},
        reversals={REVERSAL: TAKEN_BACK},
        purchases=[
            Purchase(7, NONCE, 1000, INTENT, paid_at_stripe=True, told_paid=True),
            Purchase(7, OTHER, 500, UNPAID),
        ],
        acts=[
            Act(Kind.GIFT, "7", Decimal(5), FORM, told_done=True),
            Act(Kind.REFUND, str(INTENT), Decimal(3), FORM, told_done=True),
        ],
    )
    stripe = Stripe(
        charges=[Charge("ch_1", 1000, 500, True, INTENT), Charge("ch_0", 500, 0, False, UNPAID)],
        refunds=[Refund("re_1", "row-1", 300, "succeeded", "ch_1")],
        disputes=[Dispute("dp_1", "needs_response", (("txn_1", -200),))],
    )
    facts = Facts(
        intents={
            INTENT: Intent(INTENT, 7, f"buy:{NONCE.hex}", 1000, "succeeded"),
            UNPAID: Intent(UNPAID, 7, f"buy:{OTHER.hex}", 500, "waiting"),
        },
        grants=[Paid(INTENT, Decimal(10))],
        collected=[Paid(INTENT, Decimal(10))],
        stripe_balance=Decimal(5),
        promotions=[(7, f"promo:staff:{FORM.hex}", Decimal(5))],
        refunds=[Refund("re_1", f"staff:{FORM}", 300, "succeeded", "ch_1", "row-1")],
        disputes=[Dispute("dp_1", "needs_response", (("txn_1", -200),))],
        events=[(EVENT, SENT), (FREE, SENT), (TAKEN_BACK, SENT)],
        by_credit={EVENT, TAKEN_BACK},
        reversals={REVERSAL: TAKEN_BACK},
        charged={7: COST},
        prices={"gpt-oss-120b": Price(Decimal("0.000001"), Decimal("0.0000001"), Decimal(0))},
    )
    return World(diary, stripe, facts)


def test_what_agrees_does_not_differ(world: World) -> None:
    assert world.differences() == set()


def test_what_is_unknown_to_staff_may_be_there_or_not(world: World) -> None:
    world.diary.acts = [replace(act, told_done=False) for act in world.diary.acts]
    assert world.differences() == set()
    world.facts.promotions = []
    assert world.differences() == set()


def _purchase(world: World, **changed: object) -> None:
    for name, value in changed.items():
        setattr(world.diary.purchases[0], name, value)


def _intent(world: World, **changed: object) -> None:
    world.facts.intents[INTENT] = replace(world.facts.intents[INTENT], **changed)  # type: ignore[arg-type]


PLANTED: list[tuple[str, Callable[[World], object]]] = [
    ("not_granted_once", lambda w: w.facts.grants.clear()),
    ("not_granted_once", lambda w: w.facts.grants.append(Paid(INTENT, Decimal(10)))),
    ("not_posted_once", lambda w: w.facts.collected.clear()),
    ("grant_without_charge", lambda w: w.facts.grants.append(Paid(UNPAID, Decimal(5)))),
    ("grant_without_charge", lambda w: w.facts.grants.__setitem__(0, Paid(INTENT, Decimal(9)))),
    ("charge_not_settled", lambda w: _intent(w, state="failed")),
    ("charge_of_another_amount", lambda w: _intent(w, cents=999)),
    ("not_charged_once", lambda w: w.stripe.charges.append(Charge("ch_2", 1000, 1000, True, INTENT))),
    ("charge_not_settled", lambda w: w.stripe.charges.append(Charge("ch_2", 100, 100, True, None))),
    ("paid_without_charge", lambda w: w.stripe.charges.clear()),
    ("account_1000_differs", lambda w: setattr(w.facts, "stripe_balance", Decimal(10))),
    ("purchase_lost", lambda w: w.facts.intents.pop(INTENT)),
    ("purchase_of_nobody", lambda w: w.diary.purchases.pop()),
    ("purchase_differs", lambda w: _purchase(w, org_id=8)),
    ("two_purchases_of_one_form", lambda w: _purchase(w, intent_id=UNPAID)),
    ("charged_and_never_paid", lambda w: _purchase(w, paid_at_stripe=False)),
    ("paid_and_not_charged", lambda w: setattr(w.diary.purchases[1], "paid_at_stripe", True)),
    ("told_paid_and_not_credited", lambda w: setattr(w.diary.purchases[1], "told_paid", True)),
    ("gift_not_given_once", lambda w: w.facts.promotions.clear()),
    ("gift_not_given_once", lambda w: w.facts.promotions.append(w.facts.promotions[0])),
    ("gift_of_nobody", lambda w: w.facts.promotions.append((7, "promo:staff:1", Decimal(1)))),
    ("refund_not_known", lambda w: w.facts.refunds.clear()),
    ("refund_told_and_not_made", lambda w: w.facts.refunds.clear()),
    ("refund_differs", lambda w: w.facts.refunds.__setitem__(0, replace(w.facts.refunds[0], state="failed"))),
    ("refund_not_at_stripe", lambda w: w.stripe.refunds.clear()),
    ("refunded_twice", lambda w: w.stripe.refunds.append(replace(w.stripe.refunds[0], provider_id="re_2"))),
    ("refund_of_nobody", lambda w: w.diary.acts.pop()),
    ("dispute_differs", lambda w: w.facts.disputes.clear()),
    ("dispute_differs", lambda w: w.facts.disputes.__setitem__(0, Dispute("dp_1", "needs_response"))),
    ("event_lost", lambda w: w.facts.events.pop(0)),
    ("event_doubled", lambda w: w.facts.events.append((EVENT, SENT))),
    ("event_differs", lambda w: w.facts.events.__setitem__(0, (EVENT, replace(SENT, output_tokens=11)))),
    ("event_of_nobody", lambda w: w.facts.events.append((STRANGE, SENT))),
    ("refused_event_kept", lambda w: w.facts.events.append((REFUSED, SENT))),
    ("event_never_answered", lambda w: w.diary.sent.__setitem__(STRANGE, SENT)),
    ("reversal_lost_or_of_nobody", lambda w: w.facts.reversals.clear()),
    ("reversal_of_another_event", lambda w: w.facts.reversals.__setitem__(REVERSAL, EVENT)),
    ("use_costs_another_sum", lambda w: w.facts.charged.__setitem__(7, COST + Decimal("1e-12"))),
    ("use_costs_another_sum", lambda w: w.facts.charged.__setitem__(8, COST)),
    ("actor_failed", lambda w: w.diary.fail("a gateway", "HTTP 500")),
]


@pytest.mark.parametrize(("difference", "plant"), PLANTED, ids=[f"{n}-{name}" for n, (name, _) in enumerate(PLANTED)])
def test_a_planted_loss_is_found(world: World, difference: str, plant: Callable[[World], object]) -> None:
    plant(world)
    assert difference in world.differences()
