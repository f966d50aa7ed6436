"""The card of the rule: it cannot be removed while the rule works with it, and saved again it stays the rule's."""

import structlog

from billing.payments import methods
from billing.payments.methods import CardRefused
from billing.recharge.models import Rule, Standing

log = structlog.get_logger(__name__)


class CardInUse(CardRefused):
    """Auto-recharge charges it. The message is for the customer, who can switch that off first."""

    def __init__(self) -> None:
        super().__init__("Auto-recharge charges this card. Stop auto-recharge first, or choose another card for it.")


def is_used(org_id: int, method_id: int) -> bool:
    return Rule.objects.filter(wallet_id=org_id, method_id=method_id, standing=Standing.ON).exists()


def refuse_if_used(org_id: int, method_id: int) -> None:
    """Under the wallet's lock. Raises CardInUse."""
    if is_used(org_id, method_id):
        raise CardInUse


def saved_again(rule: Rule | None) -> None:
    """The card that was agreed to may have been saved anew: then the rule charges what its bank has just let be saved.

    Another card never becomes the rule's by this, however the customer paid (A47). Its row is locked.
    """
    again = methods.successor(rule.method) if rule else None
    if rule is None or again is None:
        return
    rule.method = again
    rule.version += 1
    rule.save(update_fields=["method", "version"])
    log.info("recharge_card_saved_again", org_id=rule.wallet_id, method=again.pk, version=rule.version)
