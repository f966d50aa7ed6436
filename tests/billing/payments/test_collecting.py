"""A purchase is written down before Stripe hears of it, and asked for once however often it is asked."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.payments import collecting, gateway, outcomes, polling
from billing.payments.models import Customer, Intent, State
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.paying import PAYS, begin, order

pytestmark = pytest.mark.django_db(transaction=True)

SESSIONS = "/v1/checkout/sessions"


def test_buying_opens_a_page_at_stripe(stripe: Running, acme: Organization, alice: User) -> None:
    now = timezone.now()
    intent = collecting.buy_credits(order(acme, alice), now=now)
    assert (intent.state, intent.amount_cents, intent.created_by_id) == (State.WAITING, 100_00, alice.pk)
    assert intent.checkout_url.startswith(stripe.base_url)
    assert intent.deadline is not None
    assert now + timedelta(minutes=30) < intent.deadline <= now + timedelta(minutes=31)
    session = stripe.sandbox.world.find("checkout.session", intent.checkout_id or "")
    assert session["client_reference_id"] == session["metadata"]["purser_intent"] == str(intent.pk)
    assert session["success_url"] == f"http://127.0.0.1:8000/o/acme/billing/purchases/{intent.pk}?returned=1"
    asked = stripe.admin.requests("POST", SESSIONS)
    assert [row["idempotency_key"] for row in asked] == [f"{intent.pk}:1"]


def test_an_organization_is_one_customer(stripe: Running, acme: Organization, alice: User) -> None:
    for _ in range(2):
        begin(acme, alice)
    assert len(stripe.admin.requests("POST", "/v1/customers")) == 1
    customer = stripe.sandbox.world.find("customer", Customer.objects.get(wallet_id=acme.pk).stripe_id)
    assert (customer["name"], customer["email"]) == ("Acme Research", "alice@example.com")


def test_the_second_click_goes_on_to_the_first_ones_page(stripe: Running, acme: Organization, alice: User) -> None:
    asked = order(acme, alice)
    first, second = (collecting.buy_credits(asked, now=timezone.now()) for _ in range(2))
    assert (first.pk, first.checkout_url) == (second.pk, second.checkout_url)
    assert len(stripe.admin.requests("POST", SESSIONS)) == 1


def test_the_same_form_with_another_amount_is_not_a_second_click(
    stripe: Running, acme: Organization, alice: User
) -> None:
    asked = order(acme, alice)
    first = collecting.buy_credits(asked, now=timezone.now())
    with pytest.raises(collecting.FormUsedBefore) as refusal:
        collecting.buy_credits(order(acme, alice, 50_00, asked.nonce), now=timezone.now())
    assert refusal.value.earlier == first
    assert Intent.objects.count() == 1


def test_a_form_of_one_organization_opens_nothing_of_another(
    stripe: Running, acme: Organization, alice: User, alice_personal: Organization
) -> None:
    asked = order(acme, alice)
    collecting.buy_credits(asked, now=timezone.now())
    with pytest.raises(collecting.FormUsedBefore):
        collecting.buy_credits(order(alice_personal, alice, 100_00, asked.nonce), now=timezone.now())


@pytest.mark.parametrize("cents", [0, -100, 4_99, 10_000_01])
def test_amounts_that_are_not_sold_reach_neither_table_nor_stripe(
    stripe: Running, acme: Organization, alice: User, cents: int
) -> None:
    with pytest.raises(collecting.AmountRefused, match=r"from \$5.00 to \$10,000.00"):
        collecting.buy_credits(order(acme, alice, cents), now=timezone.now())
    assert not Intent.objects.exists()
    assert stripe.admin.requests() == []


# --- What may go wrong on the way ----------------------------------------------------------------------------------------

FAULTS = [
    {"kind": kind, "moment": moment, **more}
    for moment in ("before", "after")
    for kind, more in (
        ("timeout", {"seconds": 2}),
        ("reset", {}),
        ("error", {"status": 500}),
        ("error", {"status": 503, "stored": False}),
    )
] + [{"kind": "rate_limit"}, {"kind": "slow", "seconds": 1}]


@pytest.fixture
def impatient(settings: Any) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.4


@pytest.mark.parametrize("path", ["/v1/customers", SESSIONS])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_whatever_happens_to_a_call_the_purchase_ends_alike(
    stripe: Running, impatient: None, acme: Organization, alice: User, fault: dict[str, Any], path: str
) -> None:
    """The call fails before or after it had its effect: the customer pays once, on one page, and has the credit once."""
    stripe.admin.fault(**fault, method="POST", path=path)
    now = timezone.now()
    intent = collecting.buy_credits(order(acme, alice), now=now)
    assert (intent.state, intent.checkout_url) == (State.UNKNOWN, "")
    stripe.admin.clear_faults()

    for _ in range(500):  # a slow request is under way until it is done
        now = timezone.now() + timedelta(minutes=1)
        flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)
        intent.refresh_from_db()
        if intent.state != State.UNKNOWN:
            break
    assert intent.state == State.WAITING

    open_pages = [s for s in stripe.sandbox.world.books.oldest_first("checkout.session") if s["status"] == "open"]
    assert [page["id"] for page in open_pages] == [intent.checkout_id], "one page, no twin"
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    settled = flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=now)
    assert settled is not None
    assert settled.credited == 100
    assert balances.of(acme.pk, now=now).available == 100
    assert stripe.admin.books()["totals"]["net"] == 100_00


def test_a_crash_before_the_call_is_made_up_for_with_the_same_key(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, now = order(acme, alice), timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "open_checkout", lambda *a, **k: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            collecting.buy_credits(asked, now=now)
    left = Intent.objects.get()
    assert (left.state, left.called_at) == (State.CREATED, None)

    assert polling.poll(flows.payment_outcome, now=now + timedelta(minutes=1)) == 1
    left.refresh_from_db()
    assert left.state == State.WAITING
    assert [row["idempotency_key"] for row in stripe.admin.requests("POST", SESSIONS)] == [f"{left.pk}:1"]


def test_a_crash_after_the_call_finds_the_page_that_was_opened(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "settle", lambda *a, **k: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            collecting.buy_credits(order(acme, alice), now=now)
    assert Intent.objects.get().state == State.CREATED
    polling.poll(flows.payment_outcome, now=now + timedelta(minutes=1))
    opened = list(stripe.sandbox.world.books.oldest_first("checkout.session"))
    assert [session["id"] for session in opened] == [Intent.objects.get().checkout_id]


def test_a_purchase_never_asked_for_ends_at_its_deadline_without_a_call(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "open_checkout", lambda *a, **k: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            collecting.buy_credits(order(acme, alice), now=now)
    polling.poll(flows.payment_outcome, now=now + timedelta(minutes=31))
    assert Intent.objects.get().state == State.CANCELED
    assert stripe.admin.requests() == []


def test_after_23_hours_the_purchase_is_looked_up_not_asked_for_again(
    stripe: Running, impatient: None, acme: Organization, alice: User
) -> None:
    begin(acme, alice)  # so that the customer is known
    now = timezone.now()
    stripe.admin.fault("timeout", moment="after", method="POST", path=SESSIONS, seconds=1)
    lost = collecting.buy_credits(order(acme, alice), now=now)
    calls = len(stripe.admin.requests("POST", SESSIONS))
    found = polling.ask(lost.pk, now=now + timedelta(hours=23, minutes=1))
    assert found.checkout_id.startswith("cs_")  # type: ignore[union-attr]
    assert len(stripe.admin.requests("POST", SESSIONS)) == calls


def test_what_never_reached_stripe_is_over_when_looked_up(
    stripe: Running, impatient: None, acme: Organization, alice: User
) -> None:
    now = timezone.now()
    stripe.admin.fault("reset", method="POST", path=SESSIONS)
    lost = collecting.buy_credits(order(acme, alice), now=now)
    later = now + timedelta(hours=24)
    flows.payment_outcome(lost.pk, polling.ask(lost.pk, now=later), now=later)
    lost.refresh_from_db()
    assert (lost.state, lost.failure_code) == (State.FAILED, "not_opened")


def test_what_stripe_refuses_at_first_has_failed_and_charged_nothing(
    stripe: Running, acme: Organization, alice: User, settings: Any
) -> None:
    settings.STRIPE_SECRET_KEY = "sk_live_not_here"
    intent = collecting.buy_credits(order(acme, alice), now=timezone.now())
    assert (intent.state, intent.failure_code) == (State.FAILED, "not_opened")
    assert "nothing to do with your card" in intent.failure_message


def test_the_call_is_made_with_nothing_locked(
    stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic(), pytest.raises(gateway.CalledInsideTransaction):
        collecting.buy_credits(order(acme, alice, nonce=uuid4()), now=timezone.now())
    assert not connection.in_atomic_block
