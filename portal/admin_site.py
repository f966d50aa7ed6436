"""The staff's site: stock Django admin, signed in to through allauth like every other page."""

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite


class StaffSite(AdminSite):
    site_header = "Purser staff"
    site_title = "Purser staff"
    index_title = "Billing"

    login = secure_admin_login(AdminSite.login)
