"""Saved cards: who adds, chooses or removes one, and what banks and Stripe's dashboard do to them.

What a person was told is noted; in the end Stripe's own books are asked whether it was so.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.urls import reverse

from billing.notices.models import Kind, Notice
from billing.payments import methods
from billing.payments.card_setups import CardSetup
from billing.payments.models import OPEN_STATES, Intent, PaymentMethod
from sandbox.stripe import methods as at_stripe
from sandbox.stripe.client import Refused
from tests.factories import paying
from tests.simulation import actions
from tests.simulation.tally import CardNote

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

NUMBERS = (paying.PAYS, "5555555555554444", "378282246310005", paying.ASKS, paying.DECLINES)
THINKS_BETTER = 0.15
"""So many close Stripe's page instead of giving a card."""
MOST = 5
"""Nobody saves more cards than that."""
TOLD_WITHIN = timedelta(days=20)
"""The clock comes by most days: a card that was to be told of for so long was told of."""


# --- Adding --------------------------------------------------------------------------------------------------------------


def add(world: World, party: Party) -> None:
    """Presses Add card, as often as this person clicks, and gives the card on Stripe's page minutes later."""
    if party.left or len(_kept(party)) >= MOST:
        return
    nonce = UUID(world.uuid())
    page = reverse("billing:card_add", args=[party.org.slug])
    send = partial(_press, world, party, page, {"nonce": str(nonce)})
    world.fact(party, "card page")
    for _ in range(party.like.clicks):
        if not world.trouble.attempt(send) and world.chance.random() < actions.ASKS_AGAIN:
            world.later(10, 90, lambda: world.trouble.attempt(send))
    world.touched.add(party.org_id)
    world.later(20, 1500, lambda: _give(world, party, nonce))


def _give(world: World, party: Party, nonce: UUID) -> None:
    """On Stripe's page, where it could be opened; with another card when the first one is declined."""
    begun = CardSetup.objects.filter(key=f"card:{nonce.hex}").first()
    if begun is None or not begun.page_id:
        return
    if world.chance.random() < THINKS_BETTER:
        world.trouble.attempt(partial(_press, world, party, _setup_page(party, begun, "card_setup_cancel")))
        world.fact(party, "card page closed")
        return
    for _ in range(world.chance.choice((1, 2))):
        number = world.chance.choice(NUMBERS)
        try:
            result = world.sandbox.admin.pay(begun.page_id, number, authenticate=world.chance.random() < 0.8)
        except Refused:
            return  # closed meanwhile
        if result["result"] == "paid":
            world.fact(party, "card given", number[-4:])
            break
    if world.chance.random() < actions.COMES_BACK:
        check = _setup_page(party, begun, "card_setup_check")
        world.later(1, 30, lambda: world.trouble.attempt(partial(_press, world, party, check)))
    world.later(1, 40, world.webhooks)
    world.later(90, 4000, world.tick)


def _setup_page(party: Party, begun: CardSetup, name: str) -> str:
    return reverse(f"billing:{name}", args=[party.org.slug, begun.pk])


# --- Choosing and removing -----------------------------------------------------------------------------------------------


def choose(world: World, party: Party) -> None:
    """Makes another card the default."""
    others = [card for card in _kept(party) if not card.is_default]
    if not others:
        return
    chosen = world.chance.choice(others)
    page = reverse("billing:card_default", args=[party.org.slug, chosen.pk])
    if world.trouble.attempt(partial(_press, world, party, page)):
        world.fact(party, "card chosen", chosen)
        told = methods.default(party.org_id)
        world.expect(told == chosen, f"{party.name} chose {chosen}, and {told} is the default")


def remove(world: World, party: Party) -> None:
    """Removes a card, and what charges it if the page says so."""
    kept = _kept(party)
    if kept:
        _remove(world, party, world.chance.choice(kept), stops=False)


def _remove(world: World, party: Party, card: PaymentMethod, *, stops: bool) -> None:
    """Until the page says that it is gone, or why it is not. `stops`: the form that was sent before stops auto-recharge."""
    page = reverse("billing:card_remove", args=[party.org.slug, card.pk])
    shown = world.signed_in(party).get(page)
    if shown.status_code == 404:
        _removed(world, party, card, stopped=stops)
        return
    stops = 'name="recharge" value="stop"' in shown.content.decode()
    default = methods.default(party.org_id)
    if not world.trouble.attempt(partial(_press, world, party, page, {"recharge": "stop"} if stops else {})):
        world.later(20, 300, lambda: _remove(world, party, card, stops=stops))
    elif any(kept.pk == card.pk for kept in _kept(party)):
        charged = Intent.objects.filter(method_id=card.pk, state__in=OPEN_STATES).exists()
        world.expect(charged, f"{party.name} removed {card}: it is there, and is not being charged")
        world.fact(party, "card not removed")
    else:
        _removed(world, party, card, stopped=stops)
        instead = methods.default(party.org_id)
        should = None if default == card else default
        world.expect(instead == should, f"{party.name} removed {card}, and {instead} is the default, not {should}")
    world.touched.add(party.org_id)


