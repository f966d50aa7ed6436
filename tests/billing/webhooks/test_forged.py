"""Everything that Stripe did not send just now, at the real door: refused with a reason, stored nowhere, asked of nobody."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from billing import queue
from billing.webhooks.models import InboxEvent
from sandbox.stripe.webhooks import signature
from tests.billing.webhooks.test_signature import NOT_EVENTS
from tests.factories.paying import post
from tests.figures import Record

pytestmark = [pytest.mark.money, pytest.mark.django_db]

OLD, NEW = "whsec_being_replaced", "whsec_of_the_tests"
EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "charge.succeeded",
    "livemode": False,
    "data": {"object": {"id": "ch"}},
}
BODY = json.dumps(EVENT).encode()
MINUTE, DAY = 60, 86_400


def signed(body: bytes = BODY, *, secret: str = NEW, ago: int = 0) -> str:
    return signature(secret, int(timezone.now().timestamp()) - ago, body)


def mac(header: str) -> str:
    return header.partition("v1=")[2]


def stamp() -> int:
    return int(timezone.now().timestamp())


Made = Callable[[], tuple[bytes, str]]
FORGED: dict[str, Made] = {
    # The time, either way.
    **{
        f"signed {seconds} s {'ago' if seconds > 0 else 'ahead'}": lambda seconds=seconds: (BODY, signed(ago=seconds))  # type: ignore[misc]
        for seconds in (302, 600, 3600, DAY, 365 * DAY, -302, -600, -3600, -DAY, -365 * DAY)
    },
    "the time moved on to now": lambda: (BODY, f"t={stamp()},v1={mac(signed(ago=600))}"),
    "the time moved by a second": lambda: (BODY, f"t={stamp() + 1},v1={mac(signed())}"),
    "no time": lambda: (BODY, f"v1={mac(signed())}"),
    "two times": lambda: (BODY, f"t={stamp()}," + signed()),
    "an empty time": lambda: (BODY, f"t=,v1={mac(signed())}"),
    "a time in words": lambda: (BODY, f"t=now,v1={mac(signed())}"),
    "a negative time": lambda: (BODY, f"t=-{stamp()},v1={mac(signed())}"),
    "a time with a fraction": lambda: (BODY, f"t={stamp()}.5,v1={mac(signed())}"),
    "a time of a thousand digits": lambda: (BODY, f"t={'9' * 1000},v1={mac(signed())}"),
    # The secret.
    "another secret": lambda: (BODY, signed(secret="whsec_two")),
    "an empty secret": lambda: (BODY, signed(secret="")),
    "the secret in capitals": lambda: (BODY, signed(secret=NEW.upper())),
    "the secret without its label": lambda: (BODY, signed(secret=NEW.removeprefix("whsec_"))),
    "the API key as secret": lambda: (BODY, signed(secret="sk_test_of_the_tests")),
    "both secrets as one": lambda: (BODY, signed(secret=f"{OLD},{NEW}")),
    "a secret that was taken out": lambda: (BODY, signed(secret="whsec_of_last_year")),
    # The body.
    "another id": lambda: (BODY.replace(b"evt_1", b"evt_2"), signed()),
    "another type": lambda: (BODY.replace(b"succeeded", b"refunded"), signed()),
    "live made of test": lambda: (BODY.replace(b"false", b"true"), signed()),
    "a space more": lambda: (BODY + b" ", signed()),
    "a line break more": lambda: (BODY + b"\n", signed()),
    "a byte order mark": lambda: (b"\xef\xbb\xbf" + BODY, signed()),
    "the same in another order": lambda: (json.dumps(dict(reversed(EVENT.items()))).encode(), signed()),
    "in UTF-16": lambda: (BODY.decode().encode("utf-16"), signed()),
    "empty": lambda: (b"", signed()),
    "half of it": lambda: (BODY[: len(BODY) // 2], signed()),
    "another's signature": lambda: (BODY, signed(b"{}")),
    # The header.
    "no header": lambda: (BODY, ""),
    "only the old scheme": lambda: (BODY, f"t={stamp()},v0={mac(signed())}"),
    "a scheme of the future": lambda: (BODY, f"t={stamp()},v2={mac(signed())}"),
    "the scheme in capitals": lambda: (BODY, f"t={stamp()},V1={mac(signed())}"),
    "several wrong signatures": lambda: (BODY, f"t={stamp()},v1={'a' * 64},v1={'b' * 64},v1={'c' * 64}"),
    "a signature cut short": lambda: (BODY, signed()[:-1]),
    "a signature with a digit more": lambda: (BODY, signed() + "0"),
    "a signature in capitals": lambda: (BODY, f"t={stamp()},v1={mac(signed()).upper()}"),
    "an empty signature": lambda: (BODY, f"t={stamp()},v1="),
    "zeros": lambda: (BODY, f"t={stamp()},v1={'0' * 64}"),
    "semicolons": lambda: (BODY, signed().replace(",", ";")),
    "commas only": lambda: (BODY, ",,,,"),
    "an endless header": lambda: (BODY, signed() + ",v1=" + "a" * 5000),
    "a header of another kind": lambda: (BODY, "Bearer sk_test_of_the_tests"),
    "JSON for a header": lambda: (BODY, json.dumps({"t": stamp(), "v1": mac(signed())})),
}


@pytest.fixture(autouse=True)
def asked(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two secrets, as while one is being replaced; and which work was asked for."""
    settings.STRIPE_WEBHOOK_SECRETS = [OLD, NEW]
    settings.STRIPE_SECRET_KEY = "sk_test_of_the_tests"
    names: list[str] = []
    monkeypatch.setattr(queue, "hint", lambda task: names.append(task.name))
    return names


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_is_refused_at_the_door(kind: str, asked: list[str], figures: Record) -> None:
    body, header = FORGED[kind]()
    answer = post(body, header=header)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in (
        "signature_missing",
        "signature_malformed",
        "signature_mismatch",
        "timestamp_out_of_range",
    )
    assert asked == []
    assert not InboxEvent.objects.exists()
    figures("forged_webhooks", forged=1, accepted=0)


