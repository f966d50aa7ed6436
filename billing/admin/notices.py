"""What customers were told, and mail that could not be sent, with another try."""

from datetime import UTC, datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin.reading import ReadOnly
from billing.notices import rendering, sending
from billing.notices.models import Notice, NoticeSettings


@admin.register(Notice)
class NoticeAdmin(ReadOnly[Notice]):
    """The words are shown, not the facts: those may hold a link that acts for whoever opens it."""

    list_display = ("created_at", "organization", "kind", "mail", "tries", "sent_at", "sent_to", "error")
    list_filter = ("mail", "kind")
    search_fields = ("=key", "wallet__organization__slug")
    list_select_related = ("wallet__organization",)
    date_hierarchy = "created_at"
    fields = (
        "created_at", "organization", "kind", "key", "words", "mail", "tries", "unclear", "next_try_at", "sent_at",
        "sent_to", "error",
    )  # fmt: skip
    actions = ("send_again",)

    @admin.display(ordering="wallet_id")
    def organization(self, notice: Notice) -> object:
        return notice.wallet.organization

    @admin.display
    def words(self, notice: Notice) -> str:
        letter = rendering.letter(notice)
        return "\n".join((letter.subject, *letter.sentences))

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_notice")

    @admin.action(description="Send again what could not be sent", permissions=["send_again"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Notice]) -> None:
        now = datetime.now(UTC)
        failed = [notice for notice in chosen if sending.again(notice, now=now)]
        for notice in failed:
            self.log_change(request, notice, "To be sent again.")
        self.message_user(request, f"{len(failed)} will be sent again within a minute.")


@admin.register(NoticeSettings)
class NoticeSettingsAdmin(ReadOnly[NoticeSettings]):
    list_display = ("organization", "billing_email", "asked_email", "asked_by", "muted", "low_balance", "changed_at")
    search_fields = ("wallet__organization__slug",)
    list_select_related = ("wallet__organization", "asked_by")

    @admin.display(ordering="wallet_id")
    def organization(self, wishes: NoticeSettings) -> object:
        return wishes.wallet.organization
