"""Collecting what a month end charges: once, again after 1, 3 and 7 days, and not any more once it is paid in any way."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing import flows
from billing.ledger import balances
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, Transfer
from billing.limits import reading
from billing.notices.models import Notice
from billing.payments import card_charges, outcomes, polling
from billing.payments.models import Intent, PaymentMethod, State
from billing.settlement.models import Stage
from orgs.models import Organization, User
from tests.factories import months, usage
from tests.factories.months import APRIL, MAY

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> "Bank":
    """Says what becomes of a charge, in the place of Stripe."""
    bank = Bank()
    monkeypatch.setattr(card_charges, "charge", bank.charge)
    return bank


class Bank:
    """Accepts, unless told otherwise. `asked`: what it was to charge, in cents."""

    def __init__(self) -> None:
        self.says: str = "yes"
        self.asked: list[int] = []

    def charge(self, intent_id: object, *, now: datetime) -> outcomes.Outcome:
        intent = Intent.objects.get(pk=str(intent_id))
        self.asked.append(intent.amount_cents)
        if self.says == "yes":
            return paid(intent, now)
        if self.says == "nobody knows":
            return outcomes.Unknown()
        return outcomes.Declined(self.says)


def paid(intent: Intent, at: datetime) -> outcomes.Paid:
    return outcomes.Paid(intent.amount_cents, "usd", f"pi_{intent.pk.hex}", f"ch_{intent.pk.hex}", at)


def collect(now: datetime) -> int:
    return flows.collect_settlements(now=now)


def overdraft(org: Organization) -> Decimal:
    return -Account.objects.get(wallet=org.pk, code=Code.OVERDRAFT).balance


def told(org: Organization) -> list[tuple[str, str | None]]:
    """The failures the customer was told of: amount and when it is tried again."""
    notices = Notice.objects.filter(wallet=org.pk, kind="settlement_failed").order_by("pk")
    return [(notice.facts["amount"], notice.facts["retry_at"]) for notice in notices]


# --- Charging ------------------------------------------------------------------------------------------------------------


def test_it_is_charged_once_and_pays_the_overdraft(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3.507123")
    months.closed()
    assert collect(APRIL + MINUTE) == 1
    assert bank.asked == [350]
    settled = months.settlement(acme)
    assert (settled.stage, settled.tries, settled.intent.key) == (Stage.PAID, 1, f"settle:{acme.pk}:2026-03:1")  # type: ignore[union-attr]
    row = Transfer.objects.get(reason="settlement")
    assert (row.key, row.amount, row.period.month) == (f"pay:{settled.intent_id}", Decimal("3.5"), 4)
    assert overdraft(acme) == Decimal("0.007123")
    assert collect(APRIL + DAY) == 0
    assert bank.asked == [350]


def test_the_fraction_goes_with_the_next_credit(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3.507123")
    months.closed()
    collect(APRIL)
    usage.bought(acme, "10", now=APRIL + DAY)
    assert overdraft(acme) == 0
    assert balances.of(acme.pk, now=APRIL + DAY).available == Decimal("9.992877")


def test_what_is_more_than_owed_by_then_becomes_credit(acme: Organization, bank: Bank) -> None:
    """The charge is on its way when promotional credit pays a part of the debt: the rest of it is a grant of a year."""
    months.owing(acme, "3")
    months.closed()
    bank.says = "nobody knows"
    collect(APRIL)
    usage.given(acme, "2.25", now=APRIL)
    intent = Intent.objects.get(purpose="settlement")
    flows.payment_outcome(intent.pk, paid(intent, APRIL), now=APRIL + MINUTE)
    assert Transfer.objects.get(key=f"pay:{intent.pk}").amount == Decimal("0.75")
    grant = CreditGrant.objects.get(payment_id=intent.pk)
    assert (grant.source, grant.key, grant.account.granted) == (
        "settlement_rest", f"pay:{intent.pk}:rest", Decimal("2.25")
    )  # fmt: skip
    assert grant.account.expires_at == APRIL.replace(year=2027)
    assert balances.of(acme.pk, now=APRIL + MINUTE).available == Decimal("2.25")


def test_paid_meanwhile_all_of_the_money_becomes_credit(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    bank.says = "nobody knows"
    collect(APRIL)
    usage.given(acme, "3", now=APRIL)
    intent = Intent.objects.get(purpose="settlement")
    flows.payment_outcome(intent.pk, paid(intent, APRIL), now=APRIL + MINUTE)
    assert not Transfer.objects.filter(reason="settlement").exists()
    assert CreditGrant.objects.get(payment_id=intent.pk).account.granted == 3


def test_paid_in_another_way_nothing_is_charged(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    usage.bought(acme, "10", now=APRIL)
    assert collect(APRIL + MINUTE) == 0
    assert months.settlement(acme).stage == Stage.PAID
    assert bank.asked == []


@pytest.mark.parametrize(("promo", "asked"), [("1.25", [175]), ("2.60", [])])
def test_the_amount_is_worked_out_anew(acme: Organization, bank: Bank, promo: str, asked: list[int]) -> None:
    months.owing(acme, "3")
    months.closed()
    usage.given(acme, promo, now=APRIL)
    collect(APRIL)
    assert bank.asked == asked
    assert months.settlement(acme).stage == (Stage.PAID if asked else Stage.OVER)


def test_a_page_that_is_open_is_waited_for(acme: Organization, bank: Bank) -> None:
    """The customer is buying just now: that pays it. Is the page left, the charge is made after all."""
    months.owing(acme, "3")
    months.closed()
    page = Intent.objects.create(
        wallet_id=acme.pk, purpose="credits", amount_cents=50_00, key="buy:1", created_at=APRIL, state="waiting"
    )  # fmt: skip
    collect(APRIL)
    assert (bank.asked, months.settlement(acme).stage) == ([], Stage.DUE)
    page.state = State.CANCELED
    page.save()
    assert collect(APRIL + MINUTE) == 0
    assert collect(APRIL + 10 * MINUTE) == 1
    assert bank.asked == [300]


def test_a_crash_before_stripe_was_asked(acme: Organization, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The charge is committed and nobody asks Stripe: the poller does, with the same key."""
    months.owing(acme, "3")
    months.closed()

    def crash(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(card_charges, "charge", crash)
        with pytest.raises(KeyboardInterrupt):
            collect(APRIL)
    assert (months.settlement(acme).stage, collect(APRIL + DAY)) == (Stage.CHARGING, 0)
    assert polling.poll(flows.payment_outcome, now=APRIL + 2 * MINUTE) == 1
    assert (months.settlement(acme).stage, bank.asked) == (Stage.PAID, [300])


# --- Declined ------------------------------------------------------------------------------------------------------------


def test_declined_it_is_tried_after_1_3_and_7_days_and_then_no_more(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    bank.says = "insufficient_funds"
    days = [day for day in range(12) if collect(APRIL + day * DAY)]
    assert days == [0, 1, 3, 7]
    assert told(acme) == [
        ("3.00", (APRIL + DAY).isoformat()),
        ("3.00", (APRIL + 3 * DAY).isoformat()),
        ("3.00", (APRIL + 7 * DAY).isoformat()),
        ("3.00", None),
    ]
    assert (months.settlement(acme).stage, overdraft(acme)) == (Stage.UNPAID, 3)
    assert Notice.objects.latest("pk").facts["reason"] == "The card does not have enough funds."


def test_a_retry_is_a_charge_of_its_own_over_what_is_owed_then(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    bank.says = "generic_decline"
    collect(APRIL)
    usage.given(acme, "1", now=APRIL + MINUTE)
    bank.says = "yes"
    collect(APRIL + DAY)
    assert bank.asked == [300, 200]
    keys = Intent.objects.filter(purpose="settlement").order_by("created_at").values_list("key", "state")
    assert list(keys) == [(f"settle:{acme.pk}:2026-03:1", "failed"), (f"settle:{acme.pk}:2026-03:2", "succeeded")]
    assert months.settlement(acme).stage == Stage.PAID


def test_while_nobody_knows_nothing_more_is_charged(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    bank.says = "nobody knows"
    for day in range(9):
        collect(APRIL + day * DAY)
    assert (bank.asked, months.settlement(acme).stage, told(acme)) == ([300], Stage.CHARGING, [])


def test_money_that_arrives_late_still_pays(acme: Organization, bank: Bank) -> None:
    """Declined four times, and then Stripe says that the last one was paid after all."""
    months.owing(acme, "3")
    months.closed()
    bank.says = "generic_decline"
    for day in (0, 1, 3, 7):
        collect(APRIL + day * DAY)
    last = Intent.objects.filter(purpose="settlement").latest("created_at")
    flows.payment_outcome(last.pk, paid(last, APRIL + 8 * DAY), now=APRIL + 8 * DAY)
    assert (months.settlement(acme).stage, overdraft(acme)) == (Stage.PAID, 0)


def test_the_card_is_gone_when_it_is_to_be_charged(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    PaymentMethod.objects.update(detached_at=APRIL)
    collect(APRIL)
    assert (months.settlement(acme).stage, told(acme)) == (Stage.NO_CARD, [("3.00", None)])


def test_the_month_after_does_not_charge_what_was_given_up(acme: Organization, bank: Bank) -> None:
    _unpaid(acme, bank)
    usage.spent(acme, "1", now=APRIL + 20 * DAY)
    months.closed(MAY)
    assert (months.settlement(acme, 4).decided, months.settlement(acme, 4).carried) == ("earlier", 4)
    assert collect(MAY) == 0


# --- What a key may do ---------------------------------------------------------------------------------------------------


def test_pay_as_you_go_is_closed_until_it_is_paid(acme: Organization, bank: Bank) -> None:
    months.owing(acme, "3")
    months.closed()
    bank.says = "generic_decline"
    collect(APRIL)
    assert _picture(acme, APRIL).unpaid is False
    before = _version(acme)
    for day in (1, 3, 7):
        collect(APRIL + day * DAY)
    assert _picture(acme, APRIL + 7 * DAY).unpaid is True
    assert _version(acme) > before
    usage.given(acme, "3.01", now=APRIL + 8 * DAY)
    assert _picture(acme, APRIL + 8 * DAY).unpaid is False
    collect(APRIL + 8 * DAY)
    assert months.settlement(acme).stage == Stage.PAID


def test_a_purchase_ends_it(acme: Organization, bank: Bank, alice: User) -> None:
    _unpaid(acme, bank)
    now = APRIL + 8 * DAY
    purchase = Intent.objects.create(
        wallet_id=acme.pk, purpose="credits", amount_cents=5_00, key="buy:1", created_at=now, state="waiting"
    )  # fmt: skip
    flows.payment_outcome(purchase.pk, paid(purchase, now), now=now)
    assert months.settlement(acme).stage == Stage.PAID
    assert balances.of(acme.pk, now=now).available == 2


def _unpaid(org: Organization, bank: Bank) -> None:
    months.owing(org, "3")
    months.closed()
    bank.says = "generic_decline"
    for day in (0, 1, 3, 7):
        collect(APRIL + day * DAY)
    assert months.settlement(org).stage == Stage.UNPAID


def _picture(org: Organization, now: datetime) -> reading.Picture:
    return reading.pictures([org.pk], now=now)[org.pk]


def _version(org: Organization) -> int:
    from billing.limits.models import LimitsAnswer

    return LimitsAnswer.objects.get(pk=org.pk).version
