"""Lives of a payment of which Stripe tells in five events, told in every order there is.

Everything happens in one process and one transaction: each order is told from the same beginning, which is rolled back
afterwards together with Stripe's own books.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import stripe as library
from django.db import transaction
from django.test import Client
from time_machine import Traveller

from billing import flows, tasks
from billing.ledger.models import CreditGrant
from billing.payments import polling
from billing.payments.gateway import wire
from billing.payments.models import Dispute, DisputeMovement, Intent, Refund
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import InProcessClient, Sandbox
from sandbox.stripe.books import Books
from tests.factories.paying import DECLINES, PAYS, begin, post
from tests.faults import picture

Event = dict[str, Any]
MINUTE = timedelta(minutes=1)


@dataclass
class Scene:
    """One organization of Alice's with one purchase, and a Stripe that can be set back."""

    sandbox: Sandbox
    clock: Traveller
    org: Organization
    by: User
    machine: Client = field(default_factory=Client)

    @property
    def books(self) -> Books:
        return self.sandbox.books

    @property
    def intent(self) -> Intent:
        return Intent.objects.get(wallet_id=self.org.pk)

    @property
    def charge(self) -> str:
        return str(self.books.oldest_first("charge")[-1]["id"])

    def of(self, kind: str) -> str:
        """The id of the newest of this kind at Stripe."""
        return str(self.books.oldest_first(kind)[-1]["id"])

    def opens(self) -> None:
        begin(self.org, self.by, 50_00)

    def pays(self, card: str = PAYS) -> None:
        self.sandbox.admin.pay(self.intent.checkout_id or "", card)

    def bought(self, card: str = PAYS) -> None:
        """Paid and in the ledger."""
        self.opens()
        self.pays(card)
        now = datetime.now(UTC)
        flows.payment_outcome(self.intent.pk, polling.ask(self.intent.pk, now=now), now=now)

    def told(self) -> list[Event]:
        return self.books.oldest_first("event")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens within, here or at Stripe, has not happened afterwards."""
        kept = copy.deepcopy((self.books._tables, self.books._seq, self.books._next))
        now = datetime.now(UTC)
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
        self.books._tables, self.books._seq, self.books._next = kept
        self.clock.move_to(now)


@contextmanager
def in_process(settings: Any, patch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The real library and the real gateway; the sandbox answers without a socket, and may be asked within a transaction."""
    sandbox = Sandbox()
    settings.STRIPE_SECRET_KEY = "sk_test_of_the_tests"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_of_the_tests"]
    client = library.StripeClient("sk_test_x", http_client=InProcessClient(sandbox), max_network_retries=0)
    patch.setattr(wire, "_client", lambda *how: client)
    patch.setattr(wire, "connection", SimpleNamespace(in_atomic_block=False))
    yield sandbox
    sandbox.close()


@dataclass(frozen=True)
class Story:
    """`before` is known to both sides. Then `steps` happen at Stripe, ten minutes apart, which tells of them in `tells`.

    The five events are named by type; a type that is told of twice is named twice.
    """

    name: str
    before: Callable[[Scene], object]
    steps: Sequence[Callable[[Scene], object]]
    tells: Sequence[str]

    def __str__(self) -> str:
        return self.name


def tell(scene: Scene, story: Story, order: Sequence[int], *, early: bool) -> None:
    """Tell the five events in this order, one of them twice; each is worked on before the next one comes.

    `early`: an event is told as soon as it can be, so Stripe has not come further than that; else all is over.
    """
    before, steps = len(scene.told()), list(story.steps)
    while steps and not early:
        _happens(scene, steps)
    for number, place in enumerate(order):
        while len(mine := _named(scene.told()[before:], story.tells)) <= place or mine[place] is None:
            _happens(scene, steps)
        event = mine[place]
        assert event is not None
        for _ in range(2 if number == order[0] else 1):
            assert post(event, client=scene.machine).status_code == 200
            inbox.process(now=datetime.now(UTC))
        if early:
            tasks.expire_grants()
    while steps:
        _happens(scene, steps)


