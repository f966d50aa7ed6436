"""Headers that every answer carries and that no library sets."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]


def security_headers(handler: Handler) -> Handler:
    def handle(request: HttpRequest) -> HttpResponse:
        answer = handler(request)
        answer.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return answer

    return handle
