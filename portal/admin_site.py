"""The staff's site: stock Django admin, signed in to through allauth like every other page."""

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse


class StaffSite(AdminSite):
    site_header = "Purser staff"
    site_title = "Purser staff"
    index_title = "Billing"

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer
