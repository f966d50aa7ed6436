"""Is this really from Stripe? Pure: raw bytes, header, secrets and the clock in; the event or a named refusal out.

Stripe's own library takes timestamps from the future and raises several kinds of error on malformed input. Here the
time may be five minutes off either way, and everything else is one `NotGenuine`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)
TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,120}", re.ASCII)
EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,80}", re.ASCII)
HEADER_LENGTH = 4096


class NotGenuine(ValueError):
    """Not from Stripe, too old, or not an event. `code` is for machines, the message says what is wrong."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Event:
    """What is taken from the body unread otherwise. `text` is the body as it came."""

    id: str
    type: str
    livemode: bool
    text: str


def verify(body: bytes, header: str, *, secrets: Sequence[str], now: datetime) -> Event:
    """The event, when one of the secrets signed exactly these bytes within the last five minutes. Raises NotGenuine."""
    timestamp, signatures = _parts(header)
    signed = timestamp.encode() + b"." + body
    if not any(_signed_by(secret, signed, signatures) for secret in secrets if secret.strip()):
        raise NotGenuine("signature_mismatch", "No signature in Stripe-Signature matches this body.")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise NotGenuine("timestamp_out_of_range", "The signature was not made within five minutes of now.")
    return _event(body)


def _parts(header: str) -> tuple[str, list[str]]:
    if not header:
        raise NotGenuine("signature_missing", "The header Stripe-Signature is missing.")
    if len(header) > HEADER_LENGTH:
        raise NotGenuine("signature_malformed", "The header Stripe-Signature is too long.")
    pairs = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name.strip() == "t"]
    signatures = [value for name, _, value in pairs if name.strip() == "v1" and SIGNATURE.fullmatch(value)]
    if len(times) != 1 or not TIMESTAMP.fullmatch(times[0]):
        raise NotGenuine("signature_malformed", "The header Stripe-Signature has no timestamp that can be read.")
    if not signatures:
        raise NotGenuine("signature_malformed", "The header Stripe-Signature has no v1 signature.")
    return times[0], signatures


def _signed_by(secret: str, signed: bytes, signatures: list[str]) -> bool:
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


def _event(body: bytes) -> Event:
    try:
        text = body.decode()
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotGenuine("not_json", "The body is not JSON in UTF-8.") from error
    if not isinstance(given, dict) or given.get("object") != "event":
        raise NotGenuine("not_an_event", "The body is not an event.")
    id, type, livemode = given.get("id"), given.get("type"), given.get("livemode")
    if not isinstance(id, str) or not EVENT_ID.fullmatch(id):
        raise NotGenuine("not_an_event", "The event has no id that can be read.")
    if not isinstance(type, str) or not EVENT_TYPE.fullmatch(type):
        raise NotGenuine("not_an_event", "The event has no type that can be read.")
    if not isinstance(livemode, bool):
        raise NotGenuine("not_an_event", "The event does not say whether it is live.")
    return Event(id, type, livemode, text)
