"""The facts of each kind of notice, as those announce them to whom they happen."""

from billing.notices.models import Kind

INTENT = "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"
VISA = {"card_brand": "visa", "card_last4": "4242"}
RECHARGE = {"attempt": INTENT, "intent": INTENT, "amount": "130.02", "stop_token": "stop-me"}
CONTRACT: dict[str, str | int | None] = {
    "contract": INTENT, "models": "GPT OSS 120B, GLM 4.7", "tokens": 100_000_000, "amount": "35.00",
    "starts_on": "2026-04-01", "ends_on": "2027-04-01",
}  # fmt: skip

FACTS: dict[str, tuple[Kind, dict[str, str | int | bool | None]]] = {
    "receipt": (
        Kind.RECEIPT,
        {
            **VISA, "intent": INTENT, "amount": "130.02", "purpose": "credits", "charged_at": "2026-03-30T16:00:00+00:00",
            "overdraft_paid": "4.25", "debt_paid": "0", "new_credit": "125.77", "expires_at": "2027-03-30T16:00:00+00:00",
        },
    ),
    "receipt of a settlement": (
        Kind.RECEIPT,
        {
            **VISA, "intent": INTENT, "amount": "8.00", "purpose": "settlement", "overdraft_paid": "8.00", "debt_paid": "0",
            "new_credit": "0", "expires_at": None,
        },
    ),
    "low balance": (Kind.LOW_BALANCE, {"threshold": "20", "balance": "19.9871"}),
    "expiring": (
        Kind.EXPIRING,
        {"step": 30, "amount": "14.500000000000", "expires_at": "2026-04-29T14:03:00+00:00", "grants": 1},
    ),
    "expiring, several grants": (
        Kind.EXPIRING,
        {"step": 1, "amount": "21.50", "expires_at": "2026-03-31T14:03:00+00:00", "grants": 3},
    ),
    "recharge made": (
        Kind.RECHARGE_MADE,
        {**RECHARGE, **VISA, "balance": "19.98", "threshold": "20.00", "recharge_to": "150.00", "capped": False},
    ),
    "recharge made up to the cap": (
        Kind.RECHARGE_MADE,
        {**RECHARGE, **VISA, "balance": "19.98", "threshold": "20.00", "recharge_to": "200.00", "capped": True},
    ),
    "recharge failed": (
        Kind.RECHARGE_FAILED,
        {
            **RECHARGE, "reason": "The card does not have enough funds.", "retry_at": "2026-03-30T23:00:00+00:00",
            "tries_left": 3,
        },
    ),
    "recharge paused": (
        Kind.RECHARGE_PAUSED,
        {
            **RECHARGE, "why": "authentication", "reason": "Your bank asks you to confirm the payment.",
            "link_until": "2026-04-02T16:00:00+00:00", "finish_token": "finish-me",
        },
    ),
    "recharge paused without a charge": (
        Kind.RECHARGE_PAUSED,
        {"why": "no_card", "attempt": None, "amount": None, "link_until": None, "reason": "There is no card to charge."},
    ),
    "recharge at its cap": (
        Kind.RECHARGE_PAUSED,
        {"why": "cap", "cap": "500.00", "until": "2026-04-01T00:00:00+00:00", "reason": ""},
    ),
    "recharge on": (
        Kind.RECHARGE_CHANGED,
        {
            "on": True, "why": "", "threshold": "20.00", "recharge_to": "150.00", "cap": "500.00", "stop_token": "stop-me",
        },
    ),
    "recharge off": (
        Kind.RECHARGE_CHANGED,
        {"on": False, "why": "link", "threshold": "20.00", "recharge_to": "150.00", "cap": None},
    ),
    "statement": (Kind.STATEMENT, {"number": "S-2026-03-0007", "period": "2026-03", "closing": "173.9481"}),
    "settlement failed": (
        Kind.SETTLEMENT_FAILED,
        {
            "period": "2026-03", "amount": "8.00", "reason": "Your bank declined the payment.",
            "retry_at": "2026-04-03T00:00:00+00:00",
        },
    ),
    "card expiring": (
        Kind.CARD_EXPIRING, {"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2026},
    ),
    "billing email": (
        Kind.BILLING_EMAIL, {"number": 1, "token": "confirm-me", "until": "2026-04-02T16:00:00+00:00"},
    ),
    "receipt of a contract": (
        Kind.RECEIPT,
        {
            **VISA, "intent": INTENT, "amount": "35.00", "purpose": "contract", "overdraft_paid": "0", "debt_paid": "0",
            "new_credit": "0", "expires_at": None,
        },
    ),
    "contract offered": (Kind.CONTRACT_OFFERED, CONTRACT),
    "contract started": (Kind.CONTRACT_STARTED, CONTRACT),
    "contract charge failed": (
        Kind.CONTRACT_FAILED,
        {
            **CONTRACT, "what": "commitment", "charge": "35.00", "reason": "Your bank declined the payment.",
            "retry_at": "2026-04-02T00:00:00+00:00", "closes_at": "2026-04-15T00:00:00+00:00",
        },
    ),
    "contract put off": (
        Kind.CONTRACT_FAILED, {**CONTRACT, "reason": "put_off", "retry_at": "2026-05-01T00:00:00+00:00"},
    ),
    "contract limit": (Kind.CONTRACT_LIMIT, {**CONTRACT, "limit": "35.00"}),
    "contract ending": (Kind.CONTRACT_ENDING, {**CONTRACT, "ends_at": "2027-04-01T00:00:00+00:00"}),
    "plan started": (
        Kind.PLAN_STARTED,
        {
            **VISA, "what": "started", "plan": "Code Pro", "amount": "61.66", "arrears": "11.66", "price": "50.00",
            "until": "2026-04-30T16:00:00+00:00", "intent": INTENT, "charged_at": "2026-03-30T16:00:00+00:00",
        },
    ),
    "plan upgraded for nothing": (
        Kind.PLAN_STARTED,
        {
            "what": "upgraded", "plan": "Code Max", "amount": "0.00", "arrears": "0.00", "price": "200.00",
            "until": "2026-03-30T17:00:00+00:00", "intent": None, "charged_at": None, "card_brand": "", "card_last4": "",
        },
    ),
    "plan not renewed": (
        Kind.PLAN_FAILED,
        {
            "plan": "Code Pro", "amount": "50.00", "reason": "The card does not have enough funds.", "covered": True,
            "retry_at": "2026-03-31T16:00:00+00:00", "subscription": INTENT,
        },
    ),
    "plan payment refunded": (Kind.PLAN_FAILED, {"plan": "Code Max", "amount": "75.00", "gone_back": True}),
    "plan canceled": (
        Kind.PLAN_CHANGED,
        {"what": "ends", "plan": "Code Pro", "next_plan": None, "at": "2026-04-30T16:00:00+00:00"},
    ),
    "plan becomes smaller": (
        Kind.PLAN_CHANGED,
        {"what": "changes", "plan": "Code Max", "next_plan": "Code Pro", "at": "2026-04-30T16:00:00+00:00"},
    ),
    "plan stays": (
        Kind.PLAN_CHANGED,
        {"what": "stays", "plan": "Code Max", "next_plan": "Code Pro", "at": "2026-04-30T16:00:00+00:00"},
    ),
    "plan dearer": (
        Kind.PLAN_CHANGED,
        {"what": "price", "plan": "Code Pro", "amount": "60.00", "before": "50.00", "at": "2026-05-31T16:00:00+00:00"},
    ),
    "plan suspended": (
        Kind.PLAN_CHANGED, {"what": "suspended", "plan": "Code Pro", "until": "2026-04-30T16:00:00+00:00"},
    ),
    "plan goes on": (Kind.PLAN_CHANGED, {"what": "resumed", "plan": "Code Pro", "until": "2026-04-30T16:00:00+00:00"}),
    "plan ended": (
        Kind.PLAN_ENDED, {"plan": "Code Pro", "why": "unpaid", "ended_at": "2026-04-06T16:00:00+00:00", "grace": True},
    ),
    "card removed": (Kind.CARD_CHANGED, {"what": "removed", "brand": "mastercard", "last4": "4444"}),
}  # fmt: skip
