"""What people do: customers on their pages and on Stripe's, staff, banks. One function each: `(world, party)`.

What was begun goes on by itself: whoever opens a page pays it minutes later, whoever disputes gets an answer after weeks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.urls import reverse

from billing import flows
from billing.ledger import balances
from billing.payments import collecting, refunds
from billing.payments.models import Intent, Refund
from orgs import keys
from sandbox.stripe.client import Refused
from tests.factories import orgs
from tests.simulation.tally import KeyNote, Paid
from tests.soak.diary import Act, Kind, Purchase

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

HIDDEN = re.compile(r'<input type="hidden" name="(nonce|seen|version)" value="([^"]*)"')
DAY = 86_400.0
BY_PAGE = 0.4
"""So many purchases go through the pages; the others begin behind them, which is quicker."""
COMES_BACK = 0.6
"""So many return from Stripe's page to Purser's; the others close the browser."""
ASKS_AGAIN = 0.6
"""So many press the button again when nobody answered."""
STAFF_MOST = 100_00


# --- Buying --------------------------------------------------------------------------------------------------------------


def top_up(world: World, party: Party) -> None:
    """Looks at the balance, and buys when there is little left."""
    if not party.left and balances.of(party.org_id, now=world.now).available < party.like.below:
        buy(world, party)


def buy(world: World, party: Party) -> None:
    """Fills in the form of the Buy credits page, and sends it as often as this person clicks."""
    if party.left:
        return
    owing = max(Decimal(0), -balances.of(party.org_id, now=world.now).available)
    cents = world.chance.choice(party.like.cents) + int(owing * 100)
    nonce = UUID(world.uuid())
    if world.chance.random() < BY_PAGE:
        page = reverse("billing:buy", args=[party.org.slug])
        shown = world.signed_in(party).get(page, {"other": f"{cents / 100:.2f}"})
        form = dict(HIDDEN.findall(shown.content.decode())) | {"other": f"{cents / 100:.2f}", "nonce": str(nonce)}
        world.expect(shown.status_code == 200 and len(form) == 4, f"{party.name}: no form to buy with: {form}")
        send = partial(_send_form, world, party, page, form)
    else:
        send = partial(_order, world, collecting.Order(party.org_id, cents, nonce, party.owner.pk))
    world.fact(party, "purchase", cents)
    world.diary.purchases.append(Purchase(party.org_id, nonce, cents))
    for _ in range(party.like.clicks):
        if not world.trouble.attempt(send) and world.chance.random() < ASKS_AGAIN:
            world.later(10, 90, lambda: world.trouble.attempt(send))
    world.touched.add(party.org_id)
    if world.chance.random() >= party.like.abandons:
        world.later(20, 1500, lambda: pay(world, party, nonce))
    elif world.chance.random() < 0.3:
        world.later(20, 600, lambda: _change_mind(world, party, nonce))


def _send_form(world: World, party: Party, page: str, form: dict[str, str]) -> None:
    answer = world.signed_in(party).post(page, form)
    world.expect(answer.status_code in (200, 302), f"{party.name}: buying was answered {answer.status_code}")


def _order(world: World, order: collecting.Order) -> None:
    """As the page does, without the page."""
    collecting.buy_credits(order, now=world.now)


def pay(world: World, party: Party, nonce: UUID) -> None:
    """Pays the purchase of this form, where its page could be opened."""
    intent = Intent.objects.filter(key=f"buy:{nonce.hex}").first()
    if intent is not None and intent.checkout_id and pay_page(world, party, intent):
        next(row for row in world.diary.purchases if row.nonce == nonce).paid_at_stripe = True


def pay_page(world: World, party: Party, intent: Intent, *, looks: bool = True) -> bool:
    """Whether it was paid on Stripe's page now; with another card when the first one is declined. `looks`: the page to which
    one comes back asks what became of it."""
    paid = False
    for _ in range(world.chance.choice((1, 2))):
        card = world.chance.choice(party.like.cards)
        try:
            result = world.sandbox.admin.pay(intent.checkout_id or "", card, authenticate=world.chance.random() < 0.8)
        except Refused:
            return False  # paid before, or closed meanwhile
        if paid := result["result"] == "paid":
            world.fact(party, "paid", intent.amount_cents)
            _note_charge(world, party, intent)
            break
    if looks and world.chance.random() < COMES_BACK:
        world.later(1, 30, lambda: _look(world, party, intent))
    world.later(1, 40, world.webhooks)
    world.later(90, 4000, world.tick)
    return paid


def _note_charge(world: World, party: Party, intent: Intent) -> None:
    books = world.sandbox.books
    session = books.get("checkout.session", intent.checkout_id or "") or {}
    payment = books.get("payment_intent", session["payment_intent"]) or {}
    party.paid.append(Paid(intent.pk, str(payment["latest_charge"]), intent.amount_cents))


def _look(world: World, party: Party, intent: Intent) -> None:
    """The return page asks what became of it."""
    check = reverse("billing:purchase_check", args=[party.org.slug, intent.pk])
    answer = world.trouble.attempted(lambda: world.signed_in(party).post(check))
    world.expect(answer is None or answer.status_code == 302, f"{party.name}: the return page answered {answer}")
    world.touched.add(party.org_id)


def _change_mind(world: World, party: Party, nonce: UUID) -> None:
    intent = Intent.objects.filter(key=f"buy:{nonce.hex}").first()
    if intent is not None:
        cancel = reverse("billing:purchase_cancel", args=[party.org.slug, intent.pk])
        world.trouble.attempt(lambda: world.signed_in(party).post(cancel))
        world.fact(party, "purchase canceled")


# --- Keys, and leaving -------------------------------------------------------------------------------------------------


def change_keys(world: World, party: Party) -> None:
    """A new key; sometimes an old one is revoked."""
    if party.left or party.unanswered:
        return
    if len(party.keys) > 1 and world.chance.random() < 0.6:
        _revoke(world, world.chance.choice(party.keys))
    if len([note for note in party.keys if note.revoked_at is None]) < 3:
        party.keys.append(KeyNote(orgs.key(party.org, f"key {len(party.keys)}", user=party.owner, now=world.now).key))
    world.fact(party, "keys", len(party.keys))


def leave(world: World, party: Party) -> None:
    """Uses nothing any more; what was bought waits for its end."""
    if party.unanswered:
        world.later(700, 900, lambda: leave(world, party))
        return
    for note in party.keys:
        _revoke(world, note)
    party.left = True
    world.fact(party, "left")


def _revoke(world: World, note: Any) -> None:
    if note.revoked_at is None:
        keys.revoke(note.key, world.now)
        note.revoked_at = world.now


# --- Staff -------------------------------------------------------------------------------------------------------------


def give(world: World, party: Party) -> None:
    """Staff give credit that ends within days or months."""
    usd, days = world.chance.choice(("5", "12.5", "20", "49.99")), world.chance.choice((1, 7, 30, 30, 90))
    nonce, ends = UUID(world.uuid()), world.now + timedelta(days=days)
    party.tally.given += Decimal(usd)
    world.diary.acts.append(Act(Kind.GIFT, str(party.org_id), Decimal(usd), nonce, told_done=True))
    world.fact(party, "gift", usd, ends)
    _insist(
        world, party,
        lambda: flows.grant_promotional(
            party.org_id, Decimal(usd), key=f"staff:{nonce.hex}", title="Gift", expires_at=ends, reason="a gift",
            issued_by=party.owner.pk, now=world.now,
        ),
    )  # fmt: skip


def refund(world: World, party: Party) -> None:
    """Staff give back what is left of a payment, or a part of it."""
    for paid in reversed(party.paid[-4:]):
        left = int(refunds.refundable(paid.intent_id, now=world.now) * 100)
        if left:
            cents = min(left, STAFF_MOST, world.chance.choice((left, left, 5_00, 1)))
            order = refunds.Order(
                party.org_id, paid.intent_id, cents, "asked for it", UUID(world.uuid()), party.owner.pk
            )  # fmt: skip
            world.fact(party, "refund", cents)
            world.diary.acts.append(Act(Kind.REFUND, str(paid.intent_id), Decimal(cents), order.nonce))
            _ask_for_refund(world, party, order)
            return


def _ask_for_refund(world: World, party: Party, order: refunds.Order) -> None:
    def ask() -> None:
        try:
            flows.refund(order, now=world.now)
        except refunds.RefundRefused as refusal:
            world.fact(party, "refund refused", refusal)

    if not world.trouble.attempt(ask) and world.chance.random() < ASKS_AGAIN:
        world.later(30, 600, lambda: _ask_for_refund(world, party, order))
    world.touched.add(party.org_id)
    world.later(DAY / 2, 3 * DAY, lambda: _bank_decides(world, order.nonce))


def _bank_decides(world: World, nonce: UUID) -> None:
    """Most refunds arrive; some banks send them back."""
    made = Refund.objects.filter(key=f"staff:{nonce}").first()
    if made is None or not made.provider_id or world.chance.random() < 0.7:
        return
    try:
        world.sandbox.admin.fail_refund(made.provider_id)
        world.fact(None, "refund failed", made.amount_cents)
    except Refused:
        pass  # the bank had decided


def refund_elsewhere(world: World, party: Party) -> None:
    """Somebody refunds in Stripe's dashboard, whatever Purser thinks of it."""
    if party.paid:
        paid = world.chance.choice(party.paid[-6:])
        reason = world.chance.choice(("requested_by_customer", "requested_by_customer", "fraudulent"))
        try:
            made = world.sandbox.admin.refund(
                paid.charge, amount=world.chance.choice((None, min(paid.cents, 5_00))), reason=reason
            )
            world.fact(party, "refund elsewhere", made["amount"], reason)
        except Refused:
            return


