"""Switching auto-recharge on, off, and to other amounts: with who agreed to what, in which words, written down for good.

Everything here runs in the caller's transaction under the wallet's lock.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from billing.money import from_cents
from billing.payments import card_charges, disputes
from billing.payments.models import PaymentMethod
from billing.recharge import levels, telling
from billing.recharge.models import LEAST_CENTS, LEAST_LIFT_CENTS, MOST_CENTS, Consent, Rule, Standing, Why

log = structlog.get_logger(__name__)

CAP_MOST_CENTS = 100 * MOST_CENTS
PER_DAY_MOST = 50


class WishRefused(ValueError):
    """These amounts or this card cannot be agreed to. `field` is the one to look at; the message is for the customer."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ChangedMeanwhile(ValueError):
    """The rule is not the one that was on the page any more. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__("Auto-recharge was changed since this page was opened. Look at it again.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the customer wants. `cap_cents` None: no cap per calendar month. `method_id`: which saved card."""

    threshold_cents: int
    recharge_to_cents: int
    method_id: int
    cap_cents: int | None = None
    per_day: int = 5


def of(org_id: int) -> Rule | None:
    return Rule.objects.select_related("method", "consent").filter(wallet_id=org_id).first()


def locked(org_id: int) -> Rule | None:
    """To be changed. The wallet's lock comes first."""
    return Rule.objects.select_for_update(of=("self",)).select_related("method").filter(wallet_id=org_id).first()


def wording(wish: Wish, card: str) -> str:
    """What is agreed to, in the words that are shown and kept."""
    cap = (
        "" if wish.cap_cents is None else f" No more than {_usd(wish.cap_cents)} is charged in a calendar month (UTC)."
    )
    return (
        f"I allow the card {card} to be charged without asking me again whenever usage takes the balance below"
        f" {_usd(wish.threshold_cents)}: each time the amount that lifts it to {_usd(wish.recharge_to_cents)}, what is"
        f" overdrawn included, up to {_usd(MOST_CENTS)} at once and {wish.per_day} times a day.{cap}"
        " I can switch this off at any time. Purchases of credit are final."
    )


def check(org_id: int, wish: Wish, *, now: datetime) -> PaymentMethod:
    """The card. Raises `WishRefused`."""
    if wish.threshold_cents < LEAST_CENTS:
        raise WishRefused("threshold", f"The lowest threshold is {_usd(LEAST_CENTS)}.")
    least = wish.threshold_cents + LEAST_LIFT_CENTS
    if not least <= wish.recharge_to_cents <= MOST_CENTS:
        raise WishRefused(
            "recharge_to", f"Recharge to at least {_usd(least)} ({_usd(LEAST_LIFT_CENTS)} above the threshold) and"
            f" at most {_usd(MOST_CENTS)}.",
        )  # fmt: skip
    if wish.cap_cents is not None and not LEAST_LIFT_CENTS <= wish.cap_cents <= CAP_MOST_CENTS:
        raise WishRefused("cap", f"A cap is from {_usd(LEAST_LIFT_CENTS)} to {_usd(CAP_MOST_CENTS)} a month.")
    if not 1 <= wish.per_day <= PER_DAY_MOST:
        raise WishRefused("per_day", f"Charges per day are from 1 to {PER_DAY_MOST}.")
    card = PaymentMethod.objects.filter(wallet_id=org_id, pk=wish.method_id).first()
    if card is None or not card_charges.is_usable(card, now=now):
        raise WishRefused("card", "Choose a saved card that has not expired.")
    if disputes.open_for(org_id):
        raise WishRefused("card", "A payment is disputed: until that is decided no card is charged.")
    return card


def switch_on(org_id: int, wish: Wish, *, by: int, version: int | None = None, now: datetime) -> Rule:
    """Agree to a rule: the first one, other amounts, or on again after a pause. What is low now is low by agreement.

    `version`: of the rule that was on the page (0: there was none); None: whatever it is. Raises `WishRefused`,
    `ChangedMeanwhile`.
    """
    rule = locked(org_id)
    if version is not None and version != (rule.version if rule else 0):
        raise ChangedMeanwhile
    card = check(org_id, wish, now=now)
    consent = Consent.objects.create(
        wallet_id=org_id, user_id=by, at=now, wording=wording(wish, str(card)), threshold_cents=wish.threshold_cents,
        recharge_to_cents=wish.recharge_to_cents, cap_cents=wish.cap_cents, per_day=wish.per_day, card=str(card),
    )  # fmt: skip
    if rule is None:
        rule = Rule(wallet_id=org_id, version=0)
    rule.threshold_cents, rule.recharge_to_cents = wish.threshold_cents, wish.recharge_to_cents
    rule.cap_cents, rule.per_day = wish.cap_cents, wish.per_day
    rule.method, rule.consent = card, consent
    stand(rule, Standing.ON, now=now)
    levels.usage_charged([org_id], now=now)
    telling.changed(rule, now=now)
    return rule


def switch_off(org_id: int, why: Why = Why.CUSTOMER, *, version: int | None = None, now: datetime) -> Rule | None:
    """No card is charged any more; a charge that is under way goes on. None: there is no rule. Raises `ChangedMeanwhile`."""
    rule = locked(org_id)
    if rule is None or rule.standing == Standing.OFF:
        return rule
    if version is not None and version != rule.version:
        raise ChangedMeanwhile
    stand(rule, Standing.OFF, why, now=now)
    telling.changed(rule, now=now)
    return rule


def stand(rule: Rule, standing: Standing, why: Why | None = None, *, now: datetime) -> None:
    """On, off or paused from now on, with no retry waiting; the version counts it."""
    rule.standing, rule.why, rule.since = standing, why or "", now
    rule.version += 1
    rule.ladder, rule.rung, rule.retry_at, rule.low_since = None, 0, None, None
    rule.save()
    log.info("recharge_rule", org_id=rule.wallet_id, standing=standing.value, why=rule.why, version=rule.version)


def _usd(cents: int) -> str:
    return f"${from_cents(cents):,.2f}"
