"""Auto-recharge: a saved card is charged without its customer, refused and tried again, or paid in the browser after all."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.payments.models import Intent, PaymentMethod
from billing.recharge import recharging
from billing.recharge.models import Attempt
from billing.recharge.rules import Wish
from tests.crash.paths import Path, Scene, moment, task
from tests.crash.paying import POLLED
from tests.crash.using import SOON, report, three_events
from tests.crash.world import World
from tests.factories.paying import PAYS

ANOTHER_TRY = (timedelta(hours=3),)
"""An hour after the first failure, whenever that was heard of."""


def wish(card: PaymentMethod) -> Wish:
    return Wish(4_00, 20_00, card.pk)


# --- Scenes --------------------------------------------------------------------------------------------------------------


def bought(world: World) -> Scene:
    """Acme bought 5.00; a gateway is about to report 1.275 of use."""
    organization = world.organization()
    world.bought(organization, "5")
    card = PaymentMethod.objects.get(wallet_id=organization.pk)
    scene = three_events(world, organization)
    return {**scene, "card": card.pk, "by": world.alice.pk, "at": (world.start + SOON).isoformat()}


def used_below(world: World) -> Scene:
    """... and has reported it."""
    scene = bought(world)
    report(scene)
    return scene


def is_low(world: World, bank_says: str = "succeed") -> Scene:
    """... when the rule was agreed to, and it is charged: 3.725 are left."""
    scene = bought(world)
    card = PaymentMethod.objects.get(pk=scene["card"])
    world.stripe.admin.behave(card.stripe_id, bank_says, count=1)
    flows.switch_recharge_on(int(scene["org"]), wish(card), by=world.alice.pk, now=world.start)
    report(scene)
    task("tasks.sweep_usage", now=world.start)
    return scene


def will_be_refused(world: World) -> Scene:
    """Once; the next day there is money."""
    return is_low(world, "insufficient_funds")


def written_down_and_no_more(world: World) -> Scene:
    """The process that began the charge died before it asked Stripe."""
    scene = is_low(world)
    with transaction.atomic():
        wallets.lock([int(scene["org"])])
        assert recharging.begin(int(scene["org"]), now=world.start)
    return {**scene, "at": (world.start + timedelta(minutes=1)).isoformat()}


def bank_asks(world: World) -> Scene:
    """The bank wanted the cardholder to confirm: it is paused."""
    scene = is_low(world, "authentication_required")
    flows.recharge(int(scene["org"]), now=world.start)
    world.heard()
    return {**scene, "attempt": str(Attempt.objects.get(wallet_id=scene["org"]).pk)}


# --- Acts ----------------------------------------------------------------------------------------------------------------


def recharge(scene: Scene) -> None:
    task("tasks.recharge_credit", now=moment(scene))


def poll(scene: Scene) -> None:
    task("tasks.poll_payments", now=moment(scene))


def switch_on(scene: Scene) -> None:
    card = PaymentMethod.objects.get(pk=scene["card"])
    flows.switch_recharge_on(int(scene["org"]), wish(card), by=int(scene["by"]), now=moment(scene))


def switch_on_again(world: World, scene: Scene) -> None:
    switch_on(scene)


def finish(scene: Scene) -> None:
    flows.finish_recharge(UUID(str(scene["attempt"])), by=int(scene["by"]), now=moment(scene))


def finish_again(world: World, scene: Scene) -> None:
    finish(scene)


def pay(world: World, scene: Scene) -> None:
    intent = Intent.objects.get(key=f"finish:{scene['attempt']}")
    if intent.checkout_id:
        assert world.stripe.admin.pay(intent.checkout_id, PAYS)["result"] == "paid"


CHARGED = frozenset({"flows.recharge", "flows.recharge_due", "tasks.recharge_credit", "flows.payment_outcome"})
AGREED = frozenset({"flows.switch_recharge_on", "flows.recharge", "flows.payment_outcome"})
FINISHED = frozenset({"flows.finish_recharge", "flows.payment_outcome"})
PATHS = (
    Path("recharge", is_low, recharge, CHARGED),
    Path("recharge unheard", is_low, recharge, CHARGED, webhooks=False),
    Path("recharge refused", will_be_refused, recharge, CHARGED, later=ANOTHER_TRY),
    Path("poller charges", written_down_and_no_more, poll, POLLED, webhooks=False),
    Path("switch recharge on", used_below, switch_on, AGREED,
         again=switch_on_again),
    Path("finish recharge", bank_asks, finish, FINISHED, again=finish_again, then=pay),
)  # fmt: skip
