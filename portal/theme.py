"""Light, dark or as the system: kept in a cookie, set by a small form that needs no script."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE = "theme"
A_YEAR = 365 * 24 * 60 * 60

# What people choose, and the name of the stylesheet's theme. The system's own choice needs no name.
THEMES = {"system": "", "light": "purser", "dark": "purser-dark"}


def chosen(request: HttpRequest | None) -> str:
    """ "system", "light" or "dark"."""
    choice = request.COOKIES.get(COOKIE, "") if request is not None else ""
    return choice if choice in THEMES else "system"


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep the choice and go back to the page it was made on."""
    answer = HttpResponseRedirect(_back(request))
    choice = request.POST.get("theme", "")
    if choice == "system":
        answer.delete_cookie(COOKIE, samesite="Lax")
    elif choice in THEMES:
        answer.set_cookie(COOKIE, choice, max_age=A_YEAR, secure=settings.HTTPS, httponly=True, samesite="Lax")
    return answer


def _back(request: HttpRequest) -> str:
    """Never to another site: `next` comes from the form, and forms can be forged."""
    to = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return to
    return reverse("home")
