"""Why 402: for a person who is signed in, in words, over all the organizations that person belongs to.

Only here may a sentence name another organization than the key's own: the reader is a member of both. What gateways and
the key's holder are told stands in `remedies`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from billing import wording
from billing.coverage.models import Payer
from billing.limits import remedies
from billing.limits.answers import Answer, ModelAnswer, Reason
from billing.limits.entitlements import Picture

State = Literal["ok", "failed", "ended"]


@dataclass(frozen=True)
class Place:
    """One of the reader's organizations. `available` in USD."""

    id: int
    slug: str
    name: str
    personal: bool
    role: str
    available: Decimal

    @property
    def has_credit(self) -> bool:
        return self.available > 0


@dataclass(frozen=True)
class Step:
    """One question in the order in which it was decided, and what was found."""

    state: State
    question: str
    found: str


def headline(answer: Answer, home: Place, others: Sequence[Place]) -> str:
    """Why a key gets what it gets, in one or two sentences."""
    if answer.remedy is not None:
        return answer.remedy
    reason = _most_telling(answer.models)
    if reason is None:
        return f"This key works. It belongs to {home.name}, {_has(home)}."
    if reason != Reason.NO_CREDIT:
        return next(model.remedy for model in answer.models if model.reason == reason) or ""
    elsewhere = [place.name for place in others if place.has_credit]
    hint = f" Your credit is in {_listed(elsewhere)}." if elsewhere else ""
    return f"This key belongs to {home.name}, which has no credit.{hint}"


def refused(models: Iterable[ModelAnswer]) -> list[ModelAnswer]:
    """The models that something can be done about: those that ended are not among them."""
    return [model for model in models if model.reason not in (None, Reason.MODEL_RETIRED)]


def steps(picture: Picture, home: Place, answer: Answer, now: datetime) -> list[Step]:
    """How it was decided: the key, who covers, free usage, credit, cap."""
    decided = [Step("failed" if answer.remedy else "ok", "Key known, not revoked, not expired", _key(picture, answer))]
    for payer, what in ((Payer.SUBSCRIPTION, "Covered by a plan"), (Payer.CONTRACT, "Covered by a contract")):
        live = [span for span in picture.spans if span.payer == payer and span.valid_from <= now < span.valid_to]
        found = f"{len(live)} of its models" if live else f"{home.name} has none"
        decided.append(Step("ok" if live else "ended", what, found))
    if home.personal:
        decided.append(Step("ok", "Free usage", "While it has no credit, at the limits of the free tier"))
    else:
        decided.append(Step("ended", "Free usage", f"Personal organizations only, {home.name} is a Team"))
    decided.append(Step("ok" if home.has_credit else "failed", "Credit above zero", wording.usd_down(home.available)))
    if picture.owes or picture.disputed:
        found = "Taken back after it was used, and owed" if picture.owes else "Held until the dispute is decided"
        decided.append(Step("failed" if picture.closed_by_dispute else "ok", "No payment is disputed", found))
    if picture.unpaid:
        decided.append(Step("failed", "Month ends paid", "What was used beyond the credit could not be charged"))
    if picture.cap is not None:
        spent = f"{wording.usd(picture.spent)} of {wording.usd(picture.cap)} spent this month"
        decided.append(Step("failed" if picture.capped else "ok", "Spend below the key's cap", spent))
    return decided


def keys_of(place: Place) -> str:
    """What any key of this organization is told, in a few words."""
    if place.has_credit:
        return "Pay as you go"
    return "Free usage" if place.personal else "402, no credit"


def _most_telling(models: Iterable[ModelAnswer]) -> Reason | None:
    order = (
        Reason.CONTRACT_PAST_DUE,
        Reason.CONTRACT_OVERAGE_LIMIT,
        Reason.PLAN_DISPUTED,
        Reason.PLAN_PAST_DUE,
        Reason.PAYMENT_DISPUTED,
        Reason.SETTLEMENT_UNPAID,
        Reason.NO_CREDIT,
        Reason.KEY_CAP,
        Reason.DAILY_ALLOWANCE,
        Reason.NOT_OFFERED,
    )
    said = {model.reason for model in refused(models)}
    return next((reason for reason in order if reason in said), None)


def _has(home: Place) -> str:
    if home.has_credit:
        return f"which has {wording.usd_down(home.available)} of credit"
    return "which has free usage" if home.personal else "which is covered without credit"


def _key(picture: Picture, answer: Answer) -> str:
    if answer.reason is not None:
        return remedies.for_key(answer.reason, picture.expires_at).partition(".")[0]
    return wording.short_id(picture.public_id)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
