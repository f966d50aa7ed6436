"""Faults planted into the process that is killed: this suite must find each of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from unittest import mock
from uuid import uuid4

from django.db import transaction

from billing import flows
from billing.payments import answers, gateway
from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent, InboxState


@contextmanager
def _usage_is_taken_before_it_is_charged() -> Iterator[None]:
    """The sweep without its transaction: what was accepted is gone before anything has paid for it."""
    with mock.patch("billing.metering.charging.transaction", SimpleNamespace(atomic=nullcontext)):
        yield


@contextmanager
def _a_refund_has_no_key_of_its_own() -> Iterator[None]:
    """Stripe is asked under another key each time, so it cannot know that it is asked again."""
    create = gateway.create_refund

    def under_any_key(new: gateway.NewRefund, *, key: str) -> answers.Refund:
        return create(new, key=uuid4().hex)

    with mock.patch.object(gateway, "create_refund", under_any_key):
        yield


@contextmanager
def _a_renewal_is_charged_under_any_key() -> Iterator[None]:
    """The same for a card: who asks what became of a charge makes another one."""
    charge = gateway.charge_card

    def under_any_key(new: gateway.NewCardCharge, *, key: str) -> answers.Payment:
        return charge(new, key=uuid4().hex)

    with mock.patch.object(gateway, "charge_card", under_any_key):
        yield


@contextmanager
def _a_refund_is_asked_before_it_is_committed() -> Iterator[None]:
    """One transaction around everything, Stripe included: a crash takes back what we know, and not what Stripe did."""
    with (
        mock.patch.object(flows, "refund", transaction.atomic(flows.refund)),
        mock.patch("billing.payments.gateway.wire.connection", SimpleNamespace(in_atomic_block=False)),
    ):
        yield


@contextmanager
def _messages_are_done_before_they_are_worked_on() -> Iterator[None]:
    """The inbox takes up all that is there and crosses it off, then begins."""
    claim = inbox._claim
    taken: list[InboxEvent] = []

    def crossed_off(now: datetime) -> InboxEvent | None:
        if not taken:
            with transaction.atomic():
                while (event := claim(now)) is not None:
                    taken.append(event)
                InboxEvent.objects.filter(state=InboxState.NEW).update(state=InboxState.DONE, done_at=now)
        return taken.pop(0) if taken else None

    with mock.patch.object(inbox, "_claim", crossed_off):
        yield


@dataclass(frozen=True)
class Plant:
    """A guard taken out, the path on which that shows, and what it does there: `lost` or `doubled`."""

    without: Callable[[], AbstractContextManager[None]]
    path: str
    harm: str


PLANTS = {
    "usage is taken before it is charged": Plant(_usage_is_taken_before_it_is_charged, "charge usage", "lost"),
    "a refund has no key of its own": Plant(_a_refund_has_no_key_of_its_own, "refund", "doubled"),
    "a refund is asked before it is committed": Plant(_a_refund_is_asked_before_it_is_committed, "refund", "doubled"),
    # Stripe took it twice, and one of the two is nowhere here.
    "a renewal is charged under any key": Plant(_a_renewal_is_charged_under_any_key, "renew unheard", "lost"),
    # What went back at Stripe is still in the ledger, so there is more in it than at Stripe.
    "messages are done before they are worked on": Plant(
        _messages_are_done_before_they_are_worked_on, "refund at Stripe", "doubled"
    ),
}


def planted(name: str) -> AbstractContextManager[None]:
    """Within this block the fault of that name is there; none where the name is empty."""
    return PLANTS[name].without() if name else nullcontext()
