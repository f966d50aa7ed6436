"""A saved card charged without its customer: once whatever happens, and failed only when it can never be paid."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.payments import card_charges, declines, gateway, outcomes, polling
from billing.payments.models import Intent, PaymentMethod, Purpose, State
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import cards
from tests.factories.paying import pay, tell

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.books_differ("recharge_unexplained"),  # cards are charged here without the rule that would ask for it
]

HOUR = timedelta(hours=1)
PAYMENTS = "/v1/payment_intents"


@pytest.fixture
def card(stripe: Running, acme: Organization, alice: User) -> PaymentMethod:
    """A card that Acme saved when it bought credit for $10.00."""
    pay(stripe, acme, alice, 10_00)
    return PaymentMethod.objects.get(wallet_id=acme.pk)


@pytest.fixture
def intent(acme: Organization, card: PaymentMethod) -> Intent:
    """$50.00 that are to be charged to it."""
    return cards.meant(acme, card, now=timezone.now())


def asked(intent: Intent, after: timedelta = timedelta()) -> Intent:
    """Charged or asked about, and settled."""
    now = timezone.now() + after
    flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)
    intent.refresh_from_db()
    return intent


def credit(intent: Intent) -> object:
    return balances.of(intent.wallet_id, now=timezone.now()).available


def hear(stripe: Running, type: str, *, times: int = 1) -> None:
    """What Stripe has to tell of this is told, and worked through."""
    tell(stripe, type, times=times)
    inbox.process(now=timezone.now())


def payments(stripe: Running, intent: Intent) -> list[dict[str, Any]]:
    """What Stripe has for this payment."""
    made = stripe.sandbox.world.books.oldest_first("payment_intent")
    return [payment for payment in made if payment["metadata"].get("purser_intent") == str(intent.pk)]


# --- Written down first --------------------------------------------------------------------------------------------------


def test_it_is_written_down_with_its_card(acme: Organization) -> None:
    card = cards.saved(acme)
    intent = cards.meant(acme, card, 40_01, now=timezone.now())
    assert (intent.purpose, intent.amount_cents, intent.method, intent.state) == ("recharge", 40_01, card, "created")
    assert (intent.called_at, intent.deadline, intent.created_by) == (None, None, None)


def test_the_same_cause_is_charged_once(acme: Organization) -> None:
    card = cards.saved(acme)
    first, again = (cards.meant(acme, card, now=timezone.now(), key="recharge:1") for _ in range(2))
    assert first == again
    with pytest.raises(ValueError, match="another amount"):
        cards.meant(acme, card, 51_00, now=timezone.now(), key="recharge:1")


def test_one_at_a_time(acme: Organization) -> None:
    card = cards.saved(acme)
    cards.meant(acme, card, now=timezone.now())
    with pytest.raises(card_charges.ChargeUnderWay):
        cards.meant(acme, card, now=timezone.now(), purpose=Purpose.SETTLEMENT)


def test_the_database_wants_a_card_too(acme: Organization) -> None:
    with pytest.raises(IntegrityError, match="payment_intent_off_session_has_card"), transaction.atomic():
        Intent.objects.create(
            wallet_id=acme.pk, purpose=Purpose.SETTLEMENT, amount_cents=50_00, key="k", created_at=timezone.now()
        )


def test_a_card_that_is_gone_or_another_ones_is_not_charged(acme: Organization, charlie_personal: Organization) -> None:
    gone, theirs = cards.saved(acme), cards.saved(charlie_personal)
    PaymentMethod.objects.filter(pk=gone.pk).update(detached_at=timezone.now())
    for card in (gone, theirs):
        with pytest.raises(card_charges.NoCard):
            cards.meant(acme, card, now=timezone.now())


@pytest.mark.parametrize(
    ("now", "usable"),
    [(datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC), True), (datetime(2027, 3, 1, tzinfo=UTC), False)],
)
def test_a_card_is_good_through_its_last_month(acme: Organization, now: datetime, usable: bool) -> None:
    assert card_charges.is_usable(cards.saved(acme, expires=(2027, 2)), now=now) is usable


def test_none_while_a_payment_is_disputed(stripe: Running, acme: Organization, card: PaymentMethod) -> None:
    charge = str(Intent.objects.get().charge_id)
    stripe.admin.dispute(charge, inquiry=True)
    hear(stripe, "charge.dispute.created")
    with pytest.raises(card_charges.Disputed):
        cards.meant(acme, card, now=timezone.now())


# --- Charged -------------------------------------------------------------------------------------------------------------


def test_the_card_pays_and_its_credit_is_there(stripe: Running, intent: Intent, card: PaymentMethod) -> None:
    assert asked(intent).state == State.SUCCEEDED
    assert (intent.card_last4, intent.charge_id is not None, credit(intent)) == ("4242", True, 60)
    (payment,) = payments(stripe, intent)
    assert (payment["payment_method"], payment["amount_received"]) == (card.stripe_id, 50_00)
    assert PaymentMethod.objects.get() == card
    assert [row["idempotency_key"] for row in stripe.admin.requests("POST", PAYMENTS)] == [f"{intent.pk}:1"]


def test_charging_again_charges_once(stripe: Running, intent: Intent) -> None:
    for _ in range(3):
        asked(intent)
    assert len(payments(stripe, intent)) == 1
    assert credit(intent) == 60


@pytest.mark.parametrize("code", ["insufficient_funds", "stolen_card", "authentication_required", "expired_card"])
def test_a_refused_payment_is_cancelled_at_stripe_before_it_has_failed(
    stripe: Running, intent: Intent, card: PaymentMethod, code: str
) -> None:
    stripe.admin.behave(card.stripe_id, code)
    assert asked(intent).state == State.FAILED
    assert (intent.failure_code, intent.failure_message) == (code, declines.reason(code))
    assert [payment["status"] for payment in payments(stripe, intent)] == ["canceled"]
    assert credit(intent) == 10


@pytest.mark.parametrize("trouble", ["timeout", "reset", "error", "rate_limit"])
def test_while_nobody_knows_that_it_is_cancelled_it_has_not_failed(
    stripe: Running, settings: Any, intent: Intent, card: PaymentMethod, trouble: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.behave(card.stripe_id, "insufficient_funds")
    stripe.admin.fault(trouble, path="/v1/payment_intents/*/cancel", seconds=1)
    assert asked(intent).state == State.UNKNOWN
    assert (intent.failure_code, intent.provider_id is not None) == ("insufficient_funds", True)
    assert asked(intent).state == State.FAILED
    assert intent.failure_code == "insufficient_funds"


def test_cancelled_already_is_cancelled(stripe: Running, intent: Intent, card: PaymentMethod) -> None:
    stripe.admin.behave(card.stripe_id, "insufficient_funds")
    stripe.admin.fault("timeout", moment="after", path="/v1/payment_intents/*/cancel", seconds=2)
    assert asked(intent).state == State.UNKNOWN
    assert asked(intent).state == State.FAILED


def test_cancelled_in_stripes_dashboard(stripe: Running, settings: Any, intent: Intent) -> None:
    """Before its first answer arrived."""
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.behave(PaymentMethod.objects.get().stripe_id, "authentication_required")
    stripe.admin.fault("timeout", moment="after", method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    gateway.cancel_payment(payments(stripe, intent)[0]["id"])
    assert asked(intent).state == State.FAILED
    assert intent.failure_code == "authentication_required"


# --- Nobody knows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "moment"),
    [*((kind, moment) for kind in ("timeout", "reset", "error") for moment in ("before", "after")),
     ("rate_limit", "before")],
)  # fmt: skip
def test_an_unknown_outcome_is_asked_about_by_the_same_key(
    stripe: Running, settings: Any, intent: Intent, trouble: str, moment: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault(trouble, moment=moment, method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    assert asked(intent).state == State.SUCCEEDED
    assert len(payments(stripe, intent)) == 1
    assert credit(intent) == 60
    assert {row["idempotency_key"] for row in stripe.admin.requests("POST", PAYMENTS)} == {f"{intent.pk}:1"}


def test_a_server_error_that_stripe_remembers_hides_no_payment(stripe: Running, intent: Intent) -> None:
    stripe.admin.fault("error", moment="after", method="POST", path=PAYMENTS, status=500)
    assert asked(intent).state == State.UNKNOWN
    # The key answers the same error again: the second time its payment is looked for.
    assert asked(intent).state == State.SUCCEEDED


def test_a_server_error_that_stripe_remembers_is_over_when_no_payment_came_of_it(
    stripe: Running, intent: Intent
) -> None:
    stripe.admin.fault("error", moment="before", method="POST", path=PAYMENTS, status=502, stored=True)
    assert asked(intent).state == State.UNKNOWN
    assert asked(intent).state == State.FAILED
    assert intent.failure_code == declines.NOT_CHARGED
    assert payments(stripe, intent) == []


def test_after_23_hours_it_is_looked_up_and_not_asked_for_again(stripe: Running, settings: Any, intent: Intent) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("timeout", moment="before", method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    assert asked(intent, after=24 * HOUR).state == State.FAILED
    assert intent.failure_code == declines.NOT_CHARGED
    assert payments(stripe, intent) == []
    assert asked(intent, after=25 * HOUR).state == State.FAILED
    assert payments(stripe, intent) == []


def test_after_23_hours_a_payment_that_was_made_is_found(stripe: Running, settings: Any, intent: Intent) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("timeout", moment="after", method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    assert asked(intent, after=24 * HOUR).state == State.SUCCEEDED
    assert len(payments(stripe, intent)) == 1


def test_what_cannot_be_looked_up_stays_unknown(stripe: Running, settings: Any, intent: Intent) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("error", method="*", path=f"{PAYMENTS}*", count=None)
    assert asked(intent).state == State.UNKNOWN
    assert asked(intent, after=48 * HOUR).state == State.UNKNOWN


# --- Stripe does not do it -------------------------------------------------------------------------------------------------


def test_a_card_removed_at_stripe_is_gone_here_too(stripe: Running, intent: Intent, card: PaymentMethod) -> None:
    stripe.admin.detach(card.stripe_id)
    assert asked(intent).state == State.FAILED
    assert (intent.failure_code, intent.failure_message) == (declines.CARD_GONE, "The card is no longer saved.")
    card.refresh_from_db()
    assert card.detached_at is not None
    assert payments(stripe, intent) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_our_own_mistakes_are_not_the_banks(stripe: Running, intent: Intent, status: int) -> None:
    stripe.admin.fault("refuse", status=status, method="POST", path=PAYMENTS)
    assert asked(intent).state == State.FAILED
    assert "nothing to do with your card" in intent.failure_message
    assert payments(stripe, intent) == []


def test_a_refusal_of_the_second_call_says_nothing_of_the_first(stripe: Running, settings: Any, intent: Intent) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("timeout", moment="after", method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    stripe.admin.fault("refuse", status=400, method="POST", path=PAYMENTS)
    assert asked(intent).state == State.SUCCEEDED


def test_what_has_failed_is_never_asked_for_again(stripe: Running, intent: Intent) -> None:
    stripe.admin.fault("refuse", status=400, method="POST", path=PAYMENTS)
    assert asked(intent).state == State.FAILED
    assert asked(intent).state == State.FAILED
    assert payments(stripe, intent) == []


# --- News ------------------------------------------------------------------------------------------------------------------


def test_webhooks_alone_settle_it(stripe: Running, settings: Any, intent: Intent) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("timeout", moment="after", method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    hear(stripe, "payment_intent.succeeded", times=2)
    intent.refresh_from_db()
    assert (intent.state, credit(intent)) == (State.SUCCEEDED, 60)


def test_news_of_a_refusal_cancel_it(stripe: Running, settings: Any, intent: Intent, card: PaymentMethod) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.behave(card.stripe_id, "lost_card")
    stripe.admin.fault("timeout", moment="after", method="POST", path=PAYMENTS, seconds=1)
    assert asked(intent).state == State.UNKNOWN
    hear(stripe, "payment_intent.payment_failed")
    intent.refresh_from_db()
    assert (intent.state, intent.failure_code) == (State.FAILED, "lost_card")
    assert [payment["status"] for payment in payments(stripe, intent)] == ["canceled"]


def test_money_that_arrives_after_it_had_failed_is_credit(intent: Intent) -> None:
    now = timezone.now()
    flows.payment_outcome(intent.pk, outcomes.Declined(declines.NOT_CHARGED), now=now)
    flows.payment_outcome(intent.pk, outcomes.Paid(50_00, "usd", "pi_late", "ch_late", now), now=now)
    intent.refresh_from_db()
    assert (intent.state, credit(intent)) == (State.SUCCEEDED, 60)


# --- What a refusal means for the next try -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("insufficient_funds", declines.Kind.SOFT),
        ("do_not_honor", declines.Kind.SOFT),
        ("generic_decline", declines.Kind.SOFT),
        ("processing_error", declines.Kind.SOFT),
        ("never_heard_of", declines.Kind.SOFT),
        ("authentication_required", declines.Kind.AUTHENTICATION),
        ("stolen_card", declines.Kind.HARD),
        ("lost_card", declines.Kind.HARD),
        ("pickup_card", declines.Kind.HARD),
        ("fraudulent", declines.Kind.HARD),
        ("expired_card", declines.Kind.HARD),
        (declines.CARD_GONE, declines.Kind.HARD),
    ],
)
def test_kinds_of_refusal(code: str, kind: declines.Kind) -> None:
    assert declines.kind(code) == kind
    assert declines.is_hard(code) == (kind == declines.Kind.HARD)
