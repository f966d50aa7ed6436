"""What the links in a mail about auto-recharge carry: signed, so that nobody makes one up; they let do one thing each."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core import signing

from billing.recharge.models import LINK_VALID, Attempt, Rule

STOP, FINISH = signing.Signer(salt="billing.recharge.stop"), signing.Signer(salt="billing.recharge.finish")


class LinkOver(ValueError):
    """The link was not made here, or is not good any more. The message is for whoever followed it."""


@dataclass(frozen=True, slots=True)
class StopLink:
    org_id: int
    consent_id: int


def stop_token(org_id: int, consent_id: int) -> str:
    """Lets switch off what was agreed to then, and nothing that was agreed to later."""
    return STOP.sign_object({"o": org_id, "c": consent_id})


def finish_token(attempt_id: UUID) -> str:
    """Lets pay what the bank wanted confirmed. Good for 72 hours from the refusal."""
    return FINISH.sign_object({"a": str(attempt_id)})


def read_stop(token: str, now: datetime) -> StopLink:
    """Raises `LinkOver` when it is none of ours, or is about an earlier agreement."""
    told = _read(STOP, token)
    link = StopLink(int(told["o"]), int(told["c"]))
    if not Rule.objects.filter(wallet_id=link.org_id, consent_id=link.consent_id).exists():
        raise LinkOver("Auto-recharge was set anew since this mail was sent. Switch it off in the portal.")
    return link


def read_finish(token: str, now: datetime) -> UUID:
    """The attempt. Raises `LinkOver` when it is none of ours, or older than 72 hours."""
    attempt_id = UUID(_read(FINISH, token)["a"])
    attempt = Attempt.objects.select_related("intent").filter(pk=attempt_id).first()
    settled_at = attempt.intent.settled_at if attempt else None
    if settled_at is None or now > settled_at + LINK_VALID:
        raise LinkOver("This link was good for 72 hours. Switch auto-recharge on again in the portal.")
    return attempt_id


def _read(signer: signing.Signer, token: str) -> dict[str, str]:
    try:
        told: dict[str, str] = signer.unsign_object(token)
    except (signing.BadSignature, ValueError) as error:
        raise LinkOver("This link is not one of ours. Copy it whole from the mail.") from error
    return told
