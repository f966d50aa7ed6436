"""The clock: everything that happens by itself, on one page.

Tasks find their work by query, so a lost, doubled or late run changes nothing.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("purser")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    timezone="UTC",
    broker_connection_retry_on_startup=True,
    # A message that a dead worker held comes back after 15 minutes; until then the sweepers find the work by query.
    broker_transport_options={
        "visibility_timeout": 900,
        "unacked_restore_interval": 15,
        "unacked_restore_throttle": 1,
    },
)
app.autodiscover_tasks(["billing"])


def _every(seconds: float, task: str) -> dict[str, object]:
    # A run that waited longer than its interval is worth nothing: the next one does its work.
    return {"task": f"billing.tasks.{task}", "schedule": seconds, "options": {"expires": max(seconds, 10)}}


app.conf.beat_schedule = {
    "charge what gateways reported": _every(5, "sweep_usage"),
    "work through what others told us": _every(10, "process_inbox"),
    "ask what became of open payments": _every(60, "poll_payments"),
    "end grants that came to their end": _every(60, "expire_grants"),
    "ask whether the books are right": _every(3600, "verify_ledger"),
    "make the partitions of the days ahead": _every(3600, "make_partitions"),
}
