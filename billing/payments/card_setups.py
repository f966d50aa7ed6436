"""Saving a card without paying: what was begun, and the one function that makes it so when Stripe has the card.

The return page's check, the webhook and the poller all come here. Whoever is first does it; the others find it done.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from billing.ledger import wallets
from billing.ledger.models import Wallet
from billing.payments import declines, methods
from billing.payments.answers import Card, CardPage
from billing.payments.models import PaymentMethod

log = structlog.get_logger(__name__)


class SetupState(models.TextChoices):
    """It moves down this list only (trigger). A card that is saved at Stripe after all is saved here too."""

    CREATED = "created", "Created"
    UNKNOWN = "unknown", "Outcome unknown"
    WAITING = "waiting", "Waiting for the customer"
    ENDED = "ended", "Not saved"
    SAVED = "saved", "Saved"


OPEN_SETUPS = (SetupState.CREATED, SetupState.UNKNOWN, SetupState.WAITING)
LADDER = tuple(SetupState)


class CardSetup(models.Model):
    """Somebody is adding a card, written before Stripe hears of it. `key` is the form's own: `card:{nonce}`.

    Its id travels in Stripe's metadata. `method` is the card that came of it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, db_column="org_id", related_name="card_setups")
    state = models.CharField(max_length=8, choices=SetupState, default=SetupState.CREATED)
    key = models.CharField(max_length=120, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    deadline = models.DateTimeField()
    called_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    page_id = models.CharField("session at Stripe", max_length=128, unique=True, null=True)
    page_url = models.TextField(blank=True, default="")
    failure_code = models.CharField(max_length=64, blank=True, default="")
    method = models.ForeignKey(PaymentMethod, models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "card_setup"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=SetupState.values), name="card_setup_state_known"),
            models.CheckConstraint(
                condition=Q(state=SetupState.SAVED, method__isnull=False)
                | ~Q(state=SetupState.SAVED) & Q(method__isnull=True),
                name="card_setup_saved_has_card",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], condition=Q(state__in=OPEN_SETUPS), name="card_setup_open")]

    def __str__(self) -> str:
        return str(self.id)


# --- What may be said of it --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Saved:
    card: Card


@dataclass(frozen=True, slots=True)
class Waiting:
    """The customer can give the card at `url` until `deadline`. `declined`: the code of the last attempt that failed."""

    page_id: str
    url: str
    deadline: datetime
    declined: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """Over, and no card was saved. `code`: canceled, expired, not_opened, or that of the last refused attempt."""

    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could say. It is asked again."""


Outcome = Saved | Waiting | Ended | Unknown


def of_page(page: CardPage) -> Outcome:
    """What Stripe's page says."""
    declined = page.decline.code if page.decline else ""
    if page.card is not None:
        return Saved(page.card)
    if page.status == "open":
        return Waiting(page.id, page.url, page.expires_at, declined)
    if page.status == "expired":
        return Ended(declined or "expired")
    return Unknown()


WORDS = {
    "expired": "The page closed after 30 minutes without a card.",
    "canceled": "You canceled it.",
    "not_opened": "We could not open Stripe's page. This has nothing to do with your card.",
    "authentication_required": "Your bank asked you to confirm the card, and it was not confirmed.",
    "setup_intent_authentication_failure": "Your bank asked you to confirm the card, and it was not confirmed.",
}
BANK_SAID_NO = (
    "Your bank does not let the card be saved and gave no reason. It can tell you why, or you can use another card."
)


def reason(code: str) -> str:
    """Why no card was saved, for the person who wanted to save it."""
    return WORDS.get(code) or declines.REASONS.get(code, BANK_SAID_NO)


# --- Making it so ----------------------------------------------------------------------------------------------------


def exists(setup_id: UUID) -> bool:
    return CardSetup.objects.filter(pk=setup_id).exists()


@transaction.atomic
def settle(setup_id: UUID, outcome: Outcome, *, now: datetime) -> CardSetup | None:
    """Apply what became of it, once; None when it is not ours. Locks the wallet, then the row."""
    org_id = CardSetup.objects.filter(pk=setup_id).values_list("wallet_id", flat=True).first()
    if org_id is None:
        return None
    wallets.lock([org_id])
    setup = CardSetup.objects.select_for_update().get(pk=setup_id)
    if setup.state == SetupState.SAVED or (setup.state == SetupState.ENDED and not isinstance(outcome, Saved)):
        return setup
    before = setup.state
    _move(setup, outcome, now)
    setup.checked_at = now
    setup.settled_at = None if setup.state in OPEN_SETUPS else now
    setup.save()
    if setup.state != before:
        log.info("card_setup_moved", setup=str(setup_id), before=str(before), after=str(setup.state))
    return setup


def _move(setup: CardSetup, outcome: Outcome, now: datetime) -> None:
    """One step further down the ladder; never back up."""
    wanted, code = SetupState(setup.state), setup.failure_code
    match outcome:
        case Saved():
            setup.method = methods.save(setup.wallet_id, outcome.card, now=now, tell=True)
            wanted, code = SetupState.SAVED, ""
        case Waiting():
            wanted, code = SetupState.WAITING, outcome.declined
            setup.page_id, setup.page_url, setup.deadline = outcome.page_id, outcome.url, outcome.deadline
        case Ended():
            wanted, code = SetupState.ENDED, outcome.code
        case Unknown() if setup.state == SetupState.CREATED:
            wanted = SetupState.UNKNOWN
    setup.state, setup.failure_code = wanted, code
