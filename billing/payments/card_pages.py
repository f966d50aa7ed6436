"""Stripe's page to save a card on: opening it, and asking what became of it.

What is meant is committed first, then Stripe is called, outside any transaction, with the card setup's id as its key: asked
again after an unknown outcome, it answers the same page. What Stripe says is only brought here; applying it is
`card_setups.settle`, by way of `billing.flows`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from billing.payments import customers, gateway
from billing.payments.answers import CardPage
from billing.payments.card_setups import OPEN_SETUPS, CardSetup, Ended, Outcome, SetupState, Unknown, of_page
from billing.payments.collecting import CHECKOUT_OPEN_FOR, SAME_KEY_FOR
from billing.payments.models import Customer
from orgs.models import Organization

log = structlog.get_logger(__name__)

AT_ONCE = 200
LEAVE_ALONE = timedelta(seconds=45)
"""A page this young is probably being opened by the request that asked for it."""

DUE = """
SELECT id FROM card_setup
WHERE state = ANY(%(open)s) AND created_at <= %(left_alone)s
    AND (checked_at IS NULL
        OR checked_at <= %(now)s::timestamptz - greatest('15 s', least('30 min', (%(now)s::timestamptz - created_at) / 20)))
ORDER BY checked_at NULLS FIRST, created_at
LIMIT %(at_once)s
"""
TROUBLES = (gateway.Unknown, gateway.Refused, gateway.Declined)


class FormUsedBefore(ValueError):
    """The form belongs to another organization's page."""


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody wants to add a card. `nonce` is the form's own: the same form sent twice opens one page."""

    org_id: int
    nonce: UUID
    asked_by: int


class Apply(Protocol):
    """How an outcome is made so: `flows.card_saved`, which lies above this room."""

    def __call__(self, setup_id: UUID, outcome: Outcome, *, now: datetime) -> object: ...


def begin(order: Order, *, now: datetime) -> CardSetup:
    """Commit what is meant, before Stripe hears of it. The same form again answers the same."""
    key = f"card:{order.nonce.hex}"
    try:
        with transaction.atomic():
            return CardSetup.objects.create(
                wallet_id=order.org_id,
                key=key,
                created_by_id=order.asked_by,
                created_at=now,
                deadline=now + CHECKOUT_OPEN_FOR,
            )
    except IntegrityError:
        earlier = CardSetup.objects.get(key=key)
    if earlier.wallet_id != order.org_id:
        raise FormUsedBefore
    return earlier


def poll(apply: Apply, *, now: datetime) -> int:
    """Ask about every open page that is due; answers how many could be asked. One that fails does not stop the others."""
    asked = 0
    for setup_id in due(now=now):
        try:
            apply(setup_id, ask(setup_id, now=now), now=now)
            asked += 1
        except Exception:
            log.exception("card_setup_not_polled", setup=str(setup_id))
    return asked


def due(*, now: datetime) -> list[UUID]:
    open_states = [state.value for state in OPEN_SETUPS]
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"open": open_states, "now": now, "left_alone": now - LEAVE_ALONE, "at_once": AT_ONCE})
        return [setup_id for (setup_id,) in cursor.fetchall()]


def ask(setup_id: UUID, *, now: datetime) -> Outcome:
    """What Stripe says of it now; a page that was open too long is closed before it is believed, one that is not there yet
    is opened. Never raises for Stripe's troubles: they are the outcome Unknown."""
    setup = CardSetup.objects.get(pk=setup_id)
    if setup.page_id:
        return _look(setup, setup.page_id, close=now >= setup.deadline)
    if setup.called_at is None and now >= setup.deadline:
        # Stripe never heard of it: there is nothing to ask about.
        return Ended("not_opened")
    return open_page(setup_id, now=now)


def cancel(setup_id: UUID, *, now: datetime) -> Outcome:
    """The customer does not want to after all: close the page. Was the card given a moment before, then it is saved."""
    setup = CardSetup.objects.get(pk=setup_id)
    if setup.state != SetupState.WAITING or not setup.page_id:
        return ask(setup_id, now=now)
    outcome = _look(setup, setup.page_id, close=True)
    return Ended("canceled") if isinstance(outcome, Ended) else outcome


def open_page(setup_id: UUID, *, now: datetime) -> Outcome:
    """Ask Stripe for the page, or ask again: the same key and values, so there is only ever one."""
    setup, asked_before = _note_call(setup_id, now)
    if asked_before and now - (setup.called_at or now) > SAME_KEY_FOR:
        return _find(setup, over=True)
    try:
        return of_page(_ask_for_page(setup, now))
    except gateway.Unknown as error:
        log.warning("card_page_unknown", setup=str(setup_id), error=str(error))
        # After its deadline the page cannot come to be any more: Stripe refuses pages that close in the past.
        return _find(setup, over=now >= setup.deadline) if asked_before else Unknown()
    except (gateway.Refused, gateway.Declined) as error:
        log.error("card_page_refused", setup=str(setup_id), code=error.code, error=error.message)
        # A first call that is refused had no effect. Of a repeated one only a look tells: the first may have had one.
        return _find(setup, over=True) if asked_before else Ended("not_opened")


def _note_call(setup_id: UUID, now: datetime) -> tuple[CardSetup, bool]:
    """Commit that Stripe is about to be asked; answers whether it was asked before."""
    with transaction.atomic():
        setup = CardSetup.objects.select_for_update(of=("self",)).select_related("created_by").get(pk=setup_id)
        asked_before = setup.called_at is not None
        if not asked_before:
            setup.called_at = now
            setup.save(update_fields=["called_at"])
    return setup, asked_before


def _ask_for_page(setup: CardSetup, now: datetime) -> CardPage:
    organization = Organization.objects.get(pk=setup.wallet_id)
    here = reverse("billing:card_setup", kwargs={"slug": organization.slug, "setup_id": setup.pk})
    new = gateway.NewCardPage(
        setup_id=setup.pk,
        customer_id=customers.at_stripe(organization, setup.created_by.email, cause=setup.pk, now=now),
        expires_at=setup.deadline,
        return_url=f"{settings.PUBLIC_URL}{here}?returned=1",
        cancel_url=f"{settings.PUBLIC_URL}{here}",
    )
    return gateway.create_card_page(new, key=f"{setup.pk}:1")


def _find(setup: CardSetup, *, over: bool) -> Outcome:
    """What Stripe has for it. Its page; or nothing, which is final only when it is `over`."""
    customer = Customer.objects.filter(wallet_id=setup.wallet_id).first()
    try:
        found = customer and gateway.find_card_page(
            customer.stripe_id, setup.pk, since=setup.created_at - timedelta(hours=1)
        )
    except TROUBLES as error:
        log.warning("card_page_not_looked_up", setup=str(setup.pk), error=str(error))
        return Unknown()
    if found:
        return of_page(found)
    return Ended("not_opened") if over else Unknown()


def _look(setup: CardSetup, page_id: str, *, close: bool) -> Outcome:
    try:
        page = gateway.read_card_page(page_id)
        if close and page.status == "open":
            try:
                gateway.expire_checkout(page_id)
            except gateway.Refused:
                # Used or closed in this very moment: the second look tells which.
                log.info("card_page_closed_meanwhile", setup=str(setup.pk))
            page = gateway.read_card_page(page_id)
    except TROUBLES as error:
        log.warning("card_page_not_read", setup=str(setup.pk), error=str(error))
        return Unknown()
    return of_page(page)
