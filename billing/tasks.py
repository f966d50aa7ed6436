"""What the clock and the queue start. Each task finds its work by query: run twice, late or at once, it changes nothing."""

from datetime import UTC, datetime

from celery import shared_task

from billing import flows
from billing.metering import partitions
from billing.payments import polling
from billing.webhooks import inbox


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
def expire_grants() -> None:
    flows.expire(now=_now())
