"""What became of a payment becomes so once, whoever brings the news and in whatever order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from billing import flows
from billing.ledger import balances, grants
from billing.ledger.chart import Code
from billing.ledger.models import CreditGrant, Transfer
from billing.payments import outcomes
from billing.payments.answers import Card, Charge, Checkout, Decline, Payment
from billing.payments.models import Intent, PaymentMethod, Purpose, State
from orgs.models import Organization, User
from tests.factories import cards

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 14, 12, 41, 30, tzinfo=UTC)
CHARGED = datetime(2026, 4, 14, 12, 41, 3, tzinfo=UTC)
VISA = Card("pm_1", "visa", "4242", 11, 2029)
PAID = outcomes.Paid(100_00, "usd", "pi_1", "ch_1", CHARGED, VISA)
WAITING = outcomes.Waiting("cs_1", "https://pay.example/1", NOW + timedelta(minutes=31))
DECLINED = outcomes.Declined("insufficient_funds", "pi_1")


@pytest.fixture
def intent(acme: Organization, alice: User) -> Intent:
    return begin(acme, alice)


def begin(acme: Organization, alice: User, *, cents: int = 100_00) -> Intent:
    return Intent.objects.create(
        wallet_id=acme.pk, purpose=Purpose.CREDITS, amount_cents=cents, key=f"buy:{uuid4().hex}", created_by=alice,
        created_at=NOW,
    )  # fmt: skip


def settle(intent: Intent, outcome: outcomes.Outcome, *, at: datetime = NOW) -> outcomes.Settled:
    settled = flows.payment_outcome(intent.pk, outcome, now=at)
    assert settled is not None
    intent.refresh_from_db()
    return settled


def test_a_payment_becomes_credit_that_ends_a_year_after_the_charge(intent: Intent) -> None:
    settled = settle(intent, PAID, at=NOW + timedelta(days=3))
    assert (settled.changed, settled.credited, settled.state) == (True, Decimal(100), State.SUCCEEDED)
    grant = CreditGrant.objects.select_related("account").get(payment_id=intent.pk)
    assert grant.account.balance == 100
    assert grant.account.expires_at == datetime(2027, 4, 14, 12, 42, tzinfo=UTC)
    posted = Transfer.objects.get()
    assert (posted.debit_id, posted.credit_id, posted.key) == (Code.STRIPE, grant.pk, f"pay:{intent.pk}")
    assert (intent.charged_at, intent.charge_id, intent.card_last4) == (CHARGED, "ch_1", "4242")


def test_the_second_to_bring_the_news_finds_it_done(intent: Intent) -> None:
    settle(intent, PAID)
    for _ in range(4):
        again = settle(intent, PAID, at=NOW + timedelta(hours=1))
        assert (again.changed, again.credited) == (False, None)
    assert balances.of(intent.wallet_id, now=NOW).available == 100
    assert Transfer.objects.count() == 1


def test_nobodys_payment_is_nobodys(db: None) -> None:
    assert flows.payment_outcome(uuid4(), PAID, now=NOW) is None


def test_the_card_is_saved_once_and_the_first_is_the_default(acme: Organization, alice: User, intent: Intent) -> None:
    settle(intent, PAID)
    # Stripe gives the same card a new name each time it is typed in; the newest is what its bank has just let be saved.
    same, other = replace(VISA, method_id="pm_2"), replace(VISA, method_id="pm_3", last4="5556")
    for number, card in enumerate((same, other), start=2):
        paid = replace(PAID, provider_id=f"pi_{number}", charge_id=f"ch_{number}", card=card)
        settle(begin(acme, alice), paid)
    cards = PaymentMethod.objects.filter(detached_at=None).order_by("id")
    assert [(card.stripe_id, card.is_default) for card in cards] == [("pm_2", True), ("pm_3", False)]
    assert str(cards[0]) == "Visa ending 4242"


# --- Which way a payment may go ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        ([outcomes.Unknown()], State.UNKNOWN),
        ([WAITING], State.WAITING),
        ([outcomes.Unknown(), WAITING], State.WAITING),
        ([WAITING, outcomes.Unknown()], State.WAITING),
        ([WAITING, outcomes.Processing("pi_1"), WAITING], State.PROCESSING),
        ([WAITING, DECLINED], State.FAILED),
        ([WAITING, DECLINED, WAITING], State.FAILED),
        ([WAITING, outcomes.Canceled("expired"), DECLINED], State.CANCELED),
        ([WAITING, outcomes.Canceled("expired"), outcomes.Unknown()], State.CANCELED),
        ([PAID, DECLINED, outcomes.Canceled(), outcomes.Unknown(), WAITING], State.SUCCEEDED),
    ],
)
def test_a_payment_only_moves_forward(intent: Intent, told: list[outcomes.Outcome], ends: State) -> None:
    for outcome in told:
        settle(intent, outcome)
    assert intent.state == ends
    assert Transfer.objects.count() == (ends == State.SUCCEEDED)
    assert (intent.settled_at is None) is (ends in (State.UNKNOWN, State.WAITING, State.PROCESSING))


@pytest.mark.parametrize("first", [DECLINED, outcomes.Canceled("expired"), outcomes.Canceled()])
def test_money_that_arrives_late_is_credited(intent: Intent, first: outcomes.Outcome) -> None:
    settle(intent, first)
    assert settle(intent, PAID).credited == 100
    assert intent.state == State.SUCCEEDED
    assert (intent.failure_code, intent.failure_message) == ("", "")


def test_the_database_refuses_a_payment_that_goes_back(intent: Intent) -> None:
    settle(intent, PAID)
    with pytest.raises(IntegrityError, match="cannot go"), transaction.atomic():
        Intent.objects.filter(pk=intent.pk).update(state=State.WAITING)


def test_a_refused_card_leaves_the_page_open_and_says_why(intent: Intent) -> None:
    settle(intent, replace(WAITING, declined="insufficient_funds"))
    assert (intent.state, intent.failure_message) == (State.WAITING, "The card does not have enough funds.")
    settle(intent, WAITING)
    assert intent.failure_message == ""


# --- Money that does not fit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cents", [99_99, 100_01, 1])
def test_another_amount_is_set_aside_not_credited(intent: Intent, cents: int) -> None:
    settled = settle(intent, replace(PAID, amount_cents=cents))
    assert (settled.credited, settled.state, intent.failure_code) == (None, State.SUCCEEDED, outcomes.UNAPPLIED)
    posted = Transfer.objects.get()
    assert (posted.debit_id, posted.credit_id) == (Code.STRIPE, Code.UNAPPLIED)
    assert (posted.amount, posted.key) == (Decimal(cents) / 100, f"pay:{intent.pk}")
    assert not CreditGrant.objects.exists()
    settle(intent, replace(PAID, amount_cents=cents))
    assert Transfer.objects.count() == 1


def test_another_currency_never_enters_a_ledger_of_dollars(intent: Intent) -> None:
    settle(intent, replace(PAID, currency="eur"))
    assert (intent.state, intent.failure_code) == (State.SUCCEEDED, outcomes.UNAPPLIED)
    assert not Transfer.objects.exists()


def test_a_second_charge_for_one_purchase_is_set_aside_once(intent: Intent) -> None:
    settle(intent, PAID)
    for _ in range(2):
        settle(intent, replace(PAID, provider_id="pi_2", charge_id="ch_2"))
    aside = Transfer.objects.get(credit_id=Code.UNAPPLIED)
    assert (aside.amount, aside.key) == (100, f"pay:{intent.pk}:ch_2")
    assert balances.of(intent.wallet_id, now=NOW).available == 100


@pytest.mark.books_differ("settlement_charged")
def test_a_payment_for_an_overdraft_that_is_gone_is_credit(acme: Organization) -> None:
    intent = cards.meant(acme, cards.saved(acme), 100_00, now=NOW, purpose=Purpose.SETTLEMENT)
    settle(intent, PAID)
    grant = CreditGrant.objects.get(payment_id=intent.pk)
    assert (grant.source, grant.account.balance, grant.key) == ("settlement_rest", 100, f"pay:{intent.pk}:rest")


def test_if_the_ledger_refuses_nothing_at_all_has_happened(intent: Intent, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(grants, "issue_paid", fail)
    with pytest.raises(RuntimeError):
        settle(intent, PAID)
    intent.refresh_from_db()
    assert intent.state == State.CREATED
    assert not PaymentMethod.objects.exists()


# --- What Stripe's answers mean ------------------------------------------------------------------------------------------

CHARGE = Charge("ch_1", 100_00, "usd", CHARGED, True, VISA)


def paying(status: str, *, charge: Charge | None = CHARGE, decline: str = "") -> Payment:
    return Payment(
        "pi_1", status, 100_00, 100_00 if status == "succeeded" else 0, "usd", None, charge,
        Decline(decline, "") if decline else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("session", "payment_status", "payment", "outcome"),
    [
        ("open", "unpaid", None, replace(WAITING, provider_id=None)),
        ("open", "unpaid", paying("requires_action"), replace(WAITING, provider_id="pi_1")),
        (
            "open",
            "unpaid",
            paying("requires_payment_method", decline="expired_card"),
            replace(WAITING, provider_id="pi_1", declined="expired_card"),
        ),
        ("open", "unpaid", paying("processing"), outcomes.Processing("pi_1")),
        ("complete", "paid", paying("succeeded"), PAID),
        ("open", "unpaid", paying("succeeded"), PAID),
        ("expired", "unpaid", paying("succeeded"), PAID),
        ("complete", "unpaid", paying("processing"), outcomes.Processing("pi_1")),
        (
            "complete",
            "unpaid",
            paying("requires_payment_method", decline="generic_decline"),
            outcomes.Declined("generic_decline", "pi_1"),
        ),
        ("expired", "unpaid", None, outcomes.Canceled("expired")),
        ("expired", "unpaid", paying("canceled", decline="expired_card"), outcomes.Canceled("expired_card", "pi_1")),
        ("complete", "paid", paying("succeeded", charge=None), outcomes.Unknown()),
        ("complete", "paid", None, outcomes.Unknown()),
        ("something_new", "unpaid", None, outcomes.Unknown()),
    ],
)
def test_what_a_page_says(
    session: str, payment_status: str, payment: Payment | None, outcome: outcomes.Outcome
) -> None:
    page = Checkout(
        "cs_1", session, payment_status, 100_00, "usd", WAITING.url, WAITING.deadline, None, payment
    )  # fmt: skip
    assert outcomes.of_checkout(page) == outcome
