"""Only what Stripe signed, just now, and only events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.webhooks import signature
from billing.webhooks.signature import NotGenuine
from sandbox.stripe.webhooks import signature as signed

NOW = datetime(2026, 4, 14, 12, 41, 3, tzinfo=UTC)
SECRET = "whsec_one"
EVENT = {"id": "evt_1Abc", "object": "event", "type": "charge.succeeded", "livemode": False, "data": {"object": {}}}
BODY = json.dumps(EVENT).encode()


def header(body: bytes = BODY, *, at: datetime = NOW, secret: str = SECRET) -> str:
    return signed(secret, int(at.timestamp()), body)


def verify(body: bytes = BODY, given: str | None = None, secrets: tuple[str, ...] = (SECRET,)) -> signature.Event:
    return signature.verify(body, header(body) if given is None else given, secrets=secrets, now=NOW)


def test_a_genuine_event_is_taken_as_it_came() -> None:
    assert verify() == signature.Event("evt_1Abc", "charge.succeeded", False, BODY.decode())


def test_stripes_own_library_agrees_on_what_is_signed() -> None:
    stripe = pytest.importorskip("stripe")
    assert stripe.WebhookSignature.verify_header(BODY, header(), SECRET)


def test_while_a_secret_is_replaced_both_are_good() -> None:
    for secret in ("whsec_old", "whsec_new"):
        assert verify(given=header(secret=secret), secrets=("whsec_old", "whsec_new"))


def test_stripe_may_sign_with_several_at_once() -> None:
    theirs = header(secret="whsec_old") + ",v1=" + header().partition("v1=")[2] + ",v0=abc"
    assert verify(given=theirs)


@pytest.mark.parametrize("seconds", [-300, -1, 0, 299, 300])
def test_five_minutes_either_way(seconds: int) -> None:
    assert verify(given=header(at=NOW + timedelta(seconds=seconds)))


STAMP = int(NOW.timestamp())
MAC = header().partition("v1=")[2]

FORGED: dict[str, tuple[bytes, str]] = {
    "another secret": (BODY, header(secret="whsec_two")),
    "an empty secret": (BODY, header(secret="")),
    "an altered body": (BODY.replace(b"evt_1", b"evt_2"), header()),
    "a space more": (BODY + b" ", header()),
    "an empty body": (b"", header()),
    "no header": (BODY, ""),
    "301 seconds old": (BODY, header(at=NOW - timedelta(seconds=301))),
    "301 seconds ahead": (BODY, header(at=NOW + timedelta(seconds=301))),
    "a year ahead": (BODY, header(at=NOW + timedelta(days=365))),
    "the time changed": (BODY, f"t={STAMP + 1},v1={MAC}"),
    "no time": (BODY, f"v1={MAC}"),
    "two times": (BODY, f"t={STAMP},t={STAMP},v1={MAC}"),
    "a time in words": (BODY, f"t=now,v1={MAC}"),
    "a negative time": (BODY, f"t=-{STAMP},v1={MAC}"),
    "a time in full-width digits": (BODY, f"t=１７７６,v1={MAC}"),
    "a time of a thousand digits": (BODY, f"t={'9' * 1000},v1={MAC}"),
    "only the old scheme": (BODY, f"t={STAMP},v0={MAC}"),
    "a signature cut short": (BODY, f"t={STAMP},v1={MAC[:-1]}"),
    "a signature in capitals": (BODY, f"t={STAMP},v1={MAC.upper()}"),
    "an empty signature": (BODY, f"t={STAMP},v1="),
    "a signature that is not ASCII": (BODY, f"t={STAMP},v1={'é' * 64}"),
    "commas only": (BODY, ",,,,"),
    "an endless header": (BODY, f"t={STAMP},v1={MAC}" + ",v1=" + "a" * 5000),
    "a header of another kind": (BODY, "Bearer sk_test_x"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_is_refused(kind: str) -> None:
    body, given = FORGED[kind]
    with pytest.raises(NotGenuine):
        verify(body, given)


def event(**other: Any) -> bytes:
    return json.dumps({**EVENT, **other}).encode()


NOT_EVENTS: dict[str, bytes] = {
    "nothing": b"",
    "not UTF-8": b"\xff\xfe{}",
    "not JSON": b"{'id': 1}",
    "half of it": BODY[:-1],
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "a number of ten thousand digits": b"9" * 10_000,
    "a hundred thousand brackets": b"[" * 100_000,
    "another object": event(object="charge"),
    "no id": event(id=None),
    "an id that is a number": event(id=1),
    "an id that is a list": event(id=["evt_1"]),
    "an id of another kind": event(id="ch_1"),
    "an id with a line break": event(id="evt_1\n"),
    "an id with half a character": b'{"object": "event", "id": "evt_\\ud800", "type": "a", "livemode": false}',
    "a very long id": event(id="evt_" + "a" * 200),
    "no type": event(type=None),
    "a type with a null byte": event(type="charge\x00"),
    "a very long type": event(type="a" * 81),
    "livemode as a word": event(livemode="true"),
    "livemode as a number": event(livemode=1),
}


@pytest.mark.parametrize("kind", NOT_EVENTS)
def test_rightly_signed_nonsense_is_refused_too(kind: str) -> None:
    with pytest.raises(NotGenuine) as refusal:
        verify(NOT_EVENTS[kind])
    assert refusal.value.code in ("not_json", "not_an_event")


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",)])
def test_without_a_secret_nothing_is_genuine(secrets: tuple[str, ...]) -> None:
    with pytest.raises(NotGenuine):
        verify(given=header(secret=secrets[0] if secrets else SECRET), secrets=secrets)
