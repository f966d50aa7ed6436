"""READ FIRST. The life of an account, one short function per event: a plain sequence of calls, no rules of its own.

Each function is one transaction (or a row of small ones), takes the wallet's lock first and says last what changed for
the gateways, so that the numbers of the limits feed follow the order of commits.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import structlog
from celery import current_app
from django.db import transaction

from billing import queue
from billing.ledger import accruals, debts, expiry, grants, wallets
from billing.ledger.models import CreditGrant
from billing.limits import publishing
from billing.metering import charging, reversing, watermark
from billing.metering.reversing import Reversal
from billing.notices import low_balance
from billing.payments import (
    answers,
    card_charges,
    card_setups,
    collecting,
    credited,
    disputes,
    methods,
    outcomes,
    reconciling,
    refunding,
    refunds,
    reversals,
)
from billing.payments.card_setups import CardSetup
from billing.payments.models import Dispute, Intent, PaymentMethod, Refund, RefundState
from billing.payments.outcomes import Outcome, Settled
from billing.payments.reconciliations import Reconciliation
from billing.recharge import cards, finishing, levels, links, recharging, rules, working
from billing.recharge.models import Rule, Why
from billing.recharge.rules import Wish
from billing.settlement import closing, dunning
from billing.statements import issuing, receipts
from billing.subscriptions import cards as plan_cards
from billing.subscriptions import hearing

log = structlog.get_logger(__name__)

RECHARGE = "billing.tasks.recharge_credit"


def payment_outcome(intent_id: UUID, outcome: Outcome, *, now: datetime) -> Settled | None:
    """Stripe said what became of a payment: by its answer, a webhook or the poller, whoever comes first."""
    with transaction.atomic():
        settled = outcomes.settle(intent_id, outcome, now=now)
        if settled is not None:
            recharging.heard(settled, now=now)
            hearing.heard(settled, now=now)
            if settled.changed:
                receipts.issue(intent_id, now=now)
            dunning.heard(settled, now=now)
            credited.announce(settled, now=now)
            low_balance.tell([settled.org_id], now=now)
            publishing.publish([settled.org_id], now=now)
        return settled


def grant_promotional(
    org_id: int,
    amount: Decimal,
    *,
    key: str,
    title: str,
    expires_at: datetime,
    reason: str,
    issued_by: int | None,
    now: datetime,
) -> CreditGrant:
    """Staff give credit that was not paid for."""
    with transaction.atomic():
        wallets.lock([org_id])
        grant = grants.issue_promotional(
            org_id, amount, key=key, title=title, expires_at=expires_at, reason=reason, issued_by=issued_by, now=now
        )
        recharging.credited(org_id, now=now)
        low_balance.tell([org_id], now=now)
        publishing.publish([org_id], now=now)
        return grant


def sweep(*, now: datetime) -> int:
    """Usage was accepted: charge it, post the hours that are complete; answers how many organizations it touched."""

    def then(org_ids: list[int], charged: list[int]) -> None:
        if levels.usage_charged(charged, now=now):
            queue.hint(current_app.signature(RECHARGE))
        _told(org_ids, now=now)

    touched = charging.sweep(now=now, then=then)
    accruals.close_due(now=now, watermark=watermark.complete_through(now))
    return len(touched)


def reverse_usage(reversal: Reversal, *, now: datetime) -> reversing.Reversed:
    """A gateway takes an event back."""
    with transaction.atomic():
        done = reversing.reverse(reversal, now=now)
        levels.usage_charged([done.org_id] if done.charged else [], now=now)
        levels.lifted([done.org_id], now=now)
        publishing.publish([done.org_id], now=now)
        return done


def expire(*, now: datetime) -> int:
    """Grants came to their end: they pay for nothing new at once, and their rest moves away when their end is complete."""
    complete = watermark.complete_through(now)
    expired = 0
    for org_id in expiry.due(now=now, watermark=complete):
        with transaction.atomic():
            wallets.lock([org_id])
            _drain(org_id, now)
            expired += expiry.expire([org_id], now=now, watermark=complete)
            publishing.publish([org_id], now=now)
    with transaction.atomic():
        waiting = expiry.past_end(now)
        wallets.lock(waiting)
        publishing.publish(waiting, now=now)
    return expired


def refund(order: refunds.Order, *, now: datetime) -> Refund:
    """Staff give money back. What it takes is committed before Stripe hears of it; raises `RefundRefused`."""
    with transaction.atomic():
        wallets.lock([order.org_id])
        _drain(order.org_id, now)
        asked = refunds.ask(order, now=now)
        publishing.publish([order.org_id], now=now)
    if asked.state in (RefundState.ASKED, RefundState.UNKNOWN):
        return refund_told(refunding.send(asked.pk, now=now), now=now) or asked
    return asked


def refund_told(told: refunds.Outcome, *, now: datetime) -> Refund | None:
    """What became of a refund: by the answer, a webhook, the poller; also one made in Stripe's dashboard. None: not ours."""
    intent_id = refunds.intent_of(told)
    if intent_id is None:
        return None
    org_id = _payment_first(intent_id, told if isinstance(told, answers.Refund) else None, now)
    with transaction.atomic():
        wallets.lock([org_id])
        _drain(org_id, now)
        settled = refunds.settle(told, intent_id, now=now)
        levels.lifted([org_id], now=now)
        publishing.publish([org_id], now=now)
        return settled


