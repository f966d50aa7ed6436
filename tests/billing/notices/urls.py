"""The portal's addresses, and those that letters lead to wherever they are not there."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from billing import urls as billing_urls
from portal import urls as portal_urls


def opened(request: HttpRequest, **part: str) -> HttpResponse:
    return HttpResponse(str(part))


LED_TO = [
    path("o/<slug:slug>/receipts/<uuid:intent_id>", opened, name="receipt"),
    path("o/<slug:slug>/statements/<str:number>", opened, name="statement"),
    path("o/<slug:slug>/billing/cards", opened, name="cards"),
    path("o/<slug:slug>/billing/recharge", opened, name="recharge"),
    path("recharge/stop/<str:token>", opened, name="recharge_stop"),
    path("recharge/finish/<str:token>", opened, name="recharge_finish"),
]
urlpatterns = [
    path("", include(([*billing_urls.urlpatterns, *LED_TO], "billing"))),
    *portal_urls.urlpatterns,
]
