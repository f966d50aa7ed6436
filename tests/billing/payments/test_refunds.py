"""Refunds: what staff give back, what Stripe makes of it, and what its dashboard does without us."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from billing import flows
from billing.catalog.models import AIModel
from billing.ledger import balances
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, Transfer
from billing.payments import gateway, refunding, refunds
from billing.payments.models import Intent, Refund, RefundState
from billing.payments.refunds import Order, RefundRefused
from orgs.models import ApiKey, Organization, User
from sandbox.stripe import Running
from tests.billing.payments.disputed import grant_of
from tests.factories import books
from tests.factories.paying import begin, pay

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.books_differ("hour_of_events", "minute_of_events"),  # usage is told here by the minute, without events
]

PENDS = "4000000000007726"


def order(intent: Intent, by: User, cents: int, nonce: UUID | None = None, reason: str = "Bought twice") -> Order:
    return Order(intent.wallet_id, intent.pk, cents, reason, nonce or uuid4(), by.pk)


def refund(intent: Intent, by: User, cents: int, **other: Any) -> Refund:
    return flows.refund(order(intent, by, cents, **other), now=timezone.now())


def elsewhere(
    stripe: Running,
    intent: Intent,
    *,
    amount: int | None = None,
    reason: str = "requested_by_customer",
    now: datetime | None = None,
) -> Refund:
    """A refund made in Stripe's dashboard, and heard of."""
    made = stripe.admin.refund(intent.charge_id or "", amount=amount, reason=reason)
    told = flows.refund_told(gateway.read_refund(made["id"]), now=now or timezone.now())
    assert told is not None
    return told


def tell_of(made: Refund, now: datetime | None = None) -> None:
    """Some news of this refund came: it is looked at."""
    flows.refund_told(gateway.read_refund(made.provider_id or ""), now=now or timezone.now())


def use(key: ApiKey, model: AIModel, dollars: str) -> None:
    """Accepted, and not swept yet."""
    books.accepted(key, model, timezone.now(), tokens_in=int(Decimal(dollars) * 1_000_000), tokens_out=0)


def posted(of: Refund) -> dict[str, Decimal]:
    """The refund's transfers, by what follows its id in their keys."""
    prefix = f"rf:{of.pk}:"
    rows = Transfer.objects.filter(key__startswith=prefix).order_by("id")
    return {row.key.removeprefix(prefix): row.amount for row in rows}


def available(org: Organization) -> Decimal:
    return balances.of(org.pk, now=timezone.now()).available


def pending(org: Organization) -> Decimal:
    account = Account.objects.filter(wallet_id=org.pk, code=Code.REFUND_PENDING).first()
    return account.balance if account else Decimal(0)


