"""Plans: begun, upgraded, renewed, refused and tried again, earned, and ended with a refund."""

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.payments.models import Intent, PaymentMethod
from billing.subscriptions import calendar, choosing
from billing.subscriptions.models import Subscription
from billing.subscriptions.refusals import PlanRefused
from tests.crash.paths import Path, Scene, moment, task
from tests.crash.world import World
from tests.factories import catalog
from tests.factories.paying import PAYS

SOON = timedelta(seconds=5)
ANOTHER_TRY = (timedelta(days=2),)
"""A day after the first one."""


def has_card(world: World) -> Scene:
    """Acme bought 5.00 once. A model of its own has two plans, so that no walk changes another's."""
    organization = world.organization()
    world.bought(organization, "5")
    model = catalog.model(f"model-of-{organization.slug}")
    rank = organization.pk % 10_000 * 2
    for slug, usd, more in (("small", 50, 0), ("large", 200, 1)):
        plan = Plan.objects.create(
            slug=f"{slug}-{organization.pk}", name=slug, price_usd=Decimal(usd), daily_tokens=10**9, rank=rank + more
        )
        plan.covers.add(model)
    card = PaymentMethod.objects.get(wallet_id=organization.pk)
    return {"org": organization.pk, "by": world.alice.pk, "card": card.pk, "model": model.pk}


def is_shown(world: World, scene: Scene, plan: str, at: datetime) -> Scene:
    plan_id = Plan.objects.get(slug=f"{plan}-{scene['org']}").pk
    quote = choosing.quote(int(scene["org"]), plan_id, by=int(scene["by"]), now=at)
    return {**scene, "quote": str(quote.pk), "at": at.isoformat()}


def plan_is_shown(world: World) -> Scene:
    return is_shown(world, has_card(world), "small", world.start + SOON)


def page_is_shown(world: World) -> Scene:
    """It is to be paid on Stripe's page."""
    scene = plan_is_shown(world)
    return {name: value for name, value in scene.items() if name != "card"}


def has_plan(world: World, began: datetime) -> Scene:
    """Paid at Stripe, long ago."""
    scene = has_card(world)
    world.stripe.admin.set_clock(began.isoformat())
    scene = is_shown(world, scene, "small", began)
    subscribe(scene)
    world.stripe.admin.call("POST", "/clock", reset=True)
    world.heard()
    return {**scene, "subscription": str(Subscription.objects.get(wallet_id=scene["org"]).public_id)}


def upgrade_is_shown(world: World) -> Scene:
    return is_shown(world, has_plan(world, world.start - timedelta(days=10)), "large", world.start + SOON)


def period_is_over(world: World, bank_says: str = "succeed") -> Scene:
    scene = has_plan(world, calendar.boundary(world.start, -1))
    card = PaymentMethod.objects.get(pk=scene["card"])
    world.stripe.admin.behave(card.stripe_id, bank_says, count=1)
    at = Subscription.objects.get(wallet_id=scene["org"]).ends_at
    assert at is not None
    return {**scene, "at": max(at, world.start).isoformat()}


def will_be_refused(world: World) -> Scene:
    """Once; the next day there is money."""
    return period_is_over(world, "insufficient_funds")


def was_renewed(world: World) -> Scene:
    scene = period_is_over(world)
    renew(scene)
    return {**scene, "at": (moment(scene) + SOON).isoformat()}


def downgrade_is_due(world: World) -> Scene:
    scene = has_card(world)
    began = calendar.boundary(world.start, -1)
    world.stripe.admin.set_clock(began.isoformat())
    subscribe(is_shown(world, scene, "large", began))
    world.stripe.admin.call("POST", "/clock", reset=True)
    world.heard()
    running = Subscription.objects.get(wallet_id=scene["org"])
    smaller = Plan.objects.get(slug=f"small-{scene['org']}").pk
    flows.schedule_plan(running.wallet_id, running.public_id, smaller, by=world.alice.pk, now=began + timedelta(days=1))
    assert running.ends_at is not None
    return {**scene, "at": max(running.ends_at, world.start).isoformat()}


