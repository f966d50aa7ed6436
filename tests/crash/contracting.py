"""Reserved capacity: its months begin and are charged, and what could not be charged is paid."""

from contextlib import suppress
from datetime import timedelta

from billing import flows, periods
from billing.contracts.collecting import NothingToPay
from billing.contracts.models import Contract
from billing.payments.models import PaymentMethod
from tests.crash.paths import Path, Scene, moment, task
from tests.crash.world import World
from tests.factories import contracts

MINUTE = timedelta(minutes=1)
NEXT_TRY = timedelta(hours=26)
"""By then it is tried once more by itself."""


def first_comes(world: World) -> Scene:
    """A contract was accepted, with the card of a purchase; its first month has come a minute ago."""
    organization = world.organization()
    world.bought(organization, "5")
    start = periods.next_month(periods.month_of(world.start))
    contract = contracts.accepted(organization, world.alice, world.model, card=False, now=world.start, starts_on=start)
    at = periods.month_start(start) + MINUTE
    world.stripe.admin.set_clock(at.isoformat())
    return {"org": organization.pk, "at": at.isoformat(), "contract": contract.pk}


def month_is_due(world: World) -> Scene:
    """It has begun, and what is due is not charged yet."""
    scene = first_comes(world)
    begin(scene)
    return scene


def card_is_refused(world: World) -> Scene:
    """The bank refused the second month; from now on it would not."""
    scene = month_is_due(world)
    task("tasks.collect_contracts", now=moment(scene))
    second = moment(scene) + timedelta(days=31)
    world.stripe.admin.set_clock(second.isoformat())
    card = PaymentMethod.objects.get(wallet_id=int(scene["org"]))
    world.stripe.admin.behave(card.stripe_id, "insufficient_funds", count=1)
    flows.bring_contracts_forward(now=second)
    task("tasks.collect_contracts", now=second)
    world.heard()
    return {**scene, "at": (second + MINUTE).isoformat()}


def begin(scene: Scene) -> None:
    task("tasks.bring_contracts_forward", now=moment(scene))


def collect(scene: Scene) -> None:
    task("tasks.collect_contracts", now=moment(scene))


def pay(scene: Scene) -> None:
    """By the flow, not by its page: a page has a clock of its own, and the second month is weeks ahead of it."""
    flows.pay_contract(Contract.objects.get(pk=scene["contract"]), now=moment(scene))


def pay_again(world: World, scene: Scene) -> None:
    """Whoever asks again after it was done, or while it is charged, is told so."""
    with suppress(NothingToPay):
        pay(scene)


BEGUN = frozenset({"flows.bring_contracts_forward", "tasks.bring_contracts_forward"})
COLLECTED = frozenset(
    {
        "flows.collect_contracts",
        "flows.collect_contract",
        "tasks.collect_contracts",
        "flows.payment_outcome",
    }
)
PAID = frozenset({"flows.pay_contract", "flows.collect_contract", "flows.payment_outcome"})
PATHS = (
    Path("begin a contract", first_comes, begin, BEGUN),
    Path("charge a contract", month_is_due, collect, COLLECTED),
    Path("charge a contract unheard", month_is_due, collect, COLLECTED, webhooks=False),
    Path("pay a contract", card_is_refused, pay, PAID, again=pay_again, later=(NEXT_TRY,)),
)
