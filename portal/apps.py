from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import checks  # noqa: F401  # registers them


class AdminConfig(DjangoAdminConfig):
    default_site = "portal.admin_site.StaffSite"
