"""What others told us, with replay."""

from datetime import UTC, datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin.reading import ReadOnly
from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent


@admin.register(InboxEvent)
class InboxEventAdmin(ReadOnly[InboxEvent]):
    list_display = ("received_at", "provider", "type", "provider_event_id", "state", "tries", "error")
    list_filter = ("state", "provider", "type")
    search_fields = ("=provider_event_id",)
    date_hierarchy = "received_at"
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_inboxevent")

    @admin.action(description="Replay: work through it again", permissions=["replay"])
    def replay(self, request: HttpRequest, chosen: QuerySet[InboxEvent]) -> None:
        now = datetime.now(UTC)
        for event in chosen:
            inbox.replay(event, now=now)
            self.log_change(request, event, "Replayed.")
        self.message_user(request, f"{len(chosen)} will be worked through again within seconds.")
