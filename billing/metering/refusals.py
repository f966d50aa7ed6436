"""Events that were not charged, kept for staff: without any secret in them, and once however often they are resent."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from billing.metering.events import Refusal

SECRET = re.compile(r"\b(sk|gw)-[A-Za-z0-9_\-]{6,}")
PUBLIC_ID = re.compile(r"[A-Za-z]+_[A-Za-z0-9]{1,20}")
LONGEST_BODY = 4_000
LONGEST_TEXT = 300

KEEP = """
INSERT INTO usage_refused (received_at, gateway_id, reason, detail, event_id, body)
SELECT %s, %s, r.reason, r.detail, r.event_id, r.body::jsonb
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS r(reason, detail, event_id, body)
ON CONFLICT DO NOTHING
"""


def keep(cursor: psycopg.Cursor[Any], refused: Sequence[Refusal], *, gateway_id: int, now: datetime) -> None:
    """Stores them in the transaction of their batch. The same refusal of the same gateway is stored once."""
    # In one order everywhere, so that two batches with the same refusals never wait in a circle.
    rows = sorted(
        (refusal.reason.value, masked(refusal.detail), shown_id(refusal.id) or "", stored(refusal.body))
        for refusal in refused
    )
    cursor.execute(KEEP, [now, gateway_id, *(list(column) for column in zip(*rows))], prepare=False)


def looks_like_a_secret(key: str) -> bool:
    return key.startswith("sk-") or SECRET.search(key) is not None


def masked(text: str) -> str:
    """The text with any secret in it reduced to what it was, and nothing PostgreSQL cannot store."""
    return SECRET.sub(lambda found: f"{found.group(1)}-…", text.replace("\0", "\ufffd"))


def shown_id(id_: str | None) -> str | None:
    return masked(id_)[:64] if id_ is not None else None


def stored(body: Any) -> str:
    """The event as JSON text without secrets, cut when somebody sends a novel."""
    text = json.dumps(_cleaned(body), ensure_ascii=False)
    if len(text) <= LONGEST_BODY:
        return text
    return json.dumps({"cut": text[:LONGEST_BODY]}, ensure_ascii=False)


def _cleaned(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {_text(key): _cleaned(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    if isinstance(value, str):
        if name == "key" and not PUBLIC_ID.fullmatch(value):
            # Whatever it is, it is not a public id; it might be a secret of another form.
            return _text(value[:8] + "…")
        return _text(value)
    return value


def _text(text: str) -> str:
    whole = masked(text)
    return whole if len(whole) <= LONGEST_TEXT else whole[:LONGEST_TEXT] + "…"
