"""Every address of the portal, by the room it leads to."""

from django.contrib import admin
from django.urls import include, path

from portal import brand, gallery, health, theme

# What allauth answers with when its own limits are met.
handler429 = "orgs.throttle.page"
handler500 = "portal.errors.broken"

urlpatterns = [
    path("", include("orgs.urls")),
    path("", include("billing.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("brand.css", brand.stylesheet, name="brand"),
    path("theme", theme.choose, name="theme"),
    path("gallery", gallery.show, name="gallery"),
]
