"""Money coming in: buying credit, and all the ways to learn what became of it."""

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from django.test import Client

from billing.money import ZERO
from billing.payments.models import Intent
from billing.views.buy_form import Shown
from tests.crash.paths import Path, Scene, moment, task, visitor
from tests.crash.recovery import deliver
from tests.crash.world import World
from tests.factories.paying import PAYS, post

SOON = timedelta(minutes=1)
AFTER_THE_DEADLINE = timedelta(minutes=33)


def browser(scene: Scene) -> Client:
    """Alice's."""
    return visitor(str(scene["session"]))


# --- Buying ------------------------------------------------------------------------------------------------------------


def form_is_open(world: World) -> Scene:
    organization = world.organization()
    form = {"preset": "100", "seen": "10000", "version": Shown(Decimal(100), ZERO, ZERO).version, "nonce": uuid4().hex}
    return {"org": organization.pk, "session": world.session, "page": f"/o/{organization.slug}/billing/buy", **form}


def send_form(scene: Scene) -> None:
    form = {name: scene[name] for name in ("preset", "seen", "version", "nonce")}
    assert browser(scene).post(str(scene["page"]), form).status_code == 302


def send_form_again(world: World, scene: Scene) -> None:
    send_form(scene)


def pay(world: World, scene: Scene) -> None:
    """The page that her browser was sent to."""
    intent = Intent.objects.get(key=f"buy:{scene['nonce']}")
    if intent.checkout_id:
        assert world.stripe.admin.pay(intent.checkout_id, PAYS)["result"] == "paid"


# --- Learning what became of it ------------------------------------------------------------------------------------------


def paid_at_stripe(world: World) -> Scene:
    organization = world.organization()
    intent = world.paid(organization)
    page = f"/o/{organization.slug}/billing/purchases/{intent.pk}"
    return {"org": organization.pk, "session": world.session, "page": page, "at": (world.start + SOON).isoformat()}


def page_is_open(world: World) -> Scene:
    organization = world.organization()
    intent = world.opened(organization)
    page = f"/o/{organization.slug}/billing/purchases/{intent.pk}"
    return {"org": organization.pk, "session": world.session, "page": page}


def page_was_left(world: World) -> Scene:
    """Half an hour later nobody has paid."""
    scene = page_is_open(world)
    world.stripe.admin.advance(AFTER_THE_DEADLINE.total_seconds())
    return {**scene, "at": (world.start + AFTER_THE_DEADLINE).isoformat()}


def committed_and_no_more(world: World) -> Scene:
    """The process that began the purchase died before it asked Stripe."""
    organization = world.organization()
    order = world.order(organization, "100")
    Intent.objects.create(
        wallet_id=order.org_id, purpose="credits", amount_cents=order.amount_cents, key=f"buy:{order.nonce.hex}",
        created_by=world.alice, created_at=world.start, deadline=world.start + timedelta(minutes=31),
    )  # fmt: skip
    return {"org": organization.pk, "nonce": order.nonce.hex, "at": (world.start + SOON).isoformat()}


def told_by_stripe(world: World) -> Scene:
    """Its webhooks are in the inbox."""
    scene = paid_at_stripe(world)
    deliver(world, times=1)
    return scene


def look(scene: Scene) -> None:
    assert browser(scene).post(f"{scene['page']}/check", headers={"HX-Request": "true"}).status_code in (200, 204)


def look_again(world: World, scene: Scene) -> None:
    look(scene)


def cancel(scene: Scene) -> None:
    assert browser(scene).post(f"{scene['page']}/cancel").status_code == 302


def cancel_again(world: World, scene: Scene) -> None:
    cancel(scene)


def ring(scene: Scene) -> None:
    """Stripe at the door."""
    assert post(str(scene["event"]), client=visitor()).status_code == 200


def event_on_its_way(world: World) -> Scene:
    scene = paid_at_stripe(world)
    told = [event for event in world.events if event["type"] == "checkout.session.completed"]
    return {**scene, "event": json.dumps(told[-1])}


def poll(scene: Scene) -> None:
    task("tasks.poll_payments", now=moment(scene))


def work_off(scene: Scene) -> None:
    task("tasks.process_inbox", now=moment(scene))


PAID = frozenset({"flows.payment_outcome"})
POLLED = PAID | {"tasks.poll_payments"}
PATHS = (
    Path("buy", form_is_open, send_form, frozenset(), again=send_form_again, then=pay),
    Path("return page", paid_at_stripe, look, PAID, again=look_again),
    Path("webhook", event_on_its_way, ring, frozenset()),
    Path("inbox", told_by_stripe, work_off, PAID | {"tasks.process_inbox"}),
    Path("poller", paid_at_stripe, poll, POLLED, webhooks=False),
    Path("poller opens", committed_and_no_more, poll, POLLED, then=pay, webhooks=False),
    Path("poller closes", page_was_left, poll, POLLED),
    Path("cancel", page_is_open, cancel, PAID, again=cancel_again),
)
