"""The chart of accounts. Numbers and meaning are part of the books: they never change, only grow."""

from django.db import models


class Code(models.IntegerChoices):
    STRIPE = 1000, "Stripe"
    OVERDRAFT = 1100, "Overdraft"
    CLAWBACK_DEBT = 1110, "Claw-back debt"
    CONTRACT_RECEIVABLE = 1120, "Contract receivable"
    AWS_RECEIVABLE = 1200, "AWS receivable"
    CREDIT_PAID = 2000, "Paid credit"
    CREDIT_PROMO = 2010, "Promotional credit"
    PROMO_ISSUED = 2090, "Promotional credit issued"
    PLAN_DEFERRED = 2100, "Plan fees not earned"
    CONTRACT_DEFERRED = 2200, "Commitment not used"
    REFUND_PENDING = 2300, "Refunds asked"
    UNAPPLIED = 2900, "Unapplied receipts"
    REVENUE_USAGE = 4000, "Usage revenue"
    REVENUE_PLANS = 4100, "Plan revenue"
    REVENUE_CONTRACT = 4200, "Contract revenue"
    REVENUE_CONTRACT_UNUSED = 4210, "Unused commitment"
    REVENUE_CONTRACT_OVERAGE = 4220, "Contract overage"
    REVENUE_AWS = 4300, "AWS revenue"
    PROMOTIONS = 4800, "Promotions"
    GOODWILL = 4810, "Goodwill"
    BREAKAGE = 4900, "Breakage"
    BAD_DEBT = 6000, "Bad debt"
    OVERDRAFT_EXCESS = 6010, "Overdraft beyond ceiling"


GRANT_CODES = (Code.CREDIT_PAID, Code.CREDIT_PROMO)
"""Many accounts per organization, one per grant. Every other organization account exists at most once."""

WALLET_CODES = (*GRANT_CODES, Code.OVERDRAFT, Code.CLAWBACK_DEBT)
"""The accounts whose sum is what an organization calls its settled credit (A39)."""

ORGANIZATION_CODES = (
    *WALLET_CODES,
    Code.CONTRACT_RECEIVABLE,
    Code.AWS_RECEIVABLE,
    Code.PLAN_DEFERRED,
    Code.CONTRACT_DEFERRED,
    Code.REFUND_PENDING,
)
HOUSE_CODES = tuple(code for code in Code if code not in ORGANIZATION_CODES)
"""One account each, whose id is its number."""
