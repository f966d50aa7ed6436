"""Stripe's published test cards: what each number and each `pm_card_*` token does when it is saved and when it is charged.

Pure values. A decline is what the issuer says; `authentication` is when the bank asks its customer:
never, `always`, `unless_set_up` (on each payment in the browser, and off-session until it was set up with
authentication) or `off_session_ready` (in the browser only).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

Authentication = Literal["never", "always", "unless_set_up", "off_session_ready"]


@dataclass(frozen=True)
class Decline:
    """A refusal by the issuer: the error's code, the decline code, the words, and what Stripe advises."""

    code: str
    decline_code: str
    message: str
    advice: str = "try_again_later"


DECLINED = "Your card was declined."
DECLINES = {
    "generic_decline": Decline("card_declined", "generic_decline", DECLINED),
    "insufficient_funds": Decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "lost_card": Decline("card_declined", "lost_card", DECLINED, "do_not_try_again"),
    "stolen_card": Decline("card_declined", "stolen_card", DECLINED, "do_not_try_again"),
    "do_not_honor": Decline("card_declined", "do_not_honor", DECLINED),
    "fraudulent": Decline("card_declined", "fraudulent", DECLINED, "do_not_try_again"),
    "pickup_card": Decline("card_declined", "pickup_card", DECLINED, "do_not_try_again"),
    "card_velocity_exceeded": Decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "expired_card": Decline("expired_card", "expired_card", "Your card has expired.", "do_not_try_again"),
    "incorrect_cvc": Decline(
        "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data"
    ),
    "processing_error": Decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "authentication_required": Decline(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
    "test_mode_live_card": Decline(
        "card_declined",
        "test_mode_live_card",
        "Your card was declined. Your request was in test mode, but used a non test (live) card. "
        "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
        "do_not_try_again",
    ),
}


@dataclass(frozen=True)
class TestCard:
    """One number. `attachable` is False where saving the card is declined as well."""

    number: str
    tokens: tuple[str, ...]
    what: str
    brand: str = "visa"
    funding: str = "credit"
    decline: str | None = None
    attachable: bool = True
    authentication: Authentication = "never"
    dispute: str | None = None
    inquiry: bool = False
    refund: Literal["succeeds", "pends", "fails"] = "succeeds"
    risk: str = field(default="normal")

    __test__ = False  # not a test case, whatever pytest thinks of the name

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.number)


def fingerprint(number: str) -> str:
    """Sixteen characters that are the same for the same number, whoever uses it."""
    return hashlib.sha256(b"card" + number.encode()).hexdigest()[:16]


def _refused(number: str, decline: str, what: str, *tokens: str) -> TestCard:
    return TestCard(number, tokens, what, decline=decline, attachable=False)


CARDS = (
    TestCard("4242424242424242", ("visa", "us"), "Succeeds"),
    TestCard("4000056655665556", ("visa_debit",), "Succeeds", funding="debit"),
    TestCard("5555555555554444", ("mastercard",), "Succeeds", "mastercard"),
    TestCard("5200828282828210", ("mastercard_debit",), "Succeeds", "mastercard", "debit"),
    TestCard("5105105105105100", ("mastercard_prepaid",), "Succeeds", "mastercard", "prepaid"),
    TestCard("378282246310005", ("amex",), "Succeeds", "amex"),
    TestCard("6011111111111117", ("discover",), "Succeeds", "discover"),
    TestCard("4000000000000077", ("bypassPending",), "Succeeds, funds available at once"),
    _refused("4000000000000002", "generic_decline", "Declined", "chargeDeclined", "visa_chargeDeclined"),
    _refused(
        "4000000000009995",
        "insufficient_funds",
        "Insufficient funds",
        "chargeDeclinedInsufficientFunds",
        "visa_chargeDeclinedInsufficientFunds",
    ),
    _refused("4000000000009987", "lost_card", "Lost card", "visa_chargeDeclinedLostCard", "chargeDeclinedLostCard"),
    _refused(
        "4000000000009979", "stolen_card", "Stolen card", "visa_chargeDeclinedStolenCard", "chargeDeclinedStolenCard"
    ),
    _refused("4000000000000069", "expired_card", "Expired card", "chargeDeclinedExpiredCard"),
    _refused("4000000000000127", "incorrect_cvc", "Incorrect CVC", "chargeDeclinedIncorrectCvc"),
    _refused("4000000000000119", "processing_error", "Processing error", "chargeDeclinedProcessingError"),
    _refused(
        "4000000000006975",
        "card_velocity_exceeded",
        "Velocity limit exceeded",
        "visa_chargeDeclinedVelocityLimitExceeded",
        "chargeDeclinedVelocityLimitExceeded",
    ),
    _refused("4100000000000019", "fraudulent", "Blocked as fraudulent", "radarBlock", "chargeDeclinedFraudulent"),
    TestCard(
        "4000000000000341", ("chargeCustomerFail",), "Saves, then every charge is declined", decline="generic_decline"
    ),
    TestCard(
        "4000002500003155",
        ("authenticationRequiredOnSetup",),
        "Asks for authentication until it is set up",
        authentication="unless_set_up",
    ),
    TestCard(
        "4000002760003184", ("authenticationRequired",), "Always asks for authentication", authentication="always"
    ),
    TestCard(
        "4000003800000446",
        ("authenticationRequiredSetupForOffSession",),
        "Asks in the browser, never off-session",
        authentication="off_session_ready",
    ),
    TestCard(
        "4000008260003178",
        ("authenticationRequiredChargeDeclinedInsufficientFunds",),
        "Asks for authentication, then has insufficient funds",
        decline="insufficient_funds",
        authentication="unless_set_up",
    ),
    TestCard("4000000000003220", ("threeDSecure2Required",), "3-D Secure required", authentication="always"),
    TestCard(
        "4000008400001629",
        ("threeDSecureRequiredChargeDeclined",),
        "3-D Secure required, then declined",
        decline="generic_decline",
        authentication="always",
    ),
    TestCard("4000000000003055", ("threeDSecureOptional",), "3-D Secure supported, not required"),
    TestCard("4000000000000259", ("createDispute",), "Succeeds, then disputed as fraudulent", dispute="fraudulent"),
    TestCard(
        "4000000000002685",
        ("createDisputeProductNotReceived",),
        "Succeeds, then disputed as not received",
        dispute="product_not_received",
    ),
    TestCard(
        "4000000000001976",
        ("createDisputeInquiry",),
        "Succeeds, then the bank inquires",
        dispute="fraudulent",
        inquiry=True,
    ),
    TestCard("4000000000007726", ("pendingRefund",), "Succeeds, refunds stay pending for a while", refund="pends"),
    TestCard("4000000000005126", ("refundFail",), "Succeeds, refunds fail later", refund="fails"),
)

BY_NUMBER = {card.number: card for card in CARDS}
BY_TOKEN = {f"{prefix}{token}": card for card in CARDS for token in card.tokens for prefix in ("pm_card_", "tok_")} | {
    f"tok_{card.tokens[0]}": card for card in CARDS
}
BRANDS = {"4": "visa", "5": "mastercard", "2": "mastercard", "34": "amex", "37": "amex", "6": "discover"}


def passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0
