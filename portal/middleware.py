"""The outermost frame of every answer: headers that hold for errors too, and the size of what is sent to us."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

Handler = Callable[[HttpRequest], HttpResponse]

HEADERS = {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Django sets these too; an error raised in its own middleware would go out without them.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
DOORS_OF_MACHINES = "/api/v1/"
"""They measure their bodies themselves, after decompression (`billing/api/doors.py`)."""


def security_headers(handler: Handler) -> Handler:
    def handle(request: HttpRequest) -> HttpResponse:
        answer = handler(request)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    return handle


def body_limit(handler: Handler) -> Handler:
    """413 for a form larger than any of ours, before a byte of it is read."""

    def handle(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if request.path_info.startswith(DOORS_OF_MACHINES) or not (length.isascii() and length.isdigit()):
            # Django reads nothing where the length is no number; the doors that care say so themselves.
            return handler(request)
        if len(length) > 12 or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return render(request, "413.html", status=413)
        return handler(request)

    return handle
