"""The clock: everything that happens by itself, on one page.

Tasks find their work by query, so a lost, doubled or late run changes nothing.
"""

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery, signals
from celery.schedules import crontab
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("purser")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    timezone="UTC",
    beat_scheduler="portal.clock:Clock",
    broker_connection_retry_on_startup=True,
    # A message that a dead worker held comes back after 15 minutes; until then the sweepers find the work by query.
    broker_transport_options={
        "visibility_timeout": 900,
        "unacked_restore_interval": 15,
        "unacked_restore_throttle": 1,
    },
)
app.autodiscover_tasks(["billing"])
# Its lines carry the id of the request that asked for the work.
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def _log_as_the_portal_does(**told: Any) -> None:
    """Celery would put up its own handlers: lines that are not JSON and that nothing cleans."""
    from django.conf import settings

    dictConfig(settings.LOGGING)


@signals.worker_init.connect
@signals.beat_init.connect
def _refuse_wrong_settings(**told: Any) -> None:
    """Neither worker nor clock starts with settings that the web server refuses."""
    from django.core.exceptions import ImproperlyConfigured

    from portal import checks

    try:
        checks.refuse_wrong_settings()
    except ImproperlyConfigured as wrong:
        # A signal's receiver may only stop the process like this: exceptions are logged and passed over.
        raise SystemExit(str(wrong)) from None


def _every(seconds: float, task: str) -> dict[str, object]:
    # A run that waited longer than its interval is worth nothing: the next one does its work.
    return {"task": f"billing.tasks.{task}", "schedule": seconds, "options": {"expires": max(seconds, 10)}}


def _nightly(hour: str, minute: int, task: str) -> dict[str, object]:
    """At this time of the day, UTC. What is tried at several hours is done in the first one that can."""
    when = crontab(hour=hour, minute=str(minute))
    return {"task": f"billing.tasks.{task}", "schedule": when, "options": {"expires": 3600}}


app.conf.beat_schedule = {
    "charge what gateways reported": _every(5, "sweep_usage"),
    "work through what others told us": _every(10, "process_inbox"),
    "ask what became of open payments": _every(60, "poll_payments"),
    "recharge balances that are low": _every(60, "recharge_credit"),
    "renew plans, and do what was scheduled for their period's end": _every(60, "renew_plans"),
    "end plans whose models are retired": _every(600, "retire_plans"),
    "tell of plans that become dearer": _every(3600, "tell_price_rises"),
    "earn what plans were paid for": _every(600, "earn_plans"),
    "ask what became of refunds and disputes": _every(60, "poll_reversals"),
    "ask what became of cards that were added or removed": _every(60, "poll_cards"),
    "tell of cards that expire soon": _every(3600, "announce_expiring_cards"),
    "end grants that came to their end": _every(60, "expire_grants"),
    "begin and end the months of contracts": _every(60, "bring_contracts_forward"),
    "charge what is due for contracts": _every(60, "collect_contracts"),
    "close the months that are complete": _every(600, "settle_periods"),
    "charge what months left to be charged": _every(600, "collect_settlements"),
    "tell the months that are closed": _every(600, "issue_statements"),
    "tell of balances that fell by the clock": _every(60, "tell_low_balances"),
    "tell of credit that expires soon": _every(3600, "tell_expiring_credit"),
    "send what people are told": _every(30, "send_notices"),
    "ask whether the books are right": _every(3600, "verify_ledger"),
    "let go of debts that are too old": _nightly("3", 10, "write_off_debts"),
    "make the partitions of the days ahead": _every(3600, "make_partitions"),
    "compare Stripe's lists with the books": _nightly("3-7", 40, "reconcile_stripe"),
}
