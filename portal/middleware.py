"""The outermost frame of every answer: headers that hold for errors too, and the size of what is sent to us."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

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


# --- A form as a browser sends it ---------------------------------------------------------------------------------------

FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
OF_MACHINES = (DOORS_OF_MACHINES, "/webhooks/")
SEVERAL = frozenset({"_selected_action", "action", "groups"})
"""What the staff's site sends more than once: chosen rows, the two menus of a list, a person's groups."""
NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
UNREADABLE = "\ufffd"


def plain_forms(handler: Handler) -> Handler:
    """400 for a form that two readers may read differently: a field sent twice, text that is not UTF-8, half a body.

    Django would take the last of two values and put a sign in place of what it cannot read. No browser sends such a form.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and not request.path_info.startswith(OF_MACHINES) and not _is_plain(request):
            return render(request, "400.html", status=400)
        return handler(request)

    return handle


def _is_plain(request: HttpRequest) -> bool:
    kind, parameters = request.content_type, request.content_params or {}
    if kind not in (FORM, PARTS):
        # No form at all: whoever wants one finds every field missing.
        return True
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        return False
    body = request.body
    if not (_is_utf8(body) if kind == FORM else _is_whole(body, parameters.get("boundary", ""))):
        return False
    fields = request.POST.lists()
    several = SEVERAL if request.path_info.startswith("/admin/") else frozenset()
    return not request.FILES and all(
        (len(values) == 1 or name in several) and not any(UNREADABLE in text for text in (name, *values))
        for name, values in fields
    )


def _is_utf8(body: bytes) -> bool:
    if NO_ESCAPE.search(body):
        return False
    try:
        parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        return False
    return True


def _is_whole(body: bytes, boundary: str) -> bool:
    return bool(boundary) and body.rstrip().endswith(b"--" + boundary.encode("ascii", "replace") + b"--")