# --- Banks -------------------------------------------------------------------------------------------------------------


@dataclass
class Quarrel:
    id: str
    over: bool = False


def dispute(world: World, party: Party) -> None:
    """A cardholder disputes a payment, or asks about it; weeks later somebody wins."""
    if not party.paid:
        return
    paid = world.chance.choice(party.paid[-6:])
    inquiry, amount = world.chance.random() < 0.3, world.chance.choice((None, None, max(1, paid.cents // 3)))
    withdraw = world.chance.random() < 0.8
    try:
        opened = world.sandbox.admin.dispute(paid.charge, amount=amount, inquiry=inquiry, withdraw=withdraw)
    except Refused:
        return
    world.fact(party, "dispute", opened["amount"], inquiry)
    if inquiry:
        world.later(2 * DAY, 9 * DAY, lambda: _step(world, party, opened["id"], ("escalate", "drop_inquiry")))
    if not withdraw and not inquiry:
        world.later(DAY, 4 * DAY, lambda: _step(world, party, opened["id"], ("withdraw",)))
    if world.chance.random() < 0.2:
        world.later(5 * DAY, 20 * DAY, lambda: _step(world, party, opened["id"], ("reinstate",)))
    world.later(10 * DAY, 60 * DAY, lambda: _step(world, party, opened["id"], ("win", "lose")))


def _step(world: World, party: Party, dispute_id: str, ways: tuple[str, ...]) -> None:
    way = world.chance.choice(ways)
    try:
        getattr(world.sandbox.admin, way)(dispute_id)
        world.fact(party, "dispute moved", way)
    except Refused:
        pass  # it has gone another way meanwhile


def _insist(world: World, party: Party, act: Any) -> None:
    """Staff try again until they are answered."""
    if not world.trouble.attempt(act):
        world.later(20, 300, lambda: _insist(world, party, act))
    world.touched.add(party.org_id)
