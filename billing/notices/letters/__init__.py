"""THE WORDS OF NOTICES: one function per kind, from facts to a letter. The mail and the list in the portal say the same."""

from collections.abc import Callable

from billing.notices.letters import address, cards, contracts, credit, payments, plans, recharge
from billing.notices.letters.letter import About, Facts, Letter
from billing.notices.models import Kind

Writer = Callable[[Facts, About], Letter]

WRITERS: dict[Kind, Writer] = {
    Kind.RECEIPT: payments.receipt,
    Kind.LOW_BALANCE: credit.low_balance,
    Kind.EXPIRING: credit.expiring,
    Kind.RECHARGE_MADE: recharge.made,
    Kind.RECHARGE_FAILED: recharge.failed,
    Kind.RECHARGE_PAUSED: recharge.paused,
    Kind.RECHARGE_CHANGED: recharge.changed,
    Kind.STATEMENT: payments.statement,
    Kind.SETTLEMENT_FAILED: payments.settlement_failed,
    Kind.CARD_EXPIRING: cards.expiring,
    Kind.CARD_CHANGED: cards.changed,
    Kind.BILLING_EMAIL: address.confirm,
    Kind.CONTRACT_OFFERED: contracts.offered,
    Kind.CONTRACT_STARTED: contracts.started,
    Kind.CONTRACT_FAILED: contracts.failed,
    Kind.CONTRACT_LIMIT: contracts.limit,
    Kind.CONTRACT_ENDING: contracts.ending,
    Kind.PLAN_STARTED: plans.started,
    Kind.PLAN_FAILED: plans.failed,
    Kind.PLAN_CHANGED: plans.changed,
    Kind.PLAN_ENDED: plans.ended,
}


def write(kind: Kind, facts: Facts, about: About) -> Letter:
    """Raises `KeyError` when a fact is missing that its words need."""
    return WRITERS[kind](facts, about)
