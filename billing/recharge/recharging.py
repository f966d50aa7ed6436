"""Charging when the balance is low: decided and written down under the wallet's lock, charged outside, heard of afterwards.

However many ask at once, one of them finds the balance low with nothing on its way; the others find its charge (A14).
"""

from datetime import datetime
from uuid import UUID, uuid4

import structlog

from billing.payments import card_charges, disputes
from billing.payments.card_charges import CannotCharge, CardOrder
from billing.payments.models import Intent, Purpose, State
from billing.payments.outcomes import Settled
from billing.recharge import cards, figures, finishing, ladder, levels, policy, rules, telling
from billing.recharge.models import Attempt, Rule, Standing, Why
from billing.recharge.policy import Charge, Nothing, Situation, Stop, WhyNot

log = structlog.get_logger(__name__)

due = levels.due
"""Organizations to look at now, found by one query."""


def organization(attempt_id: UUID) -> int:
    return Attempt.objects.values_list("wallet_id", flat=True).get(pk=attempt_id)


def begin(org_id: int, *, now: datetime) -> UUID | None:
    """Write down a charge if one is due; answers the payment to be made, or None. The wallet is locked; everything used
    is drawn or will be asked about again."""
    rule = rules.locked(org_id)
    if rule is None or rule.standing != Standing.ON:
        return None
    if not card_charges.is_usable(rule.method, now=now):
        ladder.pause(rule, Why.NO_CARD, None, telling.reason(Why.NO_CARD), now=now)
        return None
    situation = figures.situation(org_id, rule, now=now)
    match policy.decide(figures.terms(rule), situation, on=True, now=now):
        case Charge() as charge:
            return _write_down(rule, situation, charge, now)
        case Stop():
            _stop(rule, now)
        case Nothing(WhyNot.CAP_REACHED):
            telling.cap_reached(rule, now=now)
        case Nothing(WhyNot.ABOVE):
            credit_came(rule, now=now)
    return None


def heard(settled: Settled, *, now: datetime) -> None:
    """What became of a payment of an organization, in the transaction that settled it: of a recharge, of what finishes one,
    or of any other that brings credit."""
    if not settled.changed:
        return
    rule = rules.locked(settled.org_id)
    if rule is None:
        return
    cards.saved_again(rule)
    if settled.credited:
        credit_came(rule, now=now)
    intent = Intent.objects.get(pk=settled.intent_id)
    if intent.purpose == Purpose.RECHARGE:
        _heard_of(Attempt.objects.get(intent=intent), intent, rule, now)
    elif settled.credited and intent.key.startswith(finishing.KEY):
        finishing.paid(intent, rule, now=now)


def credited(org_id: int, *, now: datetime) -> None:
    """Credit came that was not paid for. The wallet is locked."""
    if rule := rules.locked(org_id):
        credit_came(rule, now=now)


def credit_came(rule: Rule, *, now: datetime) -> None:
    """Any credit that settles ends the retries (A15), and the mark where it lifts the balance enough. Wallet locked."""
    if rule.ladder is not None:
        ladder.end(rule)
    levels.lifted([rule.wallet_id], now=now)
    rule.refresh_from_db(fields=["low_since"])


def dispute_opened(org_id: int, *, now: datetime) -> None:
    """A payment is disputed: no card is charged by itself any more, until somebody switches it on again (A2). The wallet is
    locked."""
    rule = rules.locked(org_id)
    if rule is None or rule.standing == Standing.OFF or not disputes.open_for(org_id):
        return
    rules.stand(rule, Standing.OFF, Why.DISPUTE, now=now)
    telling.paused(rule, telling.reason(Why.DISPUTE), now=now)


def _write_down(rule: Rule, situation: Situation, charge: Charge, now: datetime) -> UUID | None:
    attempt_id = uuid4()
    order = CardOrder(rule.wallet_id, Purpose.RECHARGE, charge.cents, f"recharge:{attempt_id}", rule.method_id)
    try:
        intent = card_charges.commit(order, now=now)
    except CannotCharge as error:
        log.warning("recharge_not_begun", org_id=rule.wallet_id, why=type(error).__name__)
        return None
    retrying = rule.ladder is not None
    Attempt.objects.create(
        id=attempt_id, wallet_id=rule.wallet_id, intent=intent, consent_id=rule.consent_id, at=now,
        balance=situation.available, pending_cents=situation.pending_cents, threshold_cents=rule.threshold_cents,
        recharge_to_cents=rule.recharge_to_cents, amount_cents=charge.cents, capped=charge.capped,
        ladder=rule.ladder or attempt_id, rung=rule.rung + 1 if retrying else 0,
    )  # fmt: skip
    if retrying:
        ladder.climb(rule)
    log.info("recharge_begun", org_id=rule.wallet_id, cents=charge.cents, why=charge.why, capped=charge.capped)
    return intent.pk


def _heard_of(attempt: Attempt, intent: Intent, rule: Rule, now: datetime) -> None:
    if intent.state == State.SUCCEEDED:
        telling.made(attempt, intent, now=now)
        burst = figures.situation(rule.wallet_id, rule, now=now).charged_lately >= policy.BURST
        if burst and rule.standing == Standing.ON:
            _stop(rule, now)
    elif intent.state in (State.FAILED, State.CANCELED):
        ladder.refused(rule, attempt, intent, now=now)


def _stop(rule: Rule, now: datetime) -> None:
    rules.stand(rule, Standing.OFF, Why.BURST, now=now)
    telling.paused(rule, telling.reason(Why.BURST), now=now)
