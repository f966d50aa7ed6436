"""The portal's addresses, with those that signed links lead to wherever they are not there."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from billing import urls as billing_urls
from portal import urls as portal_urls


def opened(request: HttpRequest, token: str) -> HttpResponse:
    return HttpResponse(token)


SIGNED = [
    path("recharge/stop/<str:token>", opened, name="recharge_stop"),
    path("recharge/finish/<str:token>", opened, name="recharge_finish"),
]
urlpatterns = [
    path("", include(([*SIGNED, *billing_urls.urlpatterns], "billing"))),
    *portal_urls.urlpatterns,
]
