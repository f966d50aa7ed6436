"""A new billing address is asked whether it wants the mail, and gets none before it said yes.

Whoever asked for it is written down. Until it is confirmed, mail goes where it went before. The letter to it goes out as
every other does; its link is signed, good for 72 hours, and for the newest letter alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core import signing
from django.db import transaction

from billing.ledger import wallets
from billing.notices.announcing import Facts, announce
from billing.notices.models import Kind, Notice, NoticeSettings

log = structlog.get_logger(__name__)

VALID = timedelta(hours=72)
PAUSE = timedelta(minutes=1)
"""Between two letters of an organization."""
MOST_A_DAY = 5
SIGNER = signing.Signer(salt="billing.notices.billing_email")


class TooManyLetters(ValueError):
    """Nobody's mailbox is to be filled from here. The message is for who asked."""


class LinkOver(ValueError):
    """The link was not made here, or is not good any more. The message is for whoever followed it."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a good link opens. `confirmed`: it was used before."""

    org_id: int
    email: str
    confirmed: bool


def ask(wishes: NoticeSettings, email: str, *, by: int, now: datetime) -> None:
    """Write down that `email` is to be the billing address, and send it a letter. Saved by the caller, under the wallet's
    lock. The address that is in use, or none at all, needs no letter. Raises `TooManyLetters`."""
    if email in ("", wishes.billing_email):
        wishes.billing_email = email
        if wishes.asked_email:
            _forget(wishes)
        return
    if email == wishes.asked_email:
        return
    _write(wishes, email, by=by, now=now)


def again(org_id: int, *, by: int, now: datetime) -> bool:
    """Send the letter once more, with a new link; False when no address waits. Raises `TooManyLetters`."""
    with transaction.atomic():
        wallets.lock([org_id])
        wishes = NoticeSettings.objects.filter(pk=org_id).first()
        if wishes is None or not wishes.asked_email:
            return False
        _write(wishes, wishes.asked_email, by=by, now=now)
        wishes.save()
        return True


def read(token: str, now: datetime) -> Link:
    """Raises `LinkOver`."""
    org_id, number = _unsigned(token)
    wishes = NoticeSettings.objects.filter(pk=org_id, asked_number=number).first()
    if wishes is None:
        raise LinkOver("Another letter was sent since, or the address is not asked for any more.")
    if not wishes.asked_email:
        return Link(org_id, wishes.billing_email, confirmed=True)
    if wishes.asked_at is None or now > wishes.asked_at + VALID:
        raise LinkOver("This link was good for 72 hours. Whoever asked can send it again from the Alerts page.")
    return Link(org_id, wishes.asked_email, confirmed=False)


def confirm(token: str, *, now: datetime) -> Link:
    """From now on mail goes there; twice is once. Raises `LinkOver`."""
    with transaction.atomic():
        wallets.lock([_unsigned(token)[0]])
        link = read(token, now)
        if not link.confirmed:
            wishes = NoticeSettings.objects.get(pk=link.org_id)
            wishes.billing_email, wishes.changed_at = wishes.asked_email, now
            _clear(wishes)
            wishes.save()
            log.info("billing_email_confirmed", org_id=link.org_id)
        return Link(link.org_id, link.email, confirmed=True)


def waits_for(notice: Notice, wishes: NoticeSettings | None) -> str:
    """The address that this letter is for; nothing when it is not asked for any more, or by a later letter."""
    if wishes is None or notice.facts.get("number") != wishes.asked_number:
        return ""
    return wishes.asked_email


def _write(wishes: NoticeSettings, email: str, *, by: int, now: datetime) -> None:
    sent = Notice.objects.filter(wallet=wishes.wallet_id, kind=Kind.BILLING_EMAIL)
    if sent.filter(created_at__gt=now - timedelta(days=1)).count() >= MOST_A_DAY:
        raise TooManyLetters(f"{MOST_A_DAY} letters were sent within a day. Send it again tomorrow.")
    if sent.filter(created_at__gt=now - PAUSE).exists():
        raise TooManyLetters("A letter was sent a moment ago. Wait a minute, then send it again.")
    wishes.asked_email, wishes.asked_by_id, wishes.asked_at = email, by, now
    wishes.asked_number += 1
    facts: Facts = {
        "number": wishes.asked_number,
        "token": SIGNER.sign_object({"o": wishes.wallet_id, "n": wishes.asked_number}),
        "until": (now + VALID).isoformat(),
    }
    announce(
        wishes.wallet_id, Kind.BILLING_EMAIL, key=f"{wishes.wallet_id}:{wishes.asked_number}", facts=facts, now=now
    )
    log.info("billing_email_asked", org_id=wishes.wallet_id, by=by, number=wishes.asked_number)


def _forget(wishes: NoticeSettings) -> None:
    """Not asked for any more: links to it are over."""
    wishes.asked_number += 1
    _clear(wishes)


def _clear(wishes: NoticeSettings) -> None:
    wishes.asked_email, wishes.asked_by, wishes.asked_at = "", None, None


def _unsigned(token: str) -> tuple[int, int]:
    try:
        told: dict[str, int] = SIGNER.unsign_object(token)
        return int(told["o"]), int(told["n"])
    except (signing.BadSignature, ValueError, KeyError, TypeError) as error:
        raise LinkOver("This link is not one of ours. Copy it whole from the mail.") from error
