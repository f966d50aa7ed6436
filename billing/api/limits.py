"""Limits out: what a key may do, for gateways and for the key's own holder, and the feed of what changed.

A key that is unknown, revoked or expired is answered with HTTP 401 and the code `unknown_key`, `key_revoked` or
`key_expired`; a gateway whose own token is wrong with 401 `unauthorized`. The two never look alike.
"""

import re
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from msgspec import Meta, Struct

from billing.api import doors
from billing.limits import feed, reading, remedies, resolved
from billing.limits.answers import Answer, Reason
from billing.limits.entitlements import TTL
from billing.limits.reading import Told
from orgs import keys, throttle

PUBLIC_ID = re.compile(r"[A-Za-z0-9_-]{1,24}")


class ResolveBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The SHA-256 of the whole key, as 64 lower-case hex digits. The key itself never leaves the gateway."""

    # The length too: Python's `$` would let a line break at the end pass.
    key_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64)]


class Changes(Struct, frozen=True):
    """`changes`: keys this gateway has resolved, each with its full answer of now, at most `limit` of them.

    `cursor` is for the next call, also when nothing changed. `more`: ask again at once. `everything_changed`: the
    catalog changed; drop every kept answer.
    """

    changes: list[Answer]
    cursor: str
    more: bool
    everything_changed: bool


@doors.door("POST")
@doors.gateway
def resolve(request: doors.GatewayRequest) -> HttpResponse:
    """The only way in for a key: the gateway shows that it holds it."""
    wanted = doors.body(request, ResolveBody)
    now = timezone.now()
    told = reading.by_hash(bytes.fromhex(wanted.key_sha256), now=now)
    if told is not None:
        resolved.remember(request.gateway.id, told.key_id, told.answer.key, now=now)
        resolved.used(told.key_id, told.last_used_at, now=now)
    return _answer(told)


@doors.door("GET")
@doors.gateway
def refresh(request: doors.GatewayRequest) -> HttpResponse:
    """The answer again, for a key this gateway has resolved. For any other name it is the same 403."""
    public_id = _only_parameter(request, "key")
    if public_id is None or not PUBLIC_ID.fullmatch(public_id):
        raise doors.Problem(400, "invalid_query", "ask as ?key=<public id of the key>", at="key")
    if not resolved.is_resolved(request.gateway.id, public_id):
        raise doors.Problem(
            403, "resolve_first", "this gateway has not resolved that key: POST its hash to limits/resolve"
        )
    return _answer(reading.by_public_id(public_id, now=timezone.now()))


@doors.door("GET")
def me(request: HttpRequest) -> HttpResponse:
    """For the holder of a key, who shows the key itself."""
    _only_parameter(request)
    told = reading.by_hash(keys.fingerprint(doors.bearer(request)), now=timezone.now())
    if told is None:
        doors.taken(throttle.UNKNOWN_TOKEN, throttle.address(request))
    else:
        doors.taken(throttle.CUSTOMER_KEY, str(told.key_id))
    return _answer(told)


@doors.door("GET")
@doors.gateway
def changes(request: doors.GatewayRequest) -> HttpResponse:
    """What changed since a cursor; without one, where to begin."""
    now = timezone.now()
    limit = _limit(request)
    text = _only_parameter(request, "since", beside=("limit",))
    return doors.reply(_changes(text, request.gateway.id, limit, now))


def _changes(text: str | None, gateway_id: int, limit: int, now: datetime) -> Changes:
    try:
        page = feed.start(now=now) if text is None else feed.since(feed.parse(text), gateway_id, now=now, limit=limit)
    except feed.CursorMalformed as malformed:
        raise doors.Problem(400, "invalid_cursor", str(malformed), at="since") from malformed
    except feed.CursorExpired as expired:
        raise doors.Problem(410, "cursor_expired", str(expired)) from expired
    return Changes(page.changes, str(page.cursor), page.more, page.everything)


def _answer(told: Told | None) -> HttpResponse:
    if told is None:
        raise _no_key(Reason.UNKNOWN_KEY, remedies.UNKNOWN_KEY)
    if told.answer.reason is not None:
        raise _no_key(told.answer.reason, told.answer.remedy or "")
    return HttpResponse(told.body, content_type="application/json", headers={"Cache-Control": "no-store"})


def _no_key(reason: Reason, remedy: str) -> doors.Problem:
    return doors.Problem(401, reason.value, remedy, max_age=int(TTL.total_seconds()))


def _limit(request: HttpRequest) -> int:
    text = request.GET.get("limit", str(feed.PAGE))
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII) or not 1 <= int(text) <= feed.PAGE:
        raise doors.Problem(400, "invalid_query", f"limit is a whole number from 1 to {feed.PAGE}", at="limit")
    return int(text)


def _only_parameter(request: HttpRequest, name: str | None = None, *, beside: tuple[str, ...] = ()) -> str | None:
    """The query's one parameter of that name; anything unknown or doubled is refused, never guessed at."""
    for given, values in request.GET.lists():
        if given != name and given not in beside:
            raise doors.Problem(400, "invalid_query", "there is an unknown parameter in the address")
        if len(values) > 1:
            raise doors.Problem(400, "invalid_query", f"{given} is there twice", at=given)
    return request.GET.get(name) if name else None
