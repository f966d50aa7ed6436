"""What people are told when a page could not be made."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

RETRY_AFTER_SECONDS = 10


def broken(request: HttpRequest) -> HttpResponse:
    """503 while the database is away (it restarts, takes no more connections, or gave up waiting for a lock), else 500.

    Without a request in the template: who is signed in, and where, cannot be asked now.
    """
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return HttpResponse(
            render_to_string("503.html"),
            status=503,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"},
        )
    return server_error(request)
