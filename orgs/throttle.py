"""How often somebody may do a thing: counted in the shared cache, in windows that begin with the clock.

    @access.requires(access.MOVE_MONEY)
    @throttle.posts(throttle.CHECKOUT)
    def buy(request, slug): ...

    throttle.take(throttle.GATEWAY, str(gateway.id), now=now)

The limits stand in the settings (`RATES`). Normal use never meets them; they are there for loops and for guessing. A cache
that is away lets everybody through: it makes things safer, and it must not stop the house.
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

P = ParamSpec("P")
R = TypeVar("R", bound=HttpRequest)
log = structlog.get_logger(__name__)

CHECKOUT = "checkout"
NEW_KEY = "new_key"
NEW_TEAM = "new_team"
DOCUMENTS = "documents"
GATEWAY = "gateway"
CUSTOMER_KEY = "customer_key"
UNKNOWN_TOKEN = "unknown_token"

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{0,5})([smhd])", re.ASCII)
WAIT_OF_ALLAUTH = 60
"""Its own limits (sign-in and so on) do not say how long; most count by the minute."""

IPV6_NETWORK = 64
"""One customer of a provider has at least so many addresses to change between."""


@dataclass(frozen=True)
class Rate:
    """At most `most` times in `seconds`."""

    most: int
    seconds: int

    @classmethod
    def of(cls, text: str) -> "Rate":
        """ "20/10m" is twenty times in ten minutes, "60/m" sixty in one. Raises ValueError for anything else."""
        found = WRITTEN.fullmatch(text.strip())
        if found is None or not int(found[1]) or found[2] == "0":
            raise ValueError(f"{text} is not a rate such as 20/10m (count, slash, a number of s, m, h or d).")
        return cls(int(found[1]), int(found[2] or 1) * UNITS[found[3]])


class TooOften(Exception):
    """Come again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests: try again in {retry_after} s")
        self.retry_after = retry_after


def take(what: str, who: str, *, now: datetime) -> None:
    """Count one more `what` by `who` (an id or an address; only its hash is kept). Raises TooOften beyond the rate."""
    rate = Rate.of(settings.RATES[what])
    window, gone = divmod(int(now.timestamp()), rate.seconds)
    key = f"rate:{what}:{rate.seconds}:{hashlib.sha256(who.encode()).hexdigest()[:32]}:{window}"
    if _counted(key, rate.seconds) > rate.most:
        raise TooOften(rate.seconds - gone)


def posts(
    what: str,
) -> Callable[[Callable[Concatenate[R, P], HttpResponseBase]], Callable[Concatenate[R, P], HttpResponseBase]]:
    """Decorates a view of somebody who is signed in: so many POSTs per person, then a 429 that says when to come again."""

    def guard(view: Callable[Concatenate[R, P], HttpResponseBase]) -> Callable[Concatenate[R, P], HttpResponseBase]:
        @wraps(view)
        def counted(request: R, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method == "POST":
                try:
                    # A door, as views are: here the clock is read.
                    take(what, f"user:{request.user.pk}", now=timezone.now())  # noqa: TID251
                except TooOften as refusal:
                    log.warning("too_often", what=what)
                    return page(request, refusal.retry_after)
            return view(request, *args, **kwargs)

        # For the test that every door that needs a limit has one.
        counted.throttle = what  # type: ignore[attr-defined]
        return counted

    return guard


def page(request: HttpRequest, retry_after: int = WAIT_OF_ALLAUTH) -> HttpResponse:
    """The answer to people. Nothing was done."""
    minutes = -(-retry_after // 60)
    answer = render(request, "429.html", {"minutes": minutes}, status=429)
    answer.headers["Retry-After"] = str(retry_after)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def address(request: HttpRequest) -> str:
    """Where the request comes from: the peer, or what the last of our own proxies saw (TRUSTED_PROXY_COUNT).

    Names in X-Forwarded-For beyond our own proxies are the client's own words; with fewer names than proxies the request did
    not come through all of them, and nothing in the header is believed. Of IPv6 it is the /64 network.
    """
    said = str(request.META.get("REMOTE_ADDR", ""))
    proxies: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    if 0 < proxies <= len(hops) and hops[-proxies].strip():
        said = hops[-proxies].strip()
    try:
        known = ipaddress.ip_address(said)
    except ValueError:
        return said[:64]
    if known.version == 6 and known.ipv4_mapped is None:
        return str(ipaddress.ip_network(f"{known}/{IPV6_NETWORK}", strict=False).network_address)
    return str(getattr(known, "ipv4_mapped", None) or known)


def _counted(key: str, seconds: int) -> int:
    """How often, this time included. Two at once count two: the cache adds in one step."""
    try:
        try:
            return cache.incr(key)
        except ValueError:
            # The first of its window; twice as long, so that it cannot end between the two steps.
            cache.add(key, 0, timeout=2 * seconds)
            return cache.incr(key)
    except Exception as away:
        log.warning("rate_limit_not_counted", error=type(away).__name__)
        return 0
