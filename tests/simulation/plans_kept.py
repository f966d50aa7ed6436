"""What became of plans, held against what their customers were shown and told, and against Stripe's books."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from billing.notices.models import Kind, Notice
from billing.payments.models import Intent, PaymentMethod, Purpose
from billing.subscriptions.models import Charge, PaidPeriod, Subscription
from tests.simulation import promises
from tests.simulation.plans import ends
from tests.simulation.promises import PRICES

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

CENT = Decimal("0.01")
OF_PLANS, OF_CONTRACTS = ("plan:", "renew:"), "contract:"
"""How the keys of payments begin, by what they are for."""
COVER = """
SELECT c.valid_from, c.valid_to FROM coverage c JOIN ai_model m ON m.id = c.model_id
WHERE c.org_id = %s AND m.slug = %s AND c.payer IN (3, 4) ORDER BY c.valid_from
"""
BY_DAY = """
SELECT d.day, sum(d.tokens) FROM allowance_day d JOIN coverage c ON c.id = d.coverage_id
WHERE d.org_id = %s AND c.payer = 3 GROUP BY 1
"""


@dataclass
class Money:
    """What Stripe has of one organization, in cents, after refunds and disputes. By what it was for; `kept` by payment:
    those that did not go back whole."""

    credit: int = 0
    plans: int = 0
    contracts: int = 0
    kept: dict[UUID, int] = field(default_factory=dict)

    def add(self, intent_id: UUID, key: str, cents: int) -> None:
        self.kept |= {intent_id: cents} if cents else {}
        if key.startswith(OF_PLANS):
            self.plans += cents
        elif key.startswith(OF_CONTRACTS):
            self.contracts += cents
        else:
            self.credit += cents


def kept(world: World, party: Party, money: Money, sums: dict[int, Decimal]) -> None:
    """Each period was charged once, at the price that was shown; what was scheduled happened at its end or not at all; what
    was paid was covered; what was collected is earned by the day or still deferred."""
    book = party.promises
    if not book.asked:
        return
    plans = list(Subscription.objects.filter(wallet_id=party.org_id).order_by("pk"))
    periods: dict[int, list[PaidPeriod]] = defaultdict(list)
    for fee in PaidPeriod.objects.filter(wallet_id=party.org_id).select_related("plan").order_by("number", "part"):
        periods[fee.subscription_id].append(fee)
    keys = dict(Intent.objects.filter(wallet_id=party.org_id, purpose=Purpose.SUBSCRIPTION).values_list("pk", "key"))
    _shown_is_charged(world, party, money, keys)
    for one in plans:
        _periods(world, party, one, periods[one.pk], money, keys)
    fees = [fee for of_one in periods.values() for fee in of_one]
    _books(world, party, fees, money, sums)
    _covered(world, party)
    _told(world, party, plans, fees)
    world.events["plan period"] += len(fees)


def _shown_is_charged(world: World, party: Party, money: Money, keys: dict[UUID, str]) -> None:
    shown = {f"plan:{order.quote_id}": order.cents for order in party.promises.orders}
    for intent_id, cents in money.kept.items():
        key = keys.get(intent_id, "")
        if key.startswith("plan:"):
            world.expect(shown.get(key) == cents, f"{party.name}: {cents} charged, shown was {shown.get(key)}")


def _periods(
    world: World, party: Party, one: Subscription, fees: list[PaidPeriod], money: Money, keys: dict[UUID, str]
) -> None:
    paid_for: dict[int, list[int]] = defaultdict(list)
    for intent_id, cents in money.kept.items():
        kind, subscription, *rest = keys.get(intent_id, "::").split(":")
        if kind == "renew" and int(subscription) == one.pk:
            paid_for[int(rest[0])].append(cents)
    whole = [fee for fee in fees if fee.part == 0]
    name = f"{party.name}: plan {one.pk}"
    for fee in whole:
        if fee.number <= one.number:
            span = (ends(one, fee.number - 1), ends(one, fee.number))
            world.expect((fee.starts_at, fee.ends_at) == span, f"{name}: period {fee.number} is not {span}")
    for before, after in pairwise(whole):
        gap = (before.number + 1, before.ends_at) != (after.number, after.starts_at)
        world.expect(not gap, f"{name}: after period {before.number} comes {after.number} at {after.starts_at}")
    for number in range(2, one.number + 1):
        should = _should_be(party, one, number, fees)
        if should is not None:
            world.expect(should[0], f"{name}: was to end with period {number - 1}, and went on")
            price = PRICES.get(should[1])
            world.expect(paid_for[number] == [price], f"{name}: {paid_for[number]} for period {number} of {should[1]}")
    for charge in Charge.objects.filter(subscription=one, kind="renewal"):
        early = charge.made_at < ends(one, charge.number - 1)
        world.expect(not early, f"{name}: period {charge.number} is charged at {charge.made_at}, before it begins")
    more = {number: cents for number, cents in paid_for.items() if not 2 <= number <= one.number}
    world.expect(not more, f"{name}: charged for periods that it never had: {more}")
    _card(world, party, one, name)
    _end(world, party, one, fees, name)


def _card(world: World, party: Party, one: Subscription, name: str) -> None:
    """A renewal charged the card that was chosen for it last, or what that was saved again as. Whoever paid on Stripe's page
    since gave another one."""
    cards = {card.stripe_id: str(card) for card in PaymentMethod.objects.filter(wallet_id=party.org_id)}
    chosen = [(at, stripe_id) for at, plan, stripe_id in party.promises.cards if plan == one.public_id]
    on_pages = one.charges.filter(intent__state="succeeded", intent__method=None).select_related("intent")
    pages = [charge.intent.settled_at for charge in on_pages if charge.intent and charge.intent.settled_at]
    for renewal in one.charges.filter(intent__method__isnull=False, kind="renewal").select_related("intent__method"):
        before = [(at, stripe_id) for at, stripe_id in chosen if at < renewal.made_at]
        if before and not any(at and at > before[-1][0] for at in pages):
            assert renewal.intent is not None
            charged, should = str(renewal.intent.method), cards[before[-1][1]]
            world.expect(charged == should, f"{name}: {charged} is charged, chosen was {should}")


def _should_be(party: Party, one: Subscription, number: int, fees: list[PaidPeriod]) -> tuple[bool, str] | None:
    """Whether there should be this period, and of which plan, by what was told before; None: nobody was sure."""
    seen = party.promises.plan(one.public_id)
    if number - 1 in seen.unsure:
        return None
    last = [fee for fee in fees if fee.number == number - 1]
    upgraded_at = last[-1].paid_at if len(last) > 1 else None
    wish = seen.wish_for(number - 1, upgraded_at)
    if wish is None:
        return True, str(last[-1].plan.slug)
    return wish.plan is not None, wish.plan or ""


def _end(world: World, party: Party, one: Subscription, fees: list[PaidPeriod], name: str) -> None:
    """It ended because that was scheduled, and then at that instant; otherwise it goes on, or was not paid."""
    if one.number == 0:
        return
    should = _should_be(party, one, one.number + 1, fees)
    if should is None:
        return
    seen, at = party.promises.plan(one.public_id), ends(one, one.number)
    canceled = seen.canceled_at
    if canceled is not None:
        world.expect(one.ended_as == "canceled", f"{name}: canceled past due, and is {one.state}")
    elif not should[0] and at <= world.now:
        right = (one.ended_as, one.ended_at) == ("canceled", at)
        world.expect(right, f"{name}: was to end at {at}, and is {one.state} {one.ended_as} since {one.ended_at}")
    elif one.state == "ended":
        world.expect(one.ended_as == "unpaid", f"{name}: ended as {one.ended_as}, which nobody asked for")
        world.expect(
            Charge.objects.filter(subscription=one, number=one.number + 1).exists() or one.tries > 0,
            f"{name}: ended as not paid, and was never tried",
        )


def _books(world: World, party: Party, fees: list[PaidPeriod], money: Money, sums: dict[int, Decimal]) -> None:
    """Collected = earned by whole days + deferred."""
    collected = sum(fee.charged_cents for fee in fees)
    world.expect(collected == money.plans, f"{party.name}: Stripe has {money.plans} for plans, periods {collected}")
    earned = sum(promises.earned_cents(fee.charged_cents, fee.starts_at, fee.ends_at, world.now) for fee in fees)
    world.expect(
        -sums[4100] == earned * CENT, f"{party.name}: {earned} cents of plans are earned, {-sums[4100]} booked"
    )
    deferred = (money.plans - earned) * CENT
    world.expect(-sums[2100] == deferred, f"{party.name}: {deferred} of plans is deferred, booked are {-sums[2100]}")


def _covered(world: World, party: Party) -> None:
    """What pages said is covered was covered, all of it; and the day's tokens are those that were sent."""
    for model in {span.model for span in party.promises.spans}:
        rows = _asked(COVER, party.org_id, model)
        for (_, end), (begin, _) in pairwise(rows):
            world.expect(end <= begin, f"{party.name}: {model} is covered twice from {begin}")
        for span in party.promises.spans:
            if span.model == model:
                left = _uncovered(rows, span.since, span.until)
                world.expect(
                    left is None, f"{party.name}: {model} was to be covered until {span.until}, not from {left}"
                )
    there = dict(_asked(BY_DAY, party.org_id))
    sent = party.promises.by_day()
    world.expect(
        {day: tokens for day, tokens in there.items() if tokens} == sent,
        f"{party.name}: tokens by day are {there}, sent were {sent}",
    )


