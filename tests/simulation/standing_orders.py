"""What is charged without asking: who agrees to auto-recharge, or no longer, whose card is declined, and who finishes it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

from billing import flows
from billing.ledger.models import Transfer
from billing.payments.models import Intent, PaymentMethod, Purpose, State
from billing.recharge import finishing, rules
from billing.recharge.models import Attempt
from billing.settlement.models import Settlement
from sandbox.stripe.client import Refused
from tests.simulation import actions
from tests.simulation.tally import Agreement

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

DECLINES = ("insufficient_funds", "insufficient_funds", "generic_decline", "lost_card", "authentication_required")

CEILING = 10_00
"""Cents: the most that the end of a month charges to a card."""
CONTENT = 0.85
"""So many who have agreed leave it as it is."""


def agree(world: World, party: Party) -> None:
    """Switches auto-recharge on, or to other amounts, where a card is saved."""
    card = PaymentMethod.objects.filter(wallet_id=party.org_id, is_default=True, detached_at=None).first()
    if card is None or party.left or (party.tally.agreed and world.chance.random() < CONTENT):
        return
    threshold = world.chance.choice((1_00, 5_00, 10_00))
    wish = rules.Wish(
        threshold, threshold + world.chance.choice((5_00, 20_00, 33_33)), card.pk,
        cap_cents=world.chance.choice((None, 40_00, 150_00)), per_day=world.chance.choice((1, 5)),
    )  # fmt: skip
    # Whether it was agreed to is certain after the answer; it may be so from here on.
    agreed = Agreement(world.now, wish.cap_cents, wish.per_day)
    party.tally.agreements.append(agreed)
    world.fact(party, "recharge on", wish.threshold_cents, wish.recharge_to_cents, wish.cap_cents, wish.per_day)

    def switch() -> None:
        try:
            flows.switch_recharge_on(party.org_id, wish, by=party.owner.pk, now=world.now)
        except rules.WishRefused:
            agreed.until = world.now

    world.trouble.attempt(switch)
    world.touched.add(party.org_id)


def change_mind(world: World, party: Party) -> None:
    """Switches it off, and tries again until the page says so."""
    if world.trouble.attempt(lambda: flows.switch_recharge_off(party.org_id, now=world.now)):
        party.tally.stop_agreeing(world.now)
        world.fact(party, "recharge off")
    else:
        world.later(20, 200, lambda: change_mind(world, party))


def card_is_declined(world: World, party: Party) -> None:
    """The bank declines the saved card, some times or from now on."""
    card = PaymentMethod.objects.filter(wallet_id=party.org_id, is_default=True, detached_at=None).first()
    if card is not None:
        code, times = world.chance.choice(DECLINES), world.chance.choice((1, 2, 3, 5))
        try:
            world.sandbox.admin.behave(card.stripe_id, code, count=times)
            world.fact(party, "card declines", code, times)
        except Refused:
            return


def finish(world: World, party: Party) -> None:
    """Pays in the browser what the bank refused without its cardholder, or switches it on again."""
    attempt = Attempt.objects.filter(wallet_id=party.org_id).order_by("at", "id").last()
    if attempt is None:
        return
    begun: Intent | None = None
    try:
        begun = world.trouble.attempted(lambda: flows.finish_recharge(attempt.pk, by=party.owner.pk, now=world.now))
    except finishing.NothingToFinish:
        if not party.tally.agreed:
            agree(world, party)
        return
    world.touched.add(party.org_id)
    if begun is not None and begun.checkout_id:
        world.fact(party, "recharge finished", begun.amount_cents)
        world.later(20, 900, lambda: actions.pay_page(world, party, begun))


def spent_as_agreed(world: World, party: Party) -> None:
    """Each recharge that was charged was agreed to when it was begun, and no more in a month or a day than was agreed."""
    paid: list[tuple[datetime, int]] = []
    for attempt in Attempt.objects.filter(wallet_id=party.org_id, intent__state="succeeded").order_by("at"):
        paid.append((attempt.at, attempt.amount_cents))
        held = [agreed for agreed in party.tally.agreements if agreed.holds(attempt.at)]
        world.expect(
            bool(held), f"{party.name}: charged {attempt.amount_cents} at {attempt.at}, which nobody agreed to"
        )
        most = max((agreed.cap_cents or 10**9 for agreed in held), default=0)
        month = sum(cents for at, cents in paid if (at.year, at.month) == (attempt.at.year, attempt.at.month))
        world.expect(month <= most, f"{party.name}: {month} cents charged in the month of {attempt.at}, over the cap")
        day = sum(1 for at, _ in paid if at.date() == attempt.at.date())
        most_a_day = max((agreed.per_day for agreed in held), default=0)
        world.expect(day <= most_a_day, f"{party.name}: {day} charges on the day of {attempt.at}")


def settled_as_told(world: World, party: Party) -> None:
    """Each month in which something moved was closed after it, once; of what was owed at most the ceiling was charged, once,
    to who had bought."""
    closed = set(Settlement.objects.filter(wallet_id=party.org_id).values_list("period", flat=True))
    moved = set(Transfer.objects.filter(wallet_id=party.org_id).values_list("period", flat=True))
    over = {month for month in moved if month < world.now.date().replace(day=1)}
    world.expect(over <= closed, f"{party.name}: {sorted(over - closed)} are not closed")
    charged: dict[str, int] = defaultdict(int)
    paid = Intent.objects.filter(wallet_id=party.org_id, purpose=Purpose.SETTLEMENT, state=State.SUCCEEDED)
    for key, cents in paid.values_list("key", "amount_cents"):
        charged[key.split(":")[2]] += cents
        world.expect(bool(party.paid), f"{party.name} never bought, and was charged {cents} at the end of a month")
    for month, cents in charged.items():
        world.expect(cents <= CEILING, f"{party.name}: {cents} charged for {month}, over the ceiling")
