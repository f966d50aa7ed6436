"""The queue is a hint: it only makes things sooner. PostgreSQL is the truth and the sweepers find all work by query."""

from typing import Any

import structlog
from celery import Signature, Task
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def hint(task: "Task[Any, Any] | Signature[Any]", *args: Any) -> None:
    """Ask for `task` right after this transaction commits. A queue that is away is no error: the clock comes by anyway."""

    def send() -> None:
        try:
            task.apply_async(args, retry=False)
        except (OperationalError, OSError) as away:
            log.warning("queue_away", task=task.name, error=type(away).__name__)

    transaction.on_commit(send)
