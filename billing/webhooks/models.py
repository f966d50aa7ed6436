"""The inbox."""

from django.db import models
from django.db.models import Q


class InboxState(models.TextChoices):
    NEW = "new", "To do"
    DONE = "done", "Done"
    IGNORED = "ignored", "Not for us"
    FAILED = "failed", "Failed"


class InboxEvent(models.Model):
    """Something a provider told us, stored once as it came; work is done from this table and can be replayed by staff."""

    provider = models.CharField(max_length=12)
    provider_event_id = models.CharField(max_length=128)
    type = models.CharField(max_length=80)
    body = models.TextField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=InboxState, default=InboxState.NEW)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        db_table = "inbox_event"
        verbose_name = "inbound webhook"
        constraints = [
            models.UniqueConstraint(fields=["provider", "provider_event_id"], name="inbox_event_once"),
            models.CheckConstraint(condition=Q(state__in=InboxState.values), name="inbox_event_state_known"),
        ]
        indexes = [models.Index(fields=["next_try_at"], condition=Q(state=InboxState.NEW), name="inbox_event_to_do")]

    def __str__(self) -> str:
        return f"{self.provider} {self.provider_event_id}"