@pytest.mark.parametrize("secret", [OLD, NEW])
@pytest.mark.parametrize("ago", [0, 290, -290])
def test_the_genuine_is_taken_with_either_secret_within_five_minutes(secret: str, ago: int, asked: list[str]) -> None:
    """The control: the door is not simply shut."""
    assert post(BODY, header=signed(secret=secret, ago=ago)).status_code == 200
    assert (InboxEvent.objects.count(), len(asked)) == (1, 1)


def test_one_right_signature_among_several_is_enough(asked: list[str]) -> None:
    """So Stripe signs while a secret is being replaced."""
    header = f"t={stamp()},v1={'a' * 64},v1={mac(signed())},v0={'b' * 64}"
    assert post(BODY, header=header).status_code == 200


@pytest.mark.parametrize("minutes", [0, 4])
def test_the_same_delivery_again_is_one_event(minutes: int, asked: list[str]) -> None:
    header = signed(ago=minutes * MINUTE)
    assert [post(BODY, header=header).status_code for _ in range(3)] == [200] * 3
    assert (InboxEvent.objects.count(), len(asked)) == (1, 1)


def test_the_same_event_signed_again_with_other_contents_changes_nothing(asked: list[str]) -> None:
    post(BODY, header=signed())
    other = BODY.replace(b'"ch"', b'"ch_other"')
    assert post(other, header=signed(other)).status_code == 200
    assert InboxEvent.objects.get().body == BODY.decode()


def test_there_are_enough_of_them() -> None:
    assert len(FORGED) >= 40
    assert len(FORGED) + len(NOT_EVENTS) >= 60
