"""What the clock and the queue start. Each task finds its work by query: run twice, late or at once, it changes nothing."""

from datetime import UTC, datetime

import structlog
from celery import shared_task

from billing import flows
from billing.ledger.audit import Scope
from billing.metering import partitions
from billing.notices import expiring, sending
from billing.payments import card_pages, detaching, disputes, methods, polling, reconciling, refunds
from billing.verifying import books
from billing.webhooks import inbox

log = structlog.get_logger(__name__)

MOST_SAID = 100
"""Differences logged one by one; `manage.py verify_ledger` prints them all."""


def _now() -> datetime:
    return datetime.now(UTC)


@shared_task
def sweep_usage() -> None:
    flows.sweep(now=_now())


@shared_task
def make_partitions() -> None:
    partitions.make(now=_now())


@shared_task
def process_inbox() -> None:
    inbox.process(now=_now())


@shared_task
def poll_payments() -> None:
    polling.poll(flows.payment_outcome, now=_now())


@shared_task
def recharge_credit() -> None:
    flows.recharge_due(now=_now())


@shared_task
def renew_plans() -> None:
    flows.renew_plans(now=_now())


@shared_task
def retire_plans() -> None:
    """Plans whose last model the company has retired."""
    if retired := flows.retire_plans(now=_now()):
        log.warning("plans_retired", subscriptions=retired)


@shared_task
def earn_plans() -> None:
    flows.earn_plans(now=_now())


@shared_task
def poll_reversals() -> None:
    refunds.poll(flows.refund_told, now=_now())
    disputes.poll(flows.dispute_told, now=_now())


@shared_task
def poll_cards() -> None:
    card_pages.poll(flows.card_saved, now=_now())
    detaching.poll(flows.card_told, now=_now())


@shared_task
def announce_expiring_cards() -> None:
    methods.announce_expiring(now=_now())


@shared_task
def write_off_debts() -> None:
    if written_off := flows.write_off_debts(now=_now()):
        log.warning("debts_written_off", usd=str(written_off))


@shared_task
def settle_periods() -> None:
    """Close the months that are complete."""
    if settled := flows.settle_periods(now=_now()):
        log.info("months_settled", organizations=settled)


@shared_task
def collect_settlements() -> None:
    if tried := flows.collect_settlements(now=_now()):
        log.info("settlements_collected", tried=tried)


@shared_task
def bring_contracts_forward() -> None:
    if done := flows.bring_contracts_forward(now=_now()):
        log.info("contracts_brought_forward", contracts=done)


@shared_task
def collect_contracts() -> None:
    """Charge what is due for contracts."""
    if tried := flows.collect_contracts(now=_now()):
        log.info("contracts_collected", tried=tried)


@shared_task
def expire_grants() -> None:
    flows.expire(now=_now())


@shared_task
def issue_statements() -> None:
    flows.issue_statements(now=_now())


@shared_task
def tell_low_balances() -> None:
    flows.tell_low_balances(now=_now())


@shared_task
def tell_price_rises() -> None:
    """Plans became dearer: who has one is told."""
    if told := flows.tell_price_rises(now=_now()):
        log.info("price_rises_told", subscriptions=told)


@shared_task
def tell_expiring_credit() -> None:
    expiring.tell(now=_now())


@shared_task
def send_notices() -> None:
    sending.send(now=_now())


@shared_task
def verify_ledger() -> None:
    with books.snapshot():
        report = books.verify(Scope(_now()))
    for difference in report.differences[:MOST_SAID]:
        log.error("ledger_differs", check=difference.check, org_id=difference.org_id, row=difference.row)
    say = log.error if report.differences else log.info
    say("ledger_verified", differences=len(report.differences), transfers=report.transfers, seconds=report.seconds)


@shared_task
def reconcile_stripe(asked: bool = False) -> None:
    """Once a night, or whenever somebody `asked` for it."""
    if not asked and reconciling.is_done(now=_now()):
        return
    try:
        run = flows.reconcile(now=_now())
    except reconciling.NotFinished as broken:
        log.error("stripe_not_reconciled", run=broken.run.pk, error=broken.run.error)
        return
    for finding in run.findings.all()[:MOST_SAID]:
        log.error(
            "stripe_differs", kind=finding.kind, thing=finding.thing, id=finding.provider_id, org_id=finding.wallet_id
        )
    say = log.error if run.found else log.info
    say("stripe_reconciled", run=run.pk, findings=run.found, healed=run.healed, not_ours=run.not_ours)
