"""Saved cards: added at Stripe, chosen, removed here or there, and told of before they expire."""

from datetime import UTC, timedelta
from uuid import uuid4

from billing import flows
from billing.payments import card_pages, methods
from billing.payments.card_setups import CardSetup
from billing.payments.models import PaymentMethod
from orgs.models import Organization
from tests.crash.paths import Path, Scene, moment, task
from tests.crash.paying import SOON, browser, work_off
from tests.crash.recovery import deliver
from tests.crash.world import World
from tests.factories.paying import PAYS


def form_is_open(world: World) -> Scene:
    organization = world.organization()
    page = f"/o/{organization.slug}/billing/cards/add"
    return {"org": organization.pk, "session": world.session, "page": page, "nonce": uuid4().hex}


def send_form(scene: Scene) -> None:
    assert browser(scene).post(str(scene["page"]), {"nonce": scene["nonce"]}).status_code == 302


def send_form_again(world: World, scene: Scene) -> None:
    send_form(scene)


def give_card(world: World, scene: Scene) -> None:
    """On the page that her browser was sent to."""
    begun = CardSetup.objects.get(key=f"card:{scene['nonce']}")
    if begun.page_id:
        assert world.stripe.admin.pay(begun.page_id, PAYS)["result"] == "paid"


def _given(world: World, organization: Organization) -> CardSetup:
    """Stripe has the card, and we do not know it yet."""
    begun = card_pages.begin(card_pages.Order(organization.pk, uuid4(), world.alice.pk), now=world.start)
    flows.card_saved(begun.pk, card_pages.open_page(begun.pk, now=world.start), now=world.start)
    begun.refresh_from_db()
    assert world.stripe.admin.pay(begun.page_id or "", PAYS)["result"] == "paid"
    return begun


def card_at_stripe(world: World) -> Scene:
    organization = world.organization()
    begun = _given(world, organization)
    page = f"/o/{organization.slug}/billing/cards/added/{begun.pk}"
    return {"org": organization.pk, "session": world.session, "page": page, "at": (world.start + SOON).isoformat()}


def told_of_a_card(world: World) -> Scene:
    scene = card_at_stripe(world)
    deliver(world, times=1)
    return scene


def look(scene: Scene) -> None:
    assert browser(scene).post(f"{scene['page']}/check", headers={"HX-Request": "true"}).status_code in (200, 204)


def look_again(world: World, scene: Scene) -> None:
    look(scene)


def poll(scene: Scene) -> None:
    task("tasks.poll_cards", now=moment(scene))


# --- Cards that are there ------------------------------------------------------------------------------------------------


def card_is_saved(world: World) -> Scene:
    scene = card_at_stripe(world)
    begun = CardSetup.objects.get(wallet_id=int(scene["org"]))
    flows.card_saved(begun.pk, card_pages.ask(begun.pk, now=world.start), now=world.start)
    world.heard()
    card = PaymentMethod.objects.get(wallet_id=int(scene["org"]))
    page = f"/o/{Organization.objects.get(pk=scene['org']).slug}/billing/cards/{card.pk}"
    return {**scene, "page": page, "card": card.pk}


def another_card(world: World) -> Scene:
    """The second one is not the default."""
    scene = card_is_saved(world)
    card = PaymentMethod.objects.create(
        wallet_id=int(scene["org"]), stripe_id=f"pm_{uuid4().hex}", brand="visa", last4="1111", exp_month=12,
        exp_year=2034, created_at=world.start,
    )  # fmt: skip
    return {**scene, "page": str(scene["page"]).rpartition("/")[0] + f"/{card.pk}"}


def choose(scene: Scene) -> None:
    assert browser(scene).post(f"{scene['page']}/default").status_code == 302


def choose_again(world: World, scene: Scene) -> None:
    choose(scene)


def remove(scene: Scene) -> None:
    assert browser(scene).post(f"{scene['page']}/remove").status_code == 302


def remove_again(world: World, scene: Scene) -> None:
    remove(scene)


def card_was_removed(world: World) -> Scene:
    """Here; Stripe has not been told yet."""
    scene = card_is_saved(world)
    flows.remove_card(int(scene["org"]), int(scene["card"]), now=world.start)
    return scene


def detached_at_stripe(world: World) -> Scene:
    """In its dashboard, and it has told of that."""
    scene = card_is_saved(world)
    world.stripe.admin.detach(PaymentMethod.objects.get(pk=int(scene["card"])).stripe_id)
    deliver(world, times=1)
    return scene


def card_expires_soon(world: World) -> Scene:
    scene = card_is_saved(world)
    ends = methods.expires_at(world.start.astimezone(UTC).year, world.start.astimezone(UTC).month)
    PaymentMethod.objects.filter(pk=int(scene["card"])).update(exp_year=ends.year, exp_month=ends.month)
    return {**scene, "at": (methods.expires_at(ends.year, ends.month) - timedelta(days=1)).isoformat()}


def announce(scene: Scene) -> None:
    task("tasks.announce_expiring_cards", now=moment(scene))


SAVED, TOLD = frozenset({"flows.card_saved"}), frozenset({"flows.card_told"})
POLLED, WORKED_OFF = frozenset({"tasks.poll_cards"}), frozenset({"tasks.process_inbox"})
PATHS = (
    Path("card added", form_is_open, send_form, SAVED, again=send_form_again, then=give_card),
    Path("card return page", card_at_stripe, look, SAVED, again=look_again),
    Path("card inbox", told_of_a_card, work_off, SAVED | WORKED_OFF),
    Path("card poller", card_at_stripe, poll, SAVED | POLLED, webhooks=False),
    Path("card chosen", another_card, choose, frozenset({"flows.choose_card"}), again=choose_again),
    Path("card removed", card_is_saved, remove, frozenset({"flows.remove_card"}), again=remove_again),
    Path("card let go", card_was_removed, poll, TOLD | POLLED, webhooks=False),
    Path("card detached", detached_at_stripe, work_off, TOLD | WORKED_OFF),
    Path("card expires", card_expires_soon, announce, frozenset({"tasks.announce_expiring_cards"})),
)
