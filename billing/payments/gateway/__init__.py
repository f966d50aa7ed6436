"""The only room that speaks to Stripe. Plain frozen values go in and come out; no object of its library leaves.

Every call is made outside any transaction, with a short time-out and without hidden retries: what an unknown outcome
means is decided by those who call. Each call answers, or raises one of

    Declined   the card was refused: nothing was charged, and nothing will be
    Refused    Stripe does not do what was asked (our mistake, or it is no longer possible): it had no effect
    Unknown    nobody knows: a time-out, 5xx, 409, 429, a lost connection, an answer that cannot be read
"""

from billing.payments.gateway.cards import (
    NewCardPage,
    create_card_page,
    detach_method,
    find_card_page,
    read_card_page,
    read_method,
)
from billing.payments.gateway.money_back import (
    NewRefund,
    create_refund,
    disputes_of,
    disputes_since,
    read_dispute,
    read_refund,
    refunds_of,
    refunds_since,
)
from billing.payments.gateway.off_session import NewCardCharge, cancel_payment, charge_card, find_payment
from billing.payments.gateway.paying import (
    NewCheckout,
    NewCustomer,
    charges_since,
    create_checkout,
    create_customer,
    expire_checkout,
    find_checkout,
    read_charge,
    read_checkout,
    read_payment,
)
from billing.payments.gateway.wire import (
    CARD_SETUP,
    INTENT,
    REFUND,
    CalledInsideTransaction,
    Declined,
    Refused,
    Unknown,
)

__all__ = [
    "CARD_SETUP",
    "INTENT",
    "REFUND",
    "CalledInsideTransaction",
    "Declined",
    "NewCardCharge",
    "NewCardPage",
    "NewCheckout",
    "NewCustomer",
    "NewRefund",
    "Refused",
    "Unknown",
    "cancel_payment",
    "charge_card",
    "charges_since",
    "create_card_page",
    "create_checkout",
    "create_customer",
    "create_refund",
    "detach_method",
    "disputes_of",
    "disputes_since",
    "expire_checkout",
    "find_card_page",
    "find_checkout",
    "find_payment",
    "read_card_page",
    "read_charge",
    "read_checkout",
    "read_dispute",
    "read_method",
    "read_payment",
    "read_refund",
    "refunds_of",
    "refunds_since",
]
