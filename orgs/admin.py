"""People and organizations for staff. Keys are shown by their public part; a leaked one is revoked here at once."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from orgs import keys
from orgs.models import ApiKey, Organization, User


class _Looked(admin.ModelAdmin[Any]):
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Organization)
class OrganizationAdmin(_Looked):
    list_display = ("name", "slug", "kind", "created_at")
    list_filter = ("kind",)
    search_fields = ("name", "slug", "memberships__user__email")
    readonly_fields = ("kind", "slug", "created_at", "members")

    @admin.display()
    def members(self, organization: Organization) -> str:
        rows = organization.memberships.select_related("user").order_by("created_at", "id")
        return format_html_join(mark_safe("<br>"), "{}, {}", ((row.user.email, row.get_role_display()) for row in rows))


@admin.register(User)
class UserAdmin(_Looked):
    list_display = ("email", "name", "is_active", "is_staff", "date_joined", "last_login")
    search_fields = ("email", "name")
    fields = ("email", "name", "is_active", "is_staff", "groups", "last_login", "date_joined")
    readonly_fields = ("email", "last_login", "date_joined")
    filter_horizontal = ("groups",)


@admin.register(ApiKey)
class ApiKeyAdmin(_Looked):
    list_display = ("name", "organization", "prefix", "last4", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("organization",)
    search_fields = ("=public_id", "name", "organization__slug")
    exclude = ("hash",)
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("orgs.change_apikey"))

    @admin.action(description="Revoke at once", permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        now = datetime.now(UTC)
        for key in chosen:
            keys.revoke(key, now=now)
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"Revoked {len(chosen)} keys.")