def _uncovered(rows: list[tuple[Any, ...]], since: datetime, until: datetime) -> datetime | None:
    at = since
    for begin, end in rows:
        if begin <= at < end:
            at = end
    return at if at < until else None


def _told(world: World, party: Party, plans: list[Subscription], fees: list[PaidPeriod]) -> None:
    """A letter for each period and upgrade, for each end of what had begun, and for each wish."""
    letters = Notice.objects.filter(wallet_id=party.org_id)
    begun = letters.filter(kind=Kind.PLAN_STARTED).count()
    charges = len({fee.charge_id for fee in fees})
    world.expect(begun == charges, f"{party.name}: {charges} payments for plans, {begun} letters")
    ended = letters.filter(kind=Kind.PLAN_ENDED).count()
    over = sum(1 for one in plans if one.state == "ended" and one.ended_as != "not_paid")
    world.expect(ended == over, f"{party.name}: {over} plans ended, {ended} letters")
    upgrades = sum(1 for fee in fees if fee.part)
    changed = letters.filter(kind=Kind.PLAN_CHANGED, facts__what__in=("ends", "changes")).count()
    wishes = sum(len(seen.wishes) for seen in party.promises.plans.values())
    world.expect(changed >= wishes - upgrades, f"{party.name}: {wishes} wishes, {changed} letters")


def _asked(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
