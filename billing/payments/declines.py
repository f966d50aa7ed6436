"""Why a payment was not made, in words for the person who wanted to pay. Pure: codes in, sentences out.

Stripe asks not to tell that a card is reported lost, stolen or suspicious; those say what every plain refusal says.
"""

from enum import StrEnum

CARD_GONE = "card_gone"
"""The card was removed at Stripe: it cannot be charged, whoever asks."""
NOT_CHARGED = "not_charged"
"""Nothing was asked of the card's bank, so it has not declined either."""

BANK_SAID_NO = "Your bank declined the payment and gave no reason. It can tell you why, or you can use another card."
NO_ANSWER = "Your bank could not answer. Try again in a few minutes."
NOT_CONFIRMED = "Your bank asked you to confirm the payment, and it was not confirmed."
WRONG_DETAILS = "The card's details were not right. Check them, or use another card."

REASONS = {
    "insufficient_funds": "The card does not have enough funds.",
    "withdrawal_count_limit_exceeded": "The card has reached its limit.",
    "card_velocity_exceeded": "The card has reached its limit. Try again later, or use another card.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code was not right.",
    "invalid_cvc": "The card's security code was not right.",
    "incorrect_number": WRONG_DETAILS,
    "invalid_number": WRONG_DETAILS,
    "invalid_expiry_month": WRONG_DETAILS,
    "invalid_expiry_year": WRONG_DETAILS,
    "incorrect_zip": WRONG_DETAILS,
    "processing_error": NO_ANSWER,
    "issuer_not_available": NO_ANSWER,
    "reenter_transaction": NO_ANSWER,
    "try_again_later": NO_ANSWER,
    "authentication_required": NOT_CONFIRMED,
    "payment_intent_authentication_failure": NOT_CONFIRMED,
    "authentication_failed": NOT_CONFIRMED,
    "card_not_supported": "The card cannot be used for this kind of payment.",
    "currency_not_supported": "The card cannot pay in US dollars.",
    "test_mode_live_card": "This is a test: only test cards are accepted here.",
    "testmode_decline": "This is a test card. Use a real one.",
    "expired": "The payment page closed after 30 minutes without a payment.",
    "canceled": "You canceled the payment.",
    "not_opened": "We could not open the payment page. This has nothing to do with your card.",
    CARD_GONE: "The card is no longer saved.",
    NOT_CHARGED: "The charge could not be made. This has nothing to do with your card.",
}

# --- What a saved card's refusal means for the next try ------------------------------------------------------------------


class Kind(StrEnum):
    """`SOFT` may pass another time. `AUTHENTICATION`: only with its holder in front of the screen. `HARD`: never, or only
    with another card."""

    SOFT = "soft"
    AUTHENTICATION = "authentication"
    HARD = "hard"


AUTHENTICATION = frozenset(
    {"authentication_required", "authentication_failed", "payment_intent_authentication_failure", "approve_with_id"}
)
HARD = frozenset(
    {
        # Stripe does not try these again by itself: docs.stripe.com/billing/revenue-recovery/smart-retries, "non-retryable
        # decline codes" (read November 2026).
        "highest_risk_level",
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "transaction_not_allowed",
        # Of these docs.stripe.com/declines/codes says that the card is not valid, not for this kind of payment, or refused
        # for good; networks fine those who go on trying.
        "card_not_supported",
        "currency_not_supported",
        "do_not_try_again",
        "expired_card",
        "fraudulent",
        "invalid_account",
        "invalid_number",
        "merchant_blacklist",
        "new_account_information_available",
        "restricted_card",
        "security_violation",
        "stop_payment_order",
        "test_mode_live_card",
        "testmode_decline",
        CARD_GONE,
    }
)
"""`do_not_honor` and `generic_decline` are not among them: the bank gives no reason, and says yes another day."""


def kind(code: str) -> Kind:
    """An unknown code is soft: it is tried again three times at most."""
    if is_authentication(code):
        return Kind.AUTHENTICATION
    return Kind.HARD if is_hard(code) else Kind.SOFT


def is_hard(code: str) -> bool:
    return code in HARD


def is_authentication(code: str) -> bool:
    return code in AUTHENTICATION


def reason(code: str) -> str:
    """One or two sentences; an unknown code is a plain refusal by the bank."""
    return REASONS.get(code, BANK_SAID_NO)