def test_a_part_is_held_when_it_is_asked_and_gone_when_it_arrives(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    made = refund(paid, alice, 40_00)
    assert (made.state, made.needs_review) == (RefundState.SUCCEEDED, False)
    assert posted(made) == {"hold": 40, "done": 40}
    assert (available(acme), pending(acme)) == (60, 0)
    assert stripe.admin.books()["totals"]["refunded"] == 40_00
    assert refunds.refundable(paid.pk, now=timezone.now()) == 60


def test_the_same_form_twice_is_one_refund_and_another_one_is_refused(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    nonce = uuid4()
    first = refund(paid, alice, 10_00, nonce=nonce)
    assert refund(paid, alice, 10_00, nonce=nonce) == first
    assert (available(acme), stripe.admin.books()["totals"]["refunded"]) == (90, 10_00)
    for changed in ({"cents": 11_00}, {"cents": 10_00, "reason": "Something else"}):
        with pytest.raises(RefundRefused, match="used for another"):
            refund(paid, alice, nonce=nonce, **changed)


@pytest.mark.parametrize(
    ("cents", "reason", "says"),
    [
        (0, "why", "at least one cent"),
        (-1, "why", "at least one cent"),
        (120_01, "why", "Only \\$120.00"),
        (100_01, "why", "At most \\$100.00"),
        (10_00, " ", "Say why"),
        (10_00, "x" * 501, "Say why"),
    ],
)
def test_what_staff_may_not_refund(
    stripe: Running, acme: Organization, alice: User, cents: int, reason: str, says: str
) -> None:
    paid = pay(stripe, acme, alice, 120_00)
    with pytest.raises(RefundRefused, match=says):
        refund(paid, alice, cents, reason=reason)
    assert (available(acme), Refund.objects.count()) == (120, 0)


def test_only_a_paid_payment_of_this_organization_without_a_dispute(
    stripe: Running, paid: Intent, acme: Organization, alice_personal: Organization, alice: User
) -> None:
    foreign = Order(alice_personal.pk, paid.pk, 1_00, "why", uuid4(), alice.pk)
    with pytest.raises(RefundRefused, match="no such payment"):
        flows.refund(foreign, now=timezone.now())
    with pytest.raises(RefundRefused, match="was paid"):
        refund(begin(acme, alice), alice, 1_00)
    inquiry = stripe.admin.dispute(paid.charge_id or "", inquiry=True)
    flows.dispute_told(gateway.read_dispute(inquiry["id"]), now=timezone.now())
    with pytest.raises(RefundRefused, match="disputed"):
        refund(paid, alice, 1_00)
    assert refunds.refundable(paid.pk, now=timezone.now()) == 0


def test_what_is_used_up_to_this_moment_is_not_refunded_and_the_fraction_stays(
    stripe: Running, paid: Intent, acme: Organization, alice: User, key: ApiKey, model: AIModel
) -> None:
    """43.217 are left, the last of it used a moment ago and not swept yet."""
    use(key, model, "56.783")
    with pytest.raises(RefundRefused, match=r"Only \$43\.21 "):
        refund(paid, alice, 43_22)
    refund(paid, alice, 43_21)
    assert available(acme) == Decimal("0.007")
    assert refunds.refundable(paid.pk, now=timezone.now()) == 0


# --- What Stripe makes of it ----------------------------------------------------------------------------------------------


def test_a_refusal_returns_everything_with_the_time_it_was_held(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    stripe.admin.dispute(paid.charge_id or "")  # we have not heard of it yet
    ends = grant_of(paid).expires_at
    made = refund(paid, alice, 40_00)
    assert (made.state, made.failure_code, made.provider_id) == (RefundState.FAILED, "charge_disputed", None)
    assert posted(made) == {"hold": 40, "back:hold": 40}
    assert (available(acme), pending(acme), grant_of(paid).expires_at) == (100, 0, ends)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("fault", ["timeout", "reset", "error"])
def test_an_answer_that_is_lost_is_asked_for_again(
    stripe: Running, settings: Any, paid: Intent, acme: Organization, alice: User, fault: str, moment: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault(fault, moment=moment, method="POST", path="/v1/refunds", seconds=1)
    made = refund(paid, alice, 40_00)
    assert (made.state, posted(made), pending(acme)) == (RefundState.UNKNOWN, {"hold": 40}, 40)
    assert refunds.poll(flows.refund_told, now=timezone.now() + timedelta(minutes=1)) == 1
    made.refresh_from_db()
    assert (made.state, posted(made)) == (RefundState.SUCCEEDED, {"hold": 40, "done": 40})
    assert stripe.admin.books()["totals"]["refunded"] == 40_00


def test_a_server_error_that_stripe_remembers_is_over_when_no_refund_came_of_it(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    """The same key would answer the same error for a day."""
    stripe.admin.fault("error", moment="before", method="POST", path="/v1/refunds", status=502, stored=True)
    made = refund(paid, alice, 40_00)
    assert (made.state, pending(acme)) == (RefundState.UNKNOWN, 40)
    refunds.poll(flows.refund_told, now=timezone.now() + timedelta(minutes=1))
    made.refresh_from_db()
    assert (made.state, made.failure_code, available(acme), pending(acme)) == (RefundState.FAILED, "not_made", 100, 0)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_23_hours_it_is_looked_up_before_anything_else(
    stripe: Running, settings: Any, paid: Intent, acme: Organization, alice: User, moment: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("reset", moment=moment, method="POST", path="/v1/refunds")
    made = refund(paid, alice, 40_00)
    calls = len(stripe.admin.requests("POST", "/v1/refunds"))
    refunds.poll(flows.refund_told, now=timezone.now() + timedelta(hours=24))
    made.refresh_from_db()
    assert len(stripe.admin.requests("POST", "/v1/refunds")) == calls
    if moment == "after":
        assert (made.state, available(acme)) == (RefundState.SUCCEEDED, 60)
    else:
        assert (made.state, made.failure_code, available(acme)) == (RefundState.FAILED, "not_made", 100)


def test_a_refund_that_fails_after_it_arrived_comes_back(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    made = refund(paid, alice, 40_00)
    stripe.admin.fail_refund(made.provider_id or "")
    for _ in range(3):
        tell_of(made)
    made.refresh_from_db()
    assert (made.state, made.failure_code) == (RefundState.FAILED, "unknown")
    assert posted(made) == {"hold": 40, "done": 40, "undone": 40, "back:hold": 40}
    assert (available(acme), pending(acme)) == (100, 0)


def test_one_that_is_on_its_way_is_asked_about_every_hour(stripe: Running, acme: Organization, alice: User) -> None:
    made = refund(pay(stripe, acme, alice, card=PENDS), alice, 40_00)
    now = made.checked_at
    assert now is not None
    assert refunding.due(now=now + timedelta(minutes=59)) == []
    assert refunding.due(now=now + timedelta(minutes=61)) == [made.pk]
    assert list(refunds.stale(now=now + timedelta(days=39))) == []
    assert list(refunds.stale(now=now + timedelta(days=41))) == [made]
    stripe.admin.advance(1)
    assert refunds.poll(flows.refund_told, now=now + timedelta(days=41)) == 1
    assert list(refunds.stale(now=now + timedelta(days=41))) == []


def test_a_pending_refund_is_out_of_the_credit_until_it_arrives(
    stripe: Running, acme: Organization, alice: User
) -> None:
    paid = pay(stripe, acme, alice, card=PENDS)
    made = refund(paid, alice, 40_00)
    assert (made.state, pending(acme), available(acme)) == (RefundState.PENDING, 40, 60)
    stripe.admin.advance(1)
    tell_of(made)
    made.refresh_from_db()
    assert (made.state, pending(acme), available(acme)) == (RefundState.SUCCEEDED, 0, 60)


def test_an_older_look_changes_nothing(stripe: Running, paid: Intent, acme: Organization, alice: User) -> None:
    made = refund(paid, alice, 40_00)
    said = gateway.read_refund(made.provider_id or "")
    stripe.admin.fail_refund(said.id)
    tell_of(made)
    for status in ("pending", "succeeded", "requires_action", "of a new kind"):
        flows.refund_told(replace(said, status=status), now=timezone.now())
    made.refresh_from_db()
    assert (made.state, available(acme)) == (RefundState.FAILED, 100)


def test_credit_that_came_back_after_its_grant_ended_keeps_the_time_it_had(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    made, now = refund(paid, alice, 40_00), timezone.now()
    ends, later = grant_of(paid).expires_at, now + timedelta(days=400)
    assert ends is not None
    assert flows.expire(now=later) == 1
    stripe.admin.fail_refund(made.provider_id or "")
    tell_of(made, now=later)
    back = CreditGrant.objects.get(key=f"rf:{made.pk}:back:hold")
    assert (back.source, back.title, back.account.granted) == ("correction", "Returned after a failed refund", 40)
    assert back.account.expires_at is not None
    assert abs(back.account.expires_at - (later + (ends - now))) <= timedelta(minutes=1)
    assert refunds.refundable(paid.pk, now=later) == 40


def test_a_grant_refunded_whole_is_there_again_for_the_time_it_had(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    made, ends = refund(paid, alice, 100_00), grant_of(paid).expires_at
    assert ends is not None
    later = made.created_at + timedelta(days=400)
    assert flows.expire(now=later) == 0
    stripe.admin.fail_refund(made.provider_id or "")
    tell_of(made, now=later)
    assert grant_of(paid).expires_at == ends + timedelta(days=400)
    assert balances.of(acme.pk, now=later).available == 100


@pytest.mark.parametrize(
    ("asked", "failed", "away"),
    [((0, 1), (10, 11), 11), ((0, 5), (10, 6), 10), ((0, 20), (10, 30), 20)],
    ids=["one after the other", "one within the other", "apart"],
)
def test_time_that_two_refunds_were_away_together_is_given_back_once(
    stripe: Running, acme: Organization, alice: User, asked: tuple[int, int], failed: tuple[int, int], away: int
) -> None:
    """Two parts of one grant, asked back and failed on these days."""
    paid = pay(stripe, acme, alice, card=PENDS)
    ends, begin_, made = grant_of(paid).expires_at, timezone.now(), dict[int, Refund]()
    assert ends is not None
    for day in sorted((*asked, *failed)):
        now = begin_ + timedelta(days=day)
        if day in asked:
            made[asked.index(day)] = flows.refund(order(paid, alice, 30_00), now=now)
        else:
            one = made[failed.index(day)]
            stripe.admin.fail_refund(one.provider_id or "")
            tell_of(one, now=now)
    assert abs((grant_of(paid).expires_at or ends) - ends - timedelta(days=away)) <= timedelta(minutes=2)
    assert refunds.refundable(paid.pk, now=now) == 100


# --- Made in Stripe's dashboard -------------------------------------------------------------------------------------------


def test_the_dashboard_takes_what_is_left_and_the_rest_is_goodwill(
    stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel, alice: User
) -> None:
    use(key, model, "70.5")
    made = elsewhere(stripe, paid)
    assert (made.state, made.needs_review, made.asked_by) == (RefundState.SUCCEEDED, True, None)
    assert posted(made) == {"hold": Decimal("29.5"), "forced:spent": Decimal("70.5"), "done": 100}
    assert (available(acme), balances.of(acme.pk, now=timezone.now()).debt) == (0, 0)
    seen = flows.review_refund(made.pk, by=alice.pk, now=timezone.now())
    assert (seen.needs_review, seen.reviewed_by) == (False, alice)


def test_with_the_reason_fraudulent_what_was_spent_is_owed(
    stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel, alice: User
) -> None:
    use(key, model, "70.5")
    made = elsewhere(stripe, paid, reason="fraudulent")
    assert posted(made)["forced:debt"] == Decimal("70.5")
    assert balances.of(acme.pk, now=timezone.now()).debt == Decimal("70.5")
    pay(stripe, acme, alice, 80_00)
    stripe.admin.fail_refund(made.provider_id or "")
    tell_of(made)
    assert posted(made) | {"done": 0, "undone": 0} == {
        "hold": Decimal("29.5"), "forced:debt": Decimal("70.5"), "done": 0, "undone": 0,
        "back:credit": Decimal("70.5"), "back:hold": Decimal("29.5"),
    }  # fmt: skip
    assert available(acme) == Decimal("109.5")


def test_expired_credit_is_taken_out_of_breakage_and_goes_back_there(
    stripe: Running, paid: Intent, acme: Organization, key: ApiKey, model: AIModel
) -> None:
    use(key, model, "30")
    books.charged(now=timezone.now())
    later = timezone.now() + timedelta(days=400)
    assert flows.expire(now=later) == 1
    made = elsewhere(stripe, paid, amount=80_00, now=later)
    assert posted(made) == {"forced:expired": 70, "forced:spent": 10, "done": 80}
    stripe.admin.fail_refund(made.provider_id or "")
    tell_of(made, now=later)
    assert (posted(made)["back:expired"], posted(made)["back:spent"]) == (70, 10)


def test_a_refund_we_hear_of_before_the_payment_settles_it_first(
    stripe: Running, acme: Organization, alice: User
) -> None:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "")
    (charge,) = gateway.charges_since(timezone.now() - timedelta(days=1))
    assert (charge.intent_id, charge.refunded_cents, charge.disputed) == (intent.pk, 0, False)
    intent.charge_id = charge.id
    made = elsewhere(stripe, intent, amount=30_00)
    intent.refresh_from_db()
    assert (intent.state, posted(made), available(acme)) == ("succeeded", {"hold": 30, "done": 30}, 70)


def test_what_is_not_ours_is_left_alone(stripe: Running, paid: Intent, acme: Organization, alice: User) -> None:
    said = gateway.read_refund(refund(paid, alice, 1_00).provider_id or "")
    theirs = replace(said, id="re_theirs", charge_id="ch_theirs", payment_id="", refund_id=None)
    assert flows.refund_told(theirs, now=timezone.now()) is None
    assert flows.refund_told(replace(said, id="re_euro", currency="eur"), now=timezone.now()) is None
    assert (Refund.objects.count(), available(acme)) == (1, 99)


def test_a_second_refund_that_names_ours_is_one_of_its_own(
    stripe: Running, paid: Intent, acme: Organization, alice: User
) -> None:
    made = refund(paid, alice, 10_00)
    said = gateway.read_refund(made.provider_id or "")
    other = flows.refund_told(replace(said, id="re_again"), now=timezone.now())
    assert other is not None
    assert (other.pk != made.pk, other.needs_review, available(acme)) == (True, True, 80)
