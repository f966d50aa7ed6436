"""A card is saved, chosen, removed."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.ledger import wallets
from billing.payments import answers, card_setups, methods
from billing.payments.card_setups import CardSetup
from billing.payments.models import PaymentMethod
from billing.recharge import cards, rules
from billing.subscriptions import cards as plan_cards


def card_saved(setup_id: UUID, outcome: card_setups.Outcome, *, now: datetime) -> CardSetup | None:
    """Stripe said what became of a page to save a card on: by its answer, a webhook or the poller. None: not ours."""
    with transaction.atomic():
        setup = card_setups.settle(setup_id, outcome, now=now)
        if setup is not None:
            cards.saved_again(rules.locked(setup.wallet_id))
            plan_cards.saved_again(setup.wallet_id)
        return setup


def choose_card(org_id: int, method_id: int, *, now: datetime) -> PaymentMethod:
    """A customer makes a card the default; raises `CardRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        return methods.choose(org_id, method_id, now=now)


def remove_card(org_id: int, method_id: int, *, stop_recharge: bool = False, now: datetime) -> None:
    """A customer removes a card: it is never charged again, and Stripe soon lets it go. Raises `CardRefused`, also while
    auto-recharge charges it, unless that is to be stopped first."""
    with transaction.atomic():
        wallets.lock([org_id])
        if stop_recharge and cards.is_used(org_id, method_id):
            rules.switch_off(org_id, now=now)
        cards.refuse_if_used(org_id, method_id)
        plan_cards.refuse_if_used(org_id, method_id)
        methods.remove(org_id, method_id, now=now)


def card_told(told: answers.Method, *, now: datetime) -> PaymentMethod | None:
    """What Stripe says of a saved card: by an answer, a webhook or the poller. None: not ours."""
    org_id = methods.organization(told.card.method_id)
    if org_id is None:
        return None
    with transaction.atomic():
        wallets.lock([org_id])
        return methods.told(told, now=now)