def review_refund(refund_id: UUID, *, by: int, now: datetime) -> Refund:
    """Staff have seen a refund that was made in Stripe's dashboard."""
    with transaction.atomic():
        return refunds.review(refund_id, by=by, now=now)


def dispute_told(told: answers.Dispute, *, now: datetime) -> Dispute | None:
    """What Stripe says of a dispute: by a webhook, the poller or a list. None: not ours."""
    intent_id = reversals.intent_of(told)
    if intent_id is None:
        return None
    org_id = _payment_first(intent_id, told, now)
    with transaction.atomic():
        wallets.lock([org_id])
        _drain(org_id, now)
        settled = disputes.settle(told, Intent.objects.get(pk=intent_id), now=now)
        hearing.dispute_told(intent_id, now=now)
        recharging.dispute_opened(org_id, now=now)
        levels.lifted([org_id], now=now)
        publishing.publish([org_id], now=now)
        return settled


def card_saved(setup_id: UUID, outcome: card_setups.Outcome, *, now: datetime) -> CardSetup | None:
    """Stripe said what became of a page to save a card on: by its answer, a webhook or the poller. None: not ours."""
    with transaction.atomic():
        return card_setups.settle(setup_id, outcome, now=now)


def choose_card(org_id: int, method_id: int, *, now: datetime) -> PaymentMethod:
    """A customer makes a card the default; raises `CardRefused`."""
    with transaction.atomic():
        wallets.lock([org_id])
        return methods.choose(org_id, method_id, now=now)


def remove_card(org_id: int, method_id: int, *, stop_recharge: bool = False, now: datetime) -> None:
    """A customer removes a card: it is never charged again, and Stripe soon lets it go. Raises `CardRefused`, also while
    auto-recharge charges it, unless that is to be stopped first."""
    with transaction.atomic():
        wallets.lock([org_id])
        if stop_recharge and cards.is_used(org_id, method_id):
            rules.switch_off(org_id, now=now)
        cards.refuse_if_used(org_id, method_id)
        plan_cards.refuse_if_used(org_id, method_id)
        methods.remove(org_id, method_id, now=now)


def card_told(told: answers.Method, *, now: datetime) -> PaymentMethod | None:
    """What Stripe says of a saved card: by an answer, a webhook or the poller. None: not ours."""
    org_id = methods.organization(told.card.method_id)
    if org_id is None:
        return None
    with transaction.atomic():
        wallets.lock([org_id])
        return methods.told(told, now=now)


def recharge(org_id: int, *, now: datetime) -> Settled | None:
    """The balance may be low: where a charge is due it is written down, made, and settled; None when none is."""
    with transaction.atomic():
        wallets.lock([org_id])
        _drain(org_id, now)
        intent_id = recharging.begin(org_id, now=now)
        publishing.publish([org_id], now=now)
    if intent_id is None:
        return None
    return payment_outcome(intent_id, card_charges.charge(intent_id, now=now), now=now)


def recharge_due(*, now: datetime) -> int:
    """Every organization that may be low is looked at; answers how many. One that fails does not stop the others."""
    looked_at = 0
    for org_id in recharging.due(now=now):
        try:
            recharge(org_id, now=now)
            looked_at += 1
        except Exception:
            log.exception("not_recharged", org_id=org_id)
    return looked_at


def switch_recharge_on(org_id: int, wish: Wish, *, by: int, version: int | None = None, now: datetime) -> Rule:
    """A customer agrees to a rule, or to other amounts, or goes on after a pause. Is the balance low, then the card is
    charged at once. Raises `WishRefused`, `ChangedMeanwhile`."""
    with transaction.atomic():
        wallets.lock([org_id])
        _drain(org_id, now)
        rule = rules.switch_on(org_id, wish, by=by, version=version, now=now)
        publishing.publish([org_id], now=now)
    recharge(org_id, now=now)
    rule.refresh_from_db()
    return rule


def switch_recharge_off(org_id: int, *, version: int | None = None, now: datetime) -> Rule | None:
    """A customer switches it off; None: it never was on. Raises `ChangedMeanwhile`."""
    with transaction.atomic():
        wallets.lock([org_id])
        return rules.switch_off(org_id, version=version, now=now)


