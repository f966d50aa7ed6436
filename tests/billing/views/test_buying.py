"""The page that says what will happen before it happens."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from billing.payments.models import Intent, State
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.billing.views.buying import BUY, HTMX, fields, page_of, paid, sent, text, usage
from tests.factories.paying import PAYS, begin

pytestmark = pytest.mark.django_db(transaction=True)


# --- What will happen ----------------------------------------------------------------------------------------------------


def test_the_page_says_what_a_hundred_dollars_do(alice_client: Client, acme: Organization) -> None:
    page = text(alice_client.get(BUY))
    assert "What will happen You pay $100.00 Pays off overdraft $0.00 New credit $100.00" in page
    assert "Available after $100.00" in page
    assert "Continue to pay $100.00" in page
    assert "All purchases are final." in page
    assert "The card is saved: small negative balances may be charged at month end." in page
    assert "From $5.00 to $10,000.00, in whole cents." in page


def test_while_typing_only_the_well_comes_back_and_nothing_is_written(
    alice_client: Client, acme: Organization, django_assert_max_num_queries: Any
) -> None:
    alice_client.get(BUY)
    fragment = alice_client.get(BUY, {"other": "37.50"}, headers=HTMX)
    assert b"<html" not in fragment.content
    assert "Continue to pay $37.50" in text(fragment)
    assert fields(fragment)["seen"] == "3750"
    assert 'id="presets"' in fragment.content.decode()
    assert "checked" not in fragment.content.decode()
    assert not Intent.objects.exists()


def test_choosing_an_amount_empties_the_written_one(alice_client: Client, acme: Organization) -> None:
    fragment = alice_client.get(BUY, {"preset": "250"}, headers=HTMX).content.decode()
    assert "Continue to pay" in fragment
    assert 'name="other" id="id_other" value=""' in fragment


@pytest.mark.parametrize("typed", ["1", "4.99", "10000.01", "abc", "-5", "1e3", "5."])
def test_while_typing_something_that_is_no_amount_yet_there_is_no_button_to_pay(
    alice_client: Client, acme: Organization, typed: str
) -> None:
    fragment = alice_client.get(BUY, {"other": typed}, headers=HTMX)
    assert fragment.status_code == 200
    assert "Continue to pay" not in text(fragment)
    assert "Choose an amount from $5.00 to $10,000.00" in text(fragment)


def test_an_overdraft_is_paid_first_and_raises_the_smallest_amount(alice_client: Client, acme: Organization) -> None:
    usage(acme, "8.003")
    page = text(alice_client.get(BUY))
    assert "Your balance is −$8.01. The smallest purchase is $9.01" in page
    assert "Pays off overdraft $8.003 New credit $91.997" in page, "it adds up"
    assert "Available after $91.99" in page
    assert "$10 " in page
    assert " $5 " not in page
    refused = sent(alice_client, other="9.00")
    assert "The smallest amount is $9.01." in text(refused)
    assert not Intent.objects.exists()


# --- Paying --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "cents"),
    [
        ({"preset": "100"}, 100_00),
        ({"other": "37.5"}, 37_50),
        ({"preset": "100", "other": "12.34"}, 12_34),
        ({"other": "10000"}, 10_000_00),
    ],
)
def test_the_button_leads_to_stripe(
    stripe: Running, alice_client: Client, acme: Organization, given: dict[str, str], cents: int
) -> None:
    answer = sent(alice_client, **given)
    intent = Intent.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, intent.checkout_url)
    assert (intent.amount_cents, intent.state, intent.wallet_id) == (cents, State.WAITING, acme.pk)


def test_pressed_twice_it_is_one_purchase(stripe: Running, alice_client: Client, acme: Organization) -> None:
    form = {**fields(alice_client.get(BUY)), "preset": "100"}
    first, second = (alice_client.post(BUY, form) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Intent.objects.count() == 1


def test_pressed_again_after_paying_it_shows_the_purchase(
    stripe: Running, alice_client: Client, acme: Organization
) -> None:
    form = {**fields(alice_client.get(BUY)), "preset": "100"}
    alice_client.post(BUY, form)
    intent = Intent.objects.get()
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    alice_client.post(f"/o/acme/billing/purchases/{intent.pk}/check")
    assert alice_client.post(BUY, form)["Location"] == f"/o/acme/billing/purchases/{intent.pk}"


def test_the_same_form_with_another_amount_asks_again(
    stripe: Running, alice_client: Client, acme: Organization
) -> None:
    form = {**fields(alice_client.get(BUY)), "preset": "100"}
    alice_client.post(BUY, form)
    other = {**form, **{name: value for name, value in fields(alice_client.get(BUY, {"other": "50"})).items()
                        if name != "nonce"}, "other": "50"}  # fmt: skip
    again = alice_client.post(BUY, other)
    assert "sent before with another amount" in text(again)
    assert Intent.objects.count() == 1
    assert alice_client.post(BUY, {**other, **fields(again)}).status_code == 302
    assert Intent.objects.count() == 2


def test_what_was_not_previewed_is_shown_first(stripe: Running, alice_client: Client, acme: Organization) -> None:
    """Without script: another amount is typed, and the well still shows the old one."""
    form = fields(alice_client.get(BUY))
    answer = alice_client.post(BUY, {**form, "other": "250"})
    page = text(answer)
    assert "Look again before you pay. The figures changed since they were shown. Nothing was charged." in page
    assert "You pay $250.00 it was $100.00" in page
    assert not Intent.objects.exists()
    assert alice_client.post(BUY, {**fields(answer), "other": "250"}).status_code == 302


def test_if_the_overdraft_grew_meanwhile_nothing_happens(
    stripe: Running, alice_client: Client, acme: Organization
) -> None:
    usage(acme, "8.00")
    form = fields(alice_client.get(BUY))
    usage(acme, "0.50")
    answer = alice_client.post(BUY, {**form, "preset": "100"})
    page = text(answer)
    assert "Pays off overdraft $8.50 it was $8.00" in page
    assert "New credit $91.50 it was $92.00" in page
    assert "You pay $100.00 Pays" in page, "what did not change is not marked"
    assert not Intent.objects.exists()
    assert alice_client.post(BUY, {**fields(answer), "preset": "100"}).status_code == 302


def test_credit_that_was_used_meanwhile_is_no_reason_to_ask_again(
    stripe: Running, alice_client: Client, acme: Organization, alice: User
) -> None:
    paid(stripe, alice_client, acme, alice)
    form = fields(alice_client.get(BUY))
    usage(acme, "12.00")
    assert alice_client.post(BUY, {**form, "preset": "100"})["Location"].startswith(stripe.base_url)


def test_when_stripe_does_not_answer_the_purchase_page_waits_for_it(
    stripe: Running, alice_client: Client, acme: Organization, settings: Any
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    stripe.admin.fault("timeout", method="POST", path="/v1/checkout/sessions", seconds=1)
    answer = sent(alice_client, preset="100")
    intent = Intent.objects.get()
    assert answer["Location"] == page_of(intent)
    assert "Confirming" in text(alice_client.get(page_of(intent)))
    checked = alice_client.post(f"{page_of(intent)}/check", headers=HTMX)
    assert "Continue to pay $100.00" in text(checked)


HOSTILE = [
    "", " ", "0", "0.00", "-5", "+5", "−5", "5-", "4.99", "10000.01", "99999999", "1e3", "1E3", "5e0", "NaN", "nan", "inf",
    "Infinity", "-Infinity", "10.001", "10.999999999999", ".5", "5.", "5..0", "1,000", "1.000,00", "1 000", "1_000", "0x10",
    "0b1", "007", "00.50", "１００", "٥٠", "१००", "Ⅹ", "²5", "$100", "100$", "100 USD", "one hundred", "5\u0000", "5\n5",
    "1/2", "50%", "{{7*7}}", "' OR 1=1 --", "<script>alert(1)</script>", "9" * 20, "9" * 5000, "5\u200b", "5\u202e0",
    "True", "null", "[]", "\ud7ff", "🪙",
]  # fmt: skip


@pytest.mark.parametrize("field", ["other", "preset"])
def test_hostile_amounts_get_a_reason_and_nothing_else(
    stripe: Running, alice_client: Client, acme: Organization, field: str
) -> None:
    assert len(HOSTILE) >= 40
    nonce = {"nonce": uuid4().hex, "seen": "10000", "version": "0:0"}
    for typed in HOSTILE:
        assert alice_client.get(BUY, {field: typed}, headers=HTMX).status_code == 200, typed
        page = alice_client.post(BUY, {**nonce, field: typed})
        assert page.status_code == 200, typed
        assert 'class="field-error"' in page.content.decode(), typed
        assert "<script>alert" not in page.content.decode()
    assert not Intent.objects.exists()
    assert stripe.admin.requests() == []


@pytest.mark.parametrize(
    "broken",
    [
        {"nonce": ""},
        {"nonce": "1"},
        {"nonce": "x" * 10_000},
        {"nonce": "\u0000"},
        {"seen": ""},
        {"seen": "-1"},
        {"seen": "1e4"},
        {"seen": "１００００"},
        {"seen": "9" * 400},
        {"version": ""},
        {"version": "0"},
        {"version": "NaN:NaN"},
        {"version": "-1:0"},
        {"version": "1e9:0"},
        {"version": "0:0:0"},
        {"version": "9" * 500},
        {"preset": ["100", "250"]},
        {"nonce": ["aa440711b0f04ac68759b1d709aa2b6f", "f81eda03158a4df9a6ef03beadaa01f9"]},
        {"seen": ["10000", "500"]},
    ],
    ids=str,
)
def test_a_form_that_was_tampered_with_does_nothing(
    stripe: Running, alice_client: Client, acme: Organization, broken: dict[str, Any]
) -> None:
    form = {**fields(alice_client.get(BUY)), "preset": "100", **broken}
    sent_twice = any(isinstance(value, list) for value in broken.values())
    assert alice_client.post(BUY, form).status_code == (400 if sent_twice else 200)
    assert not Intent.objects.exists()
    assert stripe.admin.requests() == []


def test_spaces_around_an_amount_are_forgiven(stripe: Running, alice_client: Client, acme: Organization) -> None:
    assert sent(alice_client, other=" 37.50 ").status_code == 302
    assert Intent.objects.get().amount_cents == 37_50


# --- Who may -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bob_role", ["admin", "billing", "developer", "viewer"])
def test_money_is_moved_by_owner_admin_and_billing(
    stripe: Running, acme: Organization, alice: User, bob_client: Client, bob_role: str
) -> None:
    intent = begin(acme, alice)
    may = bob_role in ("admin", "billing")
    doors = [("get", BUY), ("post", BUY), ("get", page_of(intent)), ("post", f"{page_of(intent)}/check"),
             ("post", f"{page_of(intent)}/cancel")]  # fmt: skip
    for method, address in doors:
        status = getattr(bob_client, method)(address).status_code
        assert (status == 403) is not may, (method, address)
    assert Intent.objects.count() == 1


def test_to_a_stranger_there_is_nothing_here(
    stripe: Running, acme: Organization, alice: User, charlie_client: Client, charlie_personal: Organization
) -> None:
    intent = begin(acme, alice)
    own = f"/o/{charlie_personal.slug}/billing/purchases/{intent.pk}"
    for method, address in [("get", BUY), ("get", page_of(intent)), ("get", own), ("post", f"{own}/check"),
                            ("post", f"{own}/cancel"), ("get", page_of(uuid4()))]:  # fmt: skip
        assert getattr(charlie_client, method)(address).status_code == 404, address
    intent.refresh_from_db()
    assert intent.state == State.WAITING