def _removed(world: World, party: Party, card: PaymentMethod, *, stopped: bool) -> None:
    party.cards_removed[card.stripe_id] = world.now
    if stopped:
        party.tally.stop_agreeing(world.now)
    world.fact(party, "card removed", card, stopped)


# --- What others do ------------------------------------------------------------------------------------------------------


def bank_sends_another(world: World, party: Party) -> None:
    """The bank sends a card with another last month, and Stripe hears of it."""
    kept = [card for card in _kept(party) if _at_stripe(world, card)["customer"]]
    if not kept:
        return
    card, ends = world.chance.choice(kept), world.now + timedelta(days=world.chance.choice((35, 70, 70, 800)))
    with world.sandbox.transaction():
        at_stripe.update(
            world.sandbox.world, card.stripe_id, {"card": {"exp_month": ends.month, "exp_year": ends.year}}
        )  # fmt: skip
    sent = CardNote(card.stripe_id, ends.year, ends.month)
    party.cards_sent.append(sent)
    _look_whether_heard(world, sent)
    world.fact(party, "card sent", ends.year, ends.month)
    world.later(1, 40, world.webhooks)


def _look_whether_heard(world: World, sent: CardNote) -> None:
    """Each day, until Purser knows of it."""
    if PaymentMethod.objects.filter(stripe_id=sent.stripe_id, exp_year=sent.year, exp_month=sent.month).exists():
        sent.heard_at = world.now
    else:
        world.at(world.now + timedelta(days=1), lambda: _look_whether_heard(world, sent))


def detach_elsewhere(world: World, party: Party) -> None:
    """Somebody detaches a card in Stripe's dashboard."""
    kept = _kept(party)
    if not kept:
        return
    card = world.chance.choice(kept)
    try:
        world.sandbox.admin.detach(card.stripe_id)
    except Refused:
        return  # it was, before
    party.cards_detached_elsewhere.add(card.stripe_id)
    world.fact(party, "card detached elsewhere")
    world.later(1, 40, world.webhooks)


# --- In the end ----------------------------------------------------------------------------------------------------------


def kept_as_told(world: World, party: Party) -> None:
    """A removed card is gone at Stripe too and was not charged any more; those that are kept can be charged; cards that
    were to expire were told of."""
    books = world.sandbox.books
    for card in PaymentMethod.objects.filter(wallet_id=party.org_id):
        held = _at_stripe(world, card)["customer"] is not None
        if card.detached_at is not None:
            world.expect(not held, f"{party.name}: {card} was removed, and Stripe still has it")
        elif card.stripe_id not in party.cards_detached_elsewhere:
            world.expect(held, f"{party.name}: {card} is kept here, and nobody's at Stripe")
        world.expect(
            card.detached_at is not None or card.stripe_id not in party.cards_removed,
            f"{party.name}: {card} was removed, and is kept",
        )
    if party.cards_removed:
        for charge in books.oldest_first("charge"):
            removed = party.cards_removed.get(charge["payment_method"])
            world.expect(
                removed is None or charge["created"] <= removed.timestamp(),
                f"{party.name}: a card that was removed at {removed} was charged",
            )
    _told_of_expiry(world, party)


def _told_of_expiry(world: World, party: Party) -> None:
    for sent in party.cards_sent:
        card = PaymentMethod.objects.get(stripe_id=sent.stripe_id)
        if sent.heard_at is None or (card.exp_year, card.exp_month) != (sent.year, sent.month):
            continue  # Purser never heard of this one, or of another one after it
        ends = methods.expires_at(sent.year, sent.month)
        first = max(ends - methods.TELL_BEFORE, sent.heard_at)
        last = min(ends, card.detached_at or world.now)
        told = Notice.objects.filter(
            kind=Kind.CARD_EXPIRING, key=f"{Kind.CARD_EXPIRING}:{card.pk}:{sent.year:04d}-{sent.month:02d}"
        ).count()
        if last - first >= TOLD_WITHIN:
            world.expect(told == 1, f"{party.name}: nobody was told that {card} expires at {ends}")
            world.events["card expiry told"] += 1


def _press(world: World, party: Party, page: str, form: dict[str, str] | None = None) -> None:
    answer = world.signed_in(party).post(page, form or {})
    world.expect(answer.status_code == 302, f"{party.name}: {page} was answered {answer.status_code}")


def _kept(party: Party) -> list[PaymentMethod]:
    return list(methods.of(party.org_id))


def _at_stripe(world: World, card: PaymentMethod) -> dict[str, Any]:
    found: dict[str, Any] = world.sandbox.books.get("payment_method", card.stripe_id) or {"customer": None}
    return found
