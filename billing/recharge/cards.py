"""The card of the rule: it cannot be removed while the rule works with it."""

from billing.payments.methods import CardRefused
from billing.recharge.models import Rule, Standing


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