def _happens(scene: Scene, steps: list[Callable[[Scene], object]]) -> None:
    scene.clock.shift(10 * MINUTE)
    steps.pop(0)(scene)
    with scene.sandbox.transaction():
        """Stripe does what has come due meanwhile."""


def _named(told: list[Event], types: Sequence[str]) -> list[Event | None]:
    """The events of these types, each where the story names it; None for what has not happened yet."""
    left = list(told)
    found: list[Event | None] = []
    for type in types:
        event = next((event for event in left if event["type"] == type), None)
        if event is not None:
            left.remove(event)
        found.append(event)
    return found


def ended(scene: Scene) -> picture.Picture:
    """The picture of the end, with refunds and disputes."""
    org = scene.org
    with transaction.atomic():
        seen = picture.of(org, scene.sandbox, now=datetime.now(UTC))
    return seen | {
        "failed refunds": sorted(Refund.objects.filter(wallet_id=org.pk).values_list("amount_cents", "failure_code")),
        "moved by disputes": sorted(
            DisputeMovement.objects.filter(wallet_id=org.pk).values_list("amount_cents", flat=True)
        ),
        "open disputes": Dispute.objects.filter(wallet_id=org.pk, closed_at=None).count(),
        "exhausted": list(
            CreditGrant.objects.filter(wallet_id=org.pk).values_list("account__exhausted", flat=True).order_by("pk")
        ),
    }


def declined_then_paid(scene: Scene) -> None:
    scene.pays(DECLINES)


STORIES: tuple[Story, ...] = (
    Story(
        "a purchase: one card is declined, another one pays",
        Scene.opens,
        [declined_then_paid, Scene.pays],
        [
            "payment_intent.created",
            "payment_intent.payment_failed",
            "payment_intent.succeeded",
            "checkout.session.completed",
            "charge.updated",
        ],
    ),
    Story(
        "a purchase that is given up",
        Scene.opens,
        [declined_then_paid, lambda scene: scene.clock.shift(40 * MINUTE)],
        [
            "payment_intent.created",
            "charge.failed",
            "payment_intent.payment_failed",
            "payment_intent.canceled",
            "checkout.session.expired",
        ],
    ),
    Story(
        "two refunds in the dashboard, one of which the bank sends back",
        Scene.bought,
        [
            lambda scene: scene.sandbox.admin.refund(scene.charge, amount=20_00),
            lambda scene: scene.sandbox.admin.refund(scene.charge, amount=5_00),
            lambda scene: scene.sandbox.admin.fail_refund(scene.of("refund")),
        ],
        ["refund.created", "charge.refunded", "refund.created", "refund.failed", "refund.updated"],
    ),
    Story(
        "a payment, its refund and its dispute, all before we have heard of any of them",
        Scene.opens,
        [
            Scene.pays,
            lambda scene: scene.sandbox.admin.refund(scene.charge, amount=20_00),
            lambda scene: scene.sandbox.admin.dispute(scene.charge, amount=30_00),
        ],
        [
            "payment_intent.succeeded",
            "checkout.session.completed",
            "refund.created",
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
        ],
    ),
    Story(
        "a dispute that is won",
        Scene.bought,
        [
            lambda scene: scene.sandbox.admin.dispute(scene.charge, inquiry=True),
            lambda scene: scene.sandbox.admin.escalate(scene.of("dispute")),
            lambda scene: scene.sandbox.admin.win(scene.of("dispute")),
        ],
        [
            "charge.dispute.created",
            "charge.dispute.updated",
            "charge.dispute.funds_withdrawn",
            "charge.dispute.closed",
            "charge.dispute.funds_reinstated",
        ],
    ),
)
GIVEN_UP, DISPUTE = STORIES[1], STORIES[-1]
