"""What month ends do to an organization that used more than it had, from the first request to the last cent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import flows
from billing.catalog import current
from billing.ledger import balances
from billing.ledger.models import Transfer
from billing.limits import entitlements, reading
from billing.limits.answers import ModelAnswer
from billing.payments import answers, card_charges, collecting, polling
from billing.payments.models import Intent, PaymentMethod, State
from billing.settlement import closing
from billing.settlement.models import Settlement
from billing.statements import verifier, writing
from billing.statements.models import Statement
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories import months, usage
from tests.factories.months import APRIL, MARCH, MAY
from tests.factories.paying import PAYS, order

pytestmark = pytest.mark.django_db(transaction=True)

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def bought(stripe: Running, org: Organization, by: User, cents: int, at: datetime, card: str = PAYS) -> Intent:
    """On Stripe's page, with a card that is saved."""
    stripe.admin.set_clock(at.isoformat())
    intent = collecting.buy_credits(order(org, by, cents), now=at)
    stripe.admin.pay(intent.checkout_id or "", card)
    flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=at), now=at)
    intent.refresh_from_db()
    return intent


def collect(stripe: Running, at: datetime) -> int:
    stripe.admin.set_clock(at.isoformat())
    return flows.collect_settlements(now=at)


def available(org: Organization, at: datetime) -> Decimal:
    return balances.of(org.pk, now=at).available


def answer(org: Organization, at: datetime) -> ModelAnswer:
    """What any key of it is told about the model that is used here."""
    catalog = current.latest()
    [model] = [model for model in catalog.models if model.slug == "dollar-a-million"]
    return entitlements.for_model(reading.pictures([org.pk], now=at)[org.pk], model, catalog, now=at)


def paid_by_card(org: Organization) -> list[tuple[str, int]]:
    charges = Intent.objects.filter(wallet=org.pk, purpose="settlement").order_by("created_at")
    return list(charges.values_list("state", "amount_cents"))


def test_the_first_month_is_prepaid(stripe: Running, acme: Organization, alice: User) -> None:
    """20 USD are bought and 7.50 used: the month end charges nothing and tells all of it."""
    bought(stripe, acme, alice, 20_00, MARCH)
    usage.spent(acme, "7.5", now=MARCH + DAY)
    months.closed()
    assert collect(stripe, APRIL) == 0
    flows.issue_statements(now=APRIL)
    told = writing.read(Statement.objects.get(wallet=acme.pk).body)
    assert (verifier.amount(told["opening"]), verifier.amount(told["closing"])) == (0, Decimal("12.5"))
    assert (available(acme, APRIL), answer(acme, APRIL).http_status) == (Decimal("12.5"), 200)
    assert Intent.objects.filter(wallet=acme.pk).count() == 1


def test_a_month_is_closed_twice_and_crashes_in_between(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "8", now=MARCH + DAY)
    with monkeypatch.context() as power:
        power.setattr(closing, "_record", lambda *given: (_ for _ in ()).throw(SystemExit("the power fails")))
        with pytest.raises(SystemExit):
            months.closed()
    assert not Settlement.objects.exists()
    assert [months.closed(), months.closed()] == [1, 0]
    with monkeypatch.context() as power:
        power.setattr(card_charges, "charge", lambda *given, **more: (_ for _ in ()).throw(SystemExit("again")))
        with pytest.raises(SystemExit):
            collect(stripe, APRIL)
    assert paid_by_card(acme) == [(State.CREATED, 3_00)]
    # Whoever comes by next takes it up: the poller asks by the same key.
    polling.poll(flows.payment_outcome, now=APRIL + HOUR)
    assert [collect(stripe, APRIL + HOUR), collect(stripe, APRIL + HOUR)] == [0, 0]
    assert paid_by_card(acme) == [(State.SUCCEEDED, 3_00)]
    assert available(acme, APRIL + HOUR) == 0


def test_a_small_overdraft_is_charged_to_the_card_that_was_saved(
    stripe: Running, acme: Organization, alice: User
) -> None:
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "8.507123", now=MARCH + DAY)
    assert answer(acme, MARCH + DAY).reason == "no_credit"
    months.closed()
    assert collect(stripe, APRIL) == 1
    assert paid_by_card(acme) == [(State.SUCCEEDED, 3_50)]
    assert available(acme, APRIL) == Decimal("-0.007123")
    # The next month is closed and nothing is charged twice; what is left goes with the next credit.
    months.closed(MAY)
    assert collect(stripe, MAY) == 0
    bought(stripe, acme, alice, 10_00, MAY + DAY)
    assert available(acme, MAY + DAY) == Decimal("9.992877")


