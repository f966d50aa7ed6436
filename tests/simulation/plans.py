"""Plans: who takes one, with a saved card or on Stripe's page, changes it, lets it go, or pays late.

What a page told is noted (`promises.py`), and held against everything in the end (`plans_kept.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from billing import flows
from billing.catalog.models import Plan
from billing.payments import methods
from billing.subscriptions import choosing
from billing.subscriptions.models import PAID_STATES, Charge, State, Subscription
from billing.subscriptions.refusals import PlanRefused
from tests.simulation import actions, gateways, promises
from tests.simulation.promises import PLANNED, PRICES, Order, PlanSeen, Span, Wish

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

WITH_A_PAGE = 0.3
"""So many who have a saved card pay on Stripe's page all the same."""
CLOCK = ("tasks.renew_plans", "tasks.earn_plans")
COMES_BY = (timedelta(seconds=20), timedelta(minutes=12), timedelta(hours=5))
"""After a period's end: in production the clock comes by every minute."""


def use(world: World, party: Party) -> None:
    """Requests to the model that plans cover, whether one does or not."""
    look(world, party)
    gateways.use_of(world, party, PLANNED, world.chance.randint(1, 3))


# --- Beginning, and more -------------------------------------------------------------------------------------------------


def subscribe(world: World, party: Party) -> None:
    """Looks at a plan and agrees to what it costs, unless there is one."""
    if not party.left and not choosing.current(party.org_id):
        party.promises.ask(PLANNED, world.now)
        _agree(world, party, world.chance.choice(("basic", "basic", "plus")), None)


def upgrade(world: World, party: Party) -> None:
    running = _running(party)
    if running is not None and running.plan.slug == "basic":
        _agree(world, party, "plus", running)


def _agree(world: World, party: Party, plan: str, running: Subscription | None) -> None:
    plan_id = Plan.objects.values_list("pk", flat=True).get(slug=plan)
    try:
        quote = world.trouble.attempted(
            lambda: flows.quote_plan(party.org_id, plan_id, by=party.owner.pk, now=world.now)
        )  # fmt: skip
    except PlanRefused as refused:
        world.fact(party, "plan refused", refused)
        return
    if quote is None:
        return
    order = Order(quote.pk, plan, quote.amount_cents, world.now, running is not None)
    should, order.arrears = _should_cost(world, party, plan, running)
    world.expect(
        should == quote.amount_cents, f"{party.name}: {plan} is shown at {quote.amount_cents}, and costs {should}"
    )
    party.promises.orders.append(order)
    card = methods.default(party.org_id)
    if card is not None and world.chance.random() < WITH_A_PAGE:
        card = None
    agree = flows.upgrade if running is not None else flows.subscribe

    def press() -> None:
        try:
            agree(party.org_id, quote.pk, by=party.owner.pk, method_id=card.pk if card else None, now=world.now)
        except PlanRefused as refused:
            world.fact(party, "plan refused", refused)

    world.fact(party, "upgrade" if running else "subscribe", plan, quote.amount_cents)
    for _ in range(party.like.clicks):
        if not world.trouble.attempt(press) and world.chance.random() < actions.ASKS_AGAIN:
            world.later(10, 90, lambda: world.trouble.attempt(press))
    world.touched.add(party.org_id)
    if card is None and world.chance.random() >= party.like.abandons:
        world.later(20, 900, partial(_pay, world, party, lambda: Charge.objects.filter(quote_id=quote.pk).first()))
    world.later(1, 5, partial(look, world, party))


def _should_cost(world: World, party: Party, plan: str, running: Subscription | None) -> tuple[int, int]:
    """Cents that it costs now by the rules, and what of them is for days of grace that were used (A11, A28)."""
    if running is not None:
        start, end = running.starts_at, running.ends_at
        assert start is not None
        assert end is not None
        return promises.upgrade_cents(PRICES[running.plan.slug], PRICES[plan], world.now, start, end), 0
    arrears = 0
    over = Subscription.objects.filter(wallet_id=party.org_id, ended_as="unpaid", renewals__gt=0)
    for one in over.filter(ended_at__gt=world.now - promises.ARREARS_FOR):
        if one.periods.order_by("-number").values_list("number", flat=True)[0] == one.number:
            assert one.anchor is not None
            assert one.ended_at is not None
            start = promises.months_after(one.anchor, one.number)
            end = promises.months_after(one.anchor, one.number + 1)
            arrears += promises.part_of(one.price_cents, min(one.ended_at, end) - start, end - start)
    return PRICES[plan] + arrears, arrears


def _pay(world: World, party: Party, charge: Callable[[], Charge | None]) -> None:
    """On Stripe's page, where it could be opened."""
    found = charge()
    if found is not None and found.intent is not None and found.intent.checkout_id:
        actions.pay_page(world, party, found.intent, looks=False)
        world.later(60, 4200, partial(look, world, party))


# --- What is scheduled ---------------------------------------------------------------------------------------------------


