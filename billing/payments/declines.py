"""Why a payment was not made, in words for the person who wanted to pay. Pure: codes in, sentences out.

Stripe asks not to tell that a card is reported lost, stolen or suspicious; those say what every plain refusal says.
"""

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
}


def reason(code: str) -> str:
    """One or two sentences; an unknown code is a plain refusal by the bank."""
    return REASONS.get(code, BANK_SAID_NO)
