"""Money going back: refunds by staff, refunds and disputes at Stripe, and debts that are let go."""

from datetime import timedelta
from uuid import uuid4

from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.payments import gateway, refunds
from billing.payments.models import Intent, Refund
from tests.crash.paths import Path, Scene, act_of_staff, moment, task
from tests.crash.paying import SOON, work_off
from tests.crash.recovery import NIGHT, deliver
from tests.crash.using import report, three_events
from tests.crash.world import World

TOMORROW = timedelta(hours=27)
A_WHILE = timedelta(minutes=65)
"""Open disputes are asked about once an hour."""
HALF_A_YEAR = timedelta(days=181)


def partly_spent(world: World) -> Scene:
    """Alice bought 100 and used 1.275 of it, which is charged already."""
    scene = spending(world)
    task("tasks.sweep_usage", now=world.start + timedelta(seconds=5))
    return scene


def spending(world: World) -> Scene:
    """Alice bought 100, and what she used of it waits to be charged."""
    organization = world.organization()
    intent = world.bought(organization)
    scene = three_events(world, organization)
    report(scene)
    at = (world.start + SOON).isoformat()
    return {**scene, "at": at, "intent": str(intent.pk), "charge": str(intent.charge_id), "staff": world.staff_session}


def _told(world: World, scene: Scene) -> Scene:
    """Stripe's webhooks about it are in the inbox."""
    deliver(world, times=1)
    return scene


# --- Refunds by staff ----------------------------------------------------------------------------------------------------


def refund_form(world: World) -> Scene:
    scene = spending(world)
    form = {"amount": "40.50", "reason": "Asked for by Alice", "nonce": str(uuid4()), "confirmed": "yes"}
    return {**scene, "back": 40_50, "page": f"/admin/billing/intent/{scene['intent']}/refund/", **form}


def send_staff_form(scene: Scene) -> None:
    act_of_staff(scene)


def send_staff_form_again(world: World, scene: Scene) -> None:
    send_staff_form(scene)


def refund_asked_and_no_more(world: World) -> Scene:
    """The process that took a refund's amount died before it asked Stripe."""
    scene = partly_spent(world)
    asked = _order(world, scene)
    with transaction.atomic():
        wallets.lock([asked.org_id])
        refunds.ask(asked, now=world.start)
    return {**scene, "back": asked.amount_cents}


def _order(world: World, scene: Scene) -> refunds.Order:
    return refunds.Order(
        int(scene["org"]),
        Intent.objects.get(pk=str(scene["intent"])).pk,
        40_00,
        "ticket 12",
        uuid4(),
        asked_by=world.staff.pk,
    )


def refund_sent_back(world: World) -> Scene:
    """The bank sends a refund back that had succeeded, and Stripe has told of it."""
    scene = partly_spent(world)
    refund = flows.refund(_order(world, scene), now=world.start)
    world.stripe.admin.fail_refund(refund.provider_id or "")
    return _told(world, scene)


# --- Refunds at Stripe -----------------------------------------------------------------------------------------------------


def refunded_at_stripe(world: World) -> Scene:
    """All of it, in the dashboard, as fraudulent: what was spent of it becomes a debt."""
    scene = spending(world)
    world.stripe.admin.refund(str(scene["charge"]), reason="fraudulent")
    return {**_told(world, scene), "back": 100_00}


def refund_to_review(world: World) -> Scene:
    scene = partly_spent(world)
    made = world.stripe.admin.refund(str(scene["charge"]), amount=30_00)
    flows.refund_told(gateway.read_refund(made["id"]), now=world.start)
    refund = Refund.objects.get(provider_id=made["id"])
    return {**scene, "back": 30_00, "refund": str(refund.pk), "by": world.staff.pk}


def review(scene: Scene) -> None:
    refund = Refund.objects.get(pk=str(scene["refund"]))
    flows.review_refund(refund.pk, by=int(scene["by"]), now=moment(scene))


def review_again(world: World, scene: Scene) -> None:
    review(scene)


# --- Disputes ------------------------------------------------------------------------------------------------------------


def disputed(world: World) -> Scene:
    """The bank took the money: what is left of the credit goes, and what was spent is owed."""
    scene = spending(world)
    world.stripe.admin.dispute(str(scene["charge"]))
    return _told(world, scene)