def downgrade(world: World, party: Party) -> None:
    running = _running(party)
    if running is not None and running.plan.slug == "plus":
        plan_id = Plan.objects.values_list("pk", flat=True).get(slug="basic")

        def schedule(id_: UUID) -> None:
            flows.schedule_plan(party.org_id, id_, plan_id, by=party.owner.pk, now=world.now)

        _wish(world, party, running, "plan scheduled", schedule, "basic")


def cancel(world: World, party: Party) -> None:
    running = _running(party, *PAID_STATES)
    if running is not None:

        def end(id_: UUID) -> None:
            if flows.cancel_plan(party.org_id, id_, by=party.owner.pk, now=world.now) is None:
                party.promises.plan(id_).canceled_at = world.now

        _wish(world, party, running, "plan canceled", end, None)


def withdraw(world: World, party: Party) -> None:
    running = _running(party)
    if running is None or choosing.pending(running) is None:
        return

    def take_back(id_: UUID) -> None:
        if choosing.pending(choosing.one(party.org_id, id_)) is None:
            return  # it was taken back before, when nobody answered
        flows.withdraw_change(party.org_id, id_, by=party.owner.pk, now=world.now)

    _insist(world, party, running, "plan goes on", take_back, _withdrawn)


def _withdrawn(world: World, seen: PlanSeen, number: int) -> None:
    for wish in seen.standing(number):
        wish.withdrawn_at = world.now


def _wish(
    world: World, party: Party, running: Subscription, what: str, act: Callable[[UUID], None], plan: str | None
) -> None:
    def told(world: World, seen: PlanSeen, number: int) -> None:
        if [wish.plan for wish in seen.standing(number)] == [plan] or seen.canceled_at is not None:
            return  # it was so before
        _withdrawn(world, seen, number)
        seen.wishes.append(Wish(plan, number, world.now))

    _insist(world, party, running, what, act, told)


def _insist(
    world: World,
    party: Party,
    running: Subscription,
    what: str,
    act: Callable[[UUID], None],
    told: Callable[[World, PlanSeen, int], None],
) -> None:
    """Until the page says what will be. Whoever was not answered is not sure what will be when this period ends."""
    seen, number = party.promises.plan(running.public_id), running.number
    world.touched.add(party.org_id)
    try:
        if world.trouble.attempt(partial(act, running.public_id)):
            told(world, seen, number)
            world.fact(party, what)
            return
    except PlanRefused as refused:
        world.fact(party, "plan refused", refused)
        return
    seen.unsure.append(number)

    def again() -> None:
        now = _running(party, *PAID_STATES)
        if now is not None and (now.pk, now.number) == (running.pk, number):
            seen.unsure.remove(number)
            _insist(world, party, now, what, act, told)

    world.later(20, 300, again)


# --- Cards ---------------------------------------------------------------------------------------------------------------


def pay_late(world: World, party: Party) -> None:
    """Pays in the browser what the bank refused without."""
    running = _running(party, State.PAST_DUE)
    if running is None:
        return

    def press() -> Charge | None:
        try:
            return flows.finish_renewal(party.org_id, running.public_id, by=party.owner.pk, now=world.now)
        except PlanRefused as refused:
            world.fact(party, "plan refused", refused)
            return None

    charge = world.trouble.attempted(press)
    world.touched.add(party.org_id)
    if charge is not None:
        world.fact(party, "plan paid late")
        world.later(20, 900, partial(_pay, world, party, lambda: charge))


def choose_card(world: World, party: Party) -> None:
    """Another saved card is to be charged from now on."""
    running = _running(party)
    others = [card for card in methods.of(party.org_id) if running is not None and card.pk != running.method_id]
    if running is None or not others:
        return
    card = world.chance.choice(others)

    def choose(id_: UUID) -> None:
        flows.charge_plan_to(party.org_id, id_, card.pk, now=world.now)

    def told(world: World, seen: PlanSeen, number: int) -> None:
        party.promises.cards.append((world.now, card.stripe_id))

    _insist(world, party, running, "plan card chosen", choose, told)


# --- Looking -------------------------------------------------------------------------------------------------------------


def look(world: World, party: Party) -> None:
    """At the plan's page: what runs covers from now to the end that it names. The clock will come by then."""
    running = _running(party)
    if running is None or running.ends_at is None or world.now >= running.ends_at:
        return
    seen = party.promises.plan(running.public_id)
    if running.number not in seen.periods:
        seen.periods.add(running.number)
        party.promises.spans.append(Span(PLANNED, world.now, running.ends_at))
        for after in COMES_BY:
            world.at(running.ends_at + after, partial(_clock, world, party), by_itself=True)


def _clock(world: World, party: Party) -> None:
    for name in world.trouble.order(list(CLOCK)):
        world.task(name)
    world.touched.add(party.org_id)
    look(world, party)


def _running(party: Party, *states: State) -> Subscription | None:
    wanted = states or (State.ACTIVE,)
    return next((one for one in choosing.current(party.org_id) if one.state in wanted), None)


def ends(running: Subscription, number: int) -> datetime:
    """When this period ends, by the calendar."""
    assert running.anchor is not None
    return promises.months_after(running.anchor, number)
