"""Who is recharged by itself: asked by those who would else charge the same debt (A9)."""

from collections.abc import Iterable
from datetime import datetime

from billing.payments import card_charges
from billing.recharge.models import Rule, Standing


def among(org_ids: Iterable[int], *, now: datetime) -> set[int]:
    """Those of these organizations whose rule is on, with a card that can be charged."""
    rules = Rule.objects.filter(wallet__in=list(org_ids), standing=Standing.ON).select_related("method")
    return {rule.wallet_id for rule in rules if card_charges.is_usable(rule.method, now=now)}