def dispute_won(world: World) -> Scene:
    """The bank gave it back, after the withdrawal was booked."""
    scene = disputed(world)
    task("tasks.process_inbox", now=world.start + timedelta(seconds=20))
    _win(world, scene)
    return _told(world, scene)


def _win(world: World, scene: Scene) -> None:
    for dispute in world.stripe.sandbox.world.books.oldest_first("dispute"):
        if dispute["charge"] == scene["charge"]:
            world.stripe.admin.win(dispute["id"])


def dispute_won_unheard(world: World) -> Scene:
    """The webhooks of its opening came, those of its end are lost."""
    scene = partly_spent(world)
    made = world.stripe.admin.dispute(str(scene["charge"]))
    flows.dispute_told(gateway.read_dispute(made["id"]), now=world.start)
    world.stripe.admin.win(made["id"])
    return {**scene, "at": (world.start + A_WHILE).isoformat()}


# --- Nobody told us ------------------------------------------------------------------------------------------------------


def unheard(world: World) -> Scene:
    """A refund in the dashboard, then a dispute of the rest, and not one webhook arrived."""
    scene = partly_spent(world)
    world.stripe.admin.refund(str(scene["charge"]), amount=30_00)
    world.stripe.admin.dispute(str(scene["charge"]))
    return {**scene, "back": 30_00, "at": (world.start + TOMORROW).isoformat()}


# --- Debts -----------------------------------------------------------------------------------------------------------------


def owing(world: World) -> Scene:
    """1.275 of a disputed payment was spent, and the dispute is lost."""
    scene = partly_spent(world)
    made = world.stripe.admin.dispute(str(scene["charge"]))
    world.stripe.admin.lose(made["id"])
    flows.dispute_told(gateway.read_dispute(made["id"]), now=world.start)
    return {**scene, "at": (world.start + HALF_A_YEAR).isoformat()}


def forgive_form(world: World) -> Scene:
    scene = owing(world)
    form = {"amount": "1.20", "reason": "They stay with us", "nonce": str(uuid4()), "confirmed": "yes"}
    # Long before what is left of it is written off by itself.
    at = (world.start + TOMORROW).isoformat()
    return {**scene, "at": at, "page": f"/admin/billing/wallet/{scene['org']}/forgive/", **form}


def poll_reversals(scene: Scene) -> None:
    task("tasks.poll_reversals", now=moment(scene))


def reconcile(scene: Scene) -> None:
    task("tasks.reconcile_stripe", now=moment(scene))


def write_off(scene: Scene) -> None:
    task("tasks.write_off_debts", now=moment(scene))


POLLED = frozenset({"tasks.poll_reversals"})
WORKED_OFF = frozenset({"tasks.process_inbox"})
REFUND, DISPUTE = frozenset({"flows.refund_told"}), frozenset({"flows.dispute_told"})
PATHS = (
    Path("refund", refund_form, send_staff_form, REFUND | {"flows.refund"}, again=send_staff_form_again),
    Path("refund poller", refund_asked_and_no_more, poll_reversals, REFUND | POLLED, webhooks=False),
    Path("refund sent back", refund_sent_back, work_off, REFUND | WORKED_OFF),
    Path("refund at Stripe", refunded_at_stripe, work_off, REFUND | WORKED_OFF),
    Path("refund reviewed", refund_to_review, review, frozenset({"flows.review_refund"}), again=review_again),
    Path("dispute", disputed, work_off, DISPUTE | WORKED_OFF),
    Path("dispute won", dispute_won, work_off, DISPUTE | WORKED_OFF),
    Path("dispute poller", dispute_won_unheard, poll_reversals, DISPUTE | POLLED, webhooks=False),
    Path("reconciling", unheard, reconcile, REFUND | DISPUTE | {"flows.reconcile", "tasks.reconcile_stripe"},
         webhooks=False, later=(NIGHT,)),
    Path("debt forgiven", forgive_form, send_staff_form, frozenset({"flows.forgive_debt"}), again=send_staff_form_again),
    Path("debt written off", owing, write_off, frozenset({"flows.write_off_debts", "tasks.write_off_debts"}),
         later=(NIGHT,)),
)  # fmt: skip