def stop_recharge_by_link(token: str, *, now: datetime) -> Rule | None:
    """Somebody followed the link of a mail: no sign-in is asked for, since it only stops. Raises `LinkOver`."""
    with transaction.atomic():
        wallets.lock([links.read_stop(token, now).org_id])
        link = links.read_stop(token, now)
        return rules.switch_off(link.org_id, Why.LINK, now=now)


def finish_recharge(attempt_id: UUID, *, by: int | None = None, now: datetime) -> Intent:
    """A customer pays in the browser what the bank refused without: answers the purchase, with its page at Stripe where that
    could be opened (`checkout_url`). Raises `NothingToFinish`."""
    org_id = recharging.organization(attempt_id)
    with transaction.atomic():
        wallets.lock([org_id])
        _drain(org_id, now)
        intent = finishing.begin(attempt_id, by=by, now=now)
        publishing.publish([org_id], now=now)
    if not intent.checkout_id:
        payment_outcome(intent.pk, collecting.open_checkout(intent.pk, now=now), now=now)
        intent.refresh_from_db()
    return intent


def write_off_debts(*, now: datetime) -> Decimal:
    """What was taken back after it was spent, and is owed for 180 days, is let go; answers how much that was, in USD."""
    written_off = Decimal(0)
    for org_id in debts.due(now=now):
        with transaction.atomic():
            wallets.lock([org_id])
            written_off += debts.write_off(org_id, now=now)
            publishing.publish([org_id], now=now)
    return written_off


def forgive_debt(org_id: int, amount: Decimal, *, reason: str, nonce: UUID, by: int, now: datetime) -> Decimal:
    """Staff let go of claw-back debt, or a part of it; raises `ForgivenessRefused`. The same nonce does it once."""
    with transaction.atomic():
        wallets.lock([org_id])
        forgiven = debts.forgive(org_id, amount, reason=reason, nonce=nonce, by=by, now=now)
        publishing.publish([org_id], now=now)
        return forgiven


def settle_periods(*, now: datetime) -> int:
    """Months are over and complete: their usage is posted, their overdraft decided on, their books closed."""

    def then(org_ids: list[int], charged: list[int]) -> None:
        levels.usage_charged(charged, now=now)
        levels.lifted(org_ids, now=now)
        publishing.publish(org_ids, now=now)

    complete = watermark.complete_through(now)
    return closing.settle(now=now, watermark=complete, recharging=working.among, then=then)


def collect_settlements(*, now: datetime) -> int:
    """Charge what was settled and is due, first or once more; answers how many were tried."""
    dunning.forget_paid()
    return dunning.collect(collect_settlement, now=now)


def collect_settlement(due: dunning.Due, *, now: datetime) -> Settled | None:
    """One of them. The charge is committed before Stripe hears of it. None: there is nothing to charge, or not now."""
    with transaction.atomic():
        wallets.lock([due.org_id])
        recharging = due.org_id in working.among([due.org_id], now=now)
        intent_id = dunning.begin(due.id, recharging=recharging, now=now)
        publishing.publish([due.org_id], now=now)
    if intent_id is None:
        return None
    return payment_outcome(intent_id, card_charges.charge(intent_id, now=now), now=now)


def issue_statements(*, now: datetime) -> int:
    """Months that are closed are told, and payments that have no receipt get one; answers how many statements."""
    receipts.issue_due(now=now)
    return issuing.issue_due(now=now)


def reconcile(
    *, now: datetime, since: datetime | None = None, say: Callable[[str], None] = lambda words: None
) -> Reconciliation:
    """Stripe's lists and the books are compared both ways; what a webhook should have told of is told now."""
    apply = reconciling.Apply(payment_outcome, refund_told, dispute_told)
    return reconciling.reconcile(apply, now=now, since=since, say=say)


def _drain(org_id: int, now: datetime) -> None:
    """Whatever it used is charged; is it low by that, then it is remembered. Its wallet is locked."""
    levels.usage_charged(charging.drain([org_id], now=now).charged, now=now)


def tell_low_balances(*, now: datetime) -> None:
    """Balances that fell below a threshold, or rose above it, in ways that nobody looked at: by the clock, by a dispute."""
    with transaction.atomic():
        low_balance.tell(wallets.lock(low_balance.moved(now=now)), now=now)


def _told(org_ids: list[int], *, now: datetime) -> None:
    """What follows from balances that moved. The limits come last (`publishing.publish`)."""
    low_balance.tell(org_ids, now=now)
    publishing.publish(org_ids, now=now)


def _payment_first(intent_id: UUID, told: reversals.Told | None, now: datetime) -> int:
    """Money can go back before we heard that it came: then the payment is settled first. Answers its organization."""
    missing = reversals.missing_payment(intent_id, told) if told else None
    if missing is not None:
        payment_outcome(intent_id, missing, now=now)
    return reversals.organization(intent_id)
