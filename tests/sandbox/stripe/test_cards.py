"""Every published test card does what Stripe says it does."""

from typing import Any

import pytest
import stripe

from sandbox.stripe import Running
from sandbox.stripe.cards import CARDS, passes_luhn
from tests.sandbox.stripe.conftest import in_browser, off_session, saved

SUCCEED = ["visa", "visa_debit", "mastercard", "amex", "discover", "bypassPending", "threeDSecureOptional"]
DECLINE = {
    "chargeDeclined": ("card_declined", "generic_decline"),
    "visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
    "chargeDeclinedProcessingError": ("processing_error", "processing_error"),
    "visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "radarBlock": ("card_declined", "fraudulent"),
}


def number(given: str, **more: Any) -> Any:
    return {"type": "card", "card": {"number": given, "exp_month": 12, "exp_year": 2040, "cvc": "123", **more}}


def test_each_number_is_a_possible_card_number() -> None:
    assert [card.number for card in CARDS if not passes_luhn(card.number)] == []
    assert len({card.number for card in CARDS}) == len(CARDS) >= 28


@pytest.mark.parametrize("token", SUCCEED)
def test_a_good_card_pays(client: stripe.StripeClient, token: str) -> None:
    intent = client.v1.payment_intents.create(in_browser(f"pm_card_{token}"))
    assert (intent.status, intent.amount_received) == ("succeeded", 5_000)


@pytest.mark.parametrize(("token", "codes"), DECLINE.items())
def test_a_bad_card_is_declined_with_its_own_code(
    client: stripe.StripeClient, token: str, codes: tuple[str, str]
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(in_browser(f"pm_card_{token}"))
    error = refused.value.error
    assert error is not None
    assert (refused.value.http_status, error.code, error.decline_code) == (402, *codes)
    assert error.payment_intent is not None
    intent = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.payment_method, intent.amount_received) == ("requires_payment_method", None, 0)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == codes[1]
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.status, charge.paid, charge.balance_transaction) == ("failed", False, None)


@pytest.mark.parametrize("token", DECLINE)
def test_a_bad_card_cannot_be_saved(client: stripe.StripeClient, alice: stripe.Customer, token: str) -> None:
    with pytest.raises(stripe.CardError):
        saved(client, alice, f"pm_card_{token}")


def test_the_card_that_fails_later_can_be_saved(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    method = saved(client, alice, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(off_session(alice, method))
    assert refused.value.code == "card_declined"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (number("4242424242424241"), "incorrect_number"),
        (number("4242424242424242", exp_month=13), "invalid_expiry_month"),
        (number("4242424242424242", exp_year=2020), "invalid_expiry_year"),
        (number("4242424242424242", cvc="12"), "invalid_cvc"),
        (number("4111111111111111"), "card_declined"),
    ],
)
def test_what_a_form_would_point_out(client: stripe.StripeClient, given: Any, code: str) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create(given)
    assert refused.value.code == code


def test_the_same_number_has_the_same_fingerprint(client: stripe.StripeClient) -> None:
    first, second, other = (
        client.v1.payment_methods.create(number(given))
        for given in ("4242424242424242", "4242 4242 4242 4242", "5555555555554444")
    )
    assert first.card is not None
    assert second.card is not None
    assert other.card is not None
    assert first.id != second.id
    assert first.card.fingerprint == second.card.fingerprint != other.card.fingerprint


def test_a_card_does_what_it_is_told(sandbox: Running, client: stripe.StripeClient, alice: stripe.Customer) -> None:
    """A saved card that worked runs out of funds twice and then pays: the retry ladder of a renewal."""
    method = saved(client, alice)
    sandbox.admin.behave(method, "insufficient_funds", count=2)
    answers = []
    for _ in range(3):
        try:
            answers.append(client.v1.payment_intents.create(off_session(alice, method)).status)
        except stripe.CardError as error:
            answers.append(str(error.error and error.error.decline_code))
    assert answers == ["insufficient_funds", "insufficient_funds", "succeeded"]


def test_a_number_can_be_told_too(sandbox: Running, client: stripe.StripeClient) -> None:
    sandbox.admin.behave("4000000000000002", "succeed")
    assert client.v1.payment_intents.create(in_browser("pm_card_chargeDeclined")).status == "succeeded"