def past_due(world: World) -> Scene:
    """Refused; its customer is about to pay on Stripe's page."""
    scene = will_be_refused(world)
    renew(scene)
    world.heard()
    return {**scene, "at": (moment(scene) + SOON).isoformat()}


def model_is_retired(world: World) -> Scene:
    scene = has_plan(world, world.start - timedelta(days=10))
    AIModel.objects.filter(pk=scene["model"]).update(deprecated_on=world.start.date() - timedelta(days=1))
    return {**scene, "at": (world.start + SOON).isoformat(), "back": 50_00}


# --- Acts ----------------------------------------------------------------------------------------------------------------


def subscribe(scene: Scene) -> None:
    """With the saved card, where one is chosen."""
    flows.subscribe(
        int(scene["org"]),
        UUID(str(scene["quote"])),
        by=int(scene["by"]),
        method_id=int(scene["card"]) if "card" in scene else None,
        now=moment(scene),
    )


def subscribe_again(world: World, scene: Scene) -> None:
    subscribe(scene)


def upgrade(scene: Scene) -> None:
    flows.upgrade(
        int(scene["org"]),
        UUID(str(scene["quote"])),
        by=int(scene["by"]),
        method_id=int(scene["card"]),
        now=moment(scene),
    )


def upgrade_again(world: World, scene: Scene) -> None:
    upgrade(scene)


def renew(scene: Scene) -> None:
    task("tasks.renew_plans", now=moment(scene))


def earn(scene: Scene) -> None:
    task("tasks.earn_plans", now=moment(scene))


def retire(scene: Scene) -> None:
    task("tasks.retire_plans", now=moment(scene))


def finish(scene: Scene) -> None:
    flows.finish_renewal(int(scene["org"]), UUID(str(scene["subscription"])), by=int(scene["by"]), now=moment(scene))


def finish_again(world: World, scene: Scene) -> None:
    """Whoever asks again finds the same page, or is told that nothing is left to pay."""
    with suppress(PlanRefused):
        finish(scene)


def pay(world: World, scene: Scene) -> None:
    """On the page that the browser was sent to."""
    page = Intent.objects.filter(wallet_id=scene["org"], purpose="subscription", method=None).first()
    if page is not None and page.checkout_id:
        assert world.stripe.admin.pay(page.checkout_id, PAYS)["result"] == "paid"


RENEWED = frozenset({"tasks.renew_plans", "flows.renew_plans", "flows.renew_plan", "flows.payment_outcome"})
PATHS = (
    Path("subscribe", plan_is_shown, subscribe, frozenset({"flows.subscribe", "flows.payment_outcome"}),
         again=subscribe_again),
    Path("subscribe on a page", page_is_shown, subscribe, frozenset({"flows.subscribe", "flows.payment_outcome"}),
         again=subscribe_again, then=pay),
    Path("upgrade plan", upgrade_is_shown, upgrade, frozenset({"flows.upgrade", "flows.payment_outcome"}),
         again=upgrade_again),
    Path("renew", period_is_over, renew, RENEWED),
    Path("renew unheard", period_is_over, renew, RENEWED, webhooks=False),
    Path("renew refused", will_be_refused, renew, RENEWED, later=ANOTHER_TRY),
    Path("downgrade", downgrade_is_due, renew, RENEWED),
    Path("finish renewal", past_due, finish, frozenset({"flows.finish_renewal", "flows.payment_outcome"}),
         again=finish_again, then=pay, later=ANOTHER_TRY),
    Path("earn plans", was_renewed, earn, frozenset({"tasks.earn_plans", "flows.earn_plans"})),
    Path("retire plans", model_is_retired, retire,
         frozenset({"tasks.retire_plans", "flows.retire_plans"})),
)  # fmt: skip