def test_march_and_april_are_open_at_once(stripe: Running, acme: Organization, alice: User) -> None:
    """A8: on 1 April a purchase at 00:02, usage of March that arrives at 00:03, and usage of April, all told apart."""
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "8", now=MARCH + DAY)
    midnight = datetime(2026, 4, 1, tzinfo=UTC)
    bought(stripe, acme, alice, 10_00, midnight + 2 * MINUTE)
    months.late(acme, "0.5", occurred=midnight - MINUTE, now=midnight + 3 * MINUTE)
    usage.spent(acme, "2", now=midnight + 4 * MINUTE)
    months.closed()
    assert collect(stripe, APRIL) == 0
    flows.sweep(now=APRIL + 2 * HOUR)
    used = Transfer.objects.filter(reason="usage").order_by("period", "amount").values_list("period__month", "amount")
    assert sorted(used) == [(3, Decimal("0.5")), (3, 3), (3, 5), (4, 2)]
    assert available(acme, APRIL + 2 * HOUR) == Decimal("4.5")


def test_the_card_declines_for_a_week_and_then_the_customer_pays(
    stripe: Running, acme: Organization, alice: User
) -> None:
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "8", now=MARCH + DAY)
    months.closed()
    # The card that was saved paid then; from now on its bank refuses it.
    stripe.admin.behave(PaymentMethod.objects.get(wallet=acme.pk).stripe_id, "insufficient_funds")
    assert [day for day in range(10) if collect(stripe, APRIL + day * DAY)] == [0, 1, 3, 7]
    assert paid_by_card(acme) == [(State.FAILED, 3_00)] * 4
    week = APRIL + 9 * DAY
    told = answer(acme, week)
    assert (told.http_status, told.reason) == (402, "settlement_unpaid")
    assert "month-end charge of Acme Research could not be made" in (told.remedy or "")
    bought(stripe, acme, alice, 10_00, week)
    assert available(acme, week) == 7
    assert answer(acme, week).http_status == 200
    assert months.settlement(acme).stage == "paid"


def test_the_ceiling_and_the_page_that_was_open(stripe: Running, acme: Organization, alice: User) -> None:
    """A9 and A10: while a purchase is open nothing is let go; left unpaid, the month after charges up to the ceiling."""
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "30", now=MARCH + DAY)
    stripe.admin.set_clock((APRIL - 5 * MINUTE).isoformat())
    page = collecting.buy_credits(order(acme, alice, 50_00), now=APRIL - 5 * MINUTE)
    months.closed()
    assert (collect(stripe, APRIL), available(acme, APRIL)) == (0, -25)
    later = APRIL + HOUR
    stripe.admin.set_clock(later.isoformat())
    flows.payment_outcome(page.pk, polling.ask(page.pk, now=later), now=later)
    months.closed(MAY)
    assert collect(stripe, MAY) == 1
    assert paid_by_card(acme) == [(State.SUCCEEDED, 10_00)]
    assert available(acme, MAY) == 0
    assert Transfer.objects.get(reason="write_off").amount == 15


def test_a_month_end_that_is_disputed_is_owed(stripe: Running, acme: Organization, alice: User) -> None:
    """The overdraft it paid was used: it comes back as a debt, which no card is charged for."""
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "8", now=MARCH + DAY)
    months.closed()
    collect(stripe, APRIL)
    charge = Intent.objects.get(purpose="settlement")
    moved = answers.Movement("txn_1", -3_00, "usd", APRIL + DAY)
    told = answers.Dispute(
        "dp_1", "lost", "fraudulent", 3_00, "usd", charge.charge_id or "", charge.provider_id or "", APRIL + DAY, (moved,)
    )  # fmt: skip
    flows.dispute_told(told, now=APRIL + DAY)
    assert balances.of(acme.pk, now=APRIL + DAY).debt == 3
    months.closed(MAY)
    assert collect(stripe, MAY) == 0


def test_stripe_and_the_books_agree_on_a_month_end(stripe: Running, acme: Organization, alice: User) -> None:
    """Also where its money paid an overdraft in part and became credit for the rest."""
    bought(stripe, acme, alice, 5_00, MARCH)
    usage.spent(acme, "8", now=MARCH + DAY)
    months.closed()
    stripe.admin.fault("timeout", path="/v1/payment_intents", seconds=2)
    collect(stripe, APRIL)
    usage.given(acme, "1", now=APRIL)
    charge = Intent.objects.get(purpose="settlement")
    flows.payment_outcome(charge.pk, polling.ask(charge.pk, now=APRIL + MINUTE), now=APRIL + MINUTE)
    assert available(acme, APRIL + MINUTE) == 1
    run = flows.reconcile(now=APRIL + DAY)
    assert (run.found, run.there_cents, run.here_cents) == (0, 8_00, 8_00)


def test_a_personal_organization_that_does_not_pay_falls_back_to_free_usage(
    stripe: Running, alice_personal: Organization, alice: User
) -> None:
    bought(stripe, alice_personal, alice, 5_00, MARCH)
    usage.spent(alice_personal, "8", now=MARCH + DAY)
    months.closed()
    stripe.admin.behave(PaymentMethod.objects.get(wallet=alice_personal.pk).stripe_id, "insufficient_funds")
    for day in (0, 1, 3, 7):
        collect(stripe, APRIL + day * DAY)
    assert months.settlement(alice_personal).stage == "unpaid"
    told = answer(alice_personal, APRIL + 8 * DAY)
    assert (told.http_status, told.payer) == (200, "free")
