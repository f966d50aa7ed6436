"""Staff let go of what is owed for contracts and will not be paid: it becomes a bad debt (posting row 22)."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.contracts import collecting
from billing.contracts.models import State
from billing.contracts.monthly import OPEN_STAGES, ContractDue, Stage
from billing.ledger import posting, receivables
from billing.ledger.debts import ForgivenessRefused


def why_not(org_id: int) -> str:
    """What stands in the way, in words for staff, or nothing."""
    open_ = ContractDue.objects.filter(wallet=org_id, stage__in=OPEN_STAGES)
    if open_.filter(stage=Stage.CHARGING).exists():
        return "A card is being charged for it. Its outcome comes first."
    if open_.filter(contract__state=State.ACCEPTED).exists():
        return "It is the first month of a contract: unpaid on its day it is taken back by itself, and nothing is owed."
    return ""


def forgive(org_id: int, amount: Decimal, *, reason: str, nonce: UUID, by: int, now: datetime) -> Decimal:
    """So much of it, in USD; where nothing is owed any more nothing is collected. The wallet is locked; the same nonce does
    it once. Raises `ForgivenessRefused`."""
    if not posting.is_posted(f"wo:{nonce}") and (why := why_not(org_id)):
        raise ForgivenessRefused(why)
    forgiven = receivables.forgive(org_id, amount, reason=reason, nonce=nonce, by=by, now=now)
    collecting.forget_paid(org_id, now)
    return forgiven
