"""The one hot read: a key and all that decides its answer, in one prepared statement on the persistent connection.

Models, plans and rate limits come from the catalog in memory, whose stamp is read along. Answers are kept in this
process for at most two seconds, refusals as long as permissions, so that a 402 appears and clears within seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

import msgspec
import psycopg
from django.db import connection

from billing import periods
from billing.catalog import current
from billing.catalog.current import Stamp
from billing.catalog.offer import Windows
from billing.coverage.models import Payer
from billing.ledger.balances import HELD
from billing.limits import entitlements
from billing.limits.answers import Answer
from billing.limits.entitlements import Agreed, Picture, Span
from billing.money import ZERO, from_cents

KEPT_FOR = timedelta(seconds=2)
MOST_KEPT = 50_000
PREPARE_AT_ONCE = 0

SPANS = """
    SELECT json_agg(json_build_object(
        'model_id', c.model_id, 'payer', c.payer, 'source_id', c.source_id,
        'valid_from', c.valid_from, 'valid_to', c.valid_to, 'used', coalesce(d.tokens, 0),
        'agreed', CASE WHEN c.payer = 4 THEN (
            SELECT json_build_object(
                'windows', json_build_array(q.requests_per_minute, q.requests_per_hour, NULL, q.tokens_per_minute,
                    q.tokens_per_hour, NULL),
                'closes_at', (SELECT min(u.closes_at) FROM contract_due u
                    WHERE u.contract_id = r.id AND u.stage IN ('due', 'no_card', 'unpaid')),
                'over', EXISTS (SELECT FROM contract_month m
                    WHERE m.contract_id = r.id AND m.period = %(month)s::date AND m.total >= m.tokens
                        AND (m.total - m.tokens) * r.overage_usd * 100 >= r.overage_limit_cents),
                'limit_cents', r.overage_limit_cents)
            FROM contract r JOIN contract_model q ON q.contract_id = r.id AND q.model_id = c.model_id
            WHERE r.id = c.source_id) END))
    FROM coverage c
    LEFT JOIN allowance_day d ON d.org_id = c.org_id AND d.day = %(day)s::date AND d.coverage_id = c.id
    WHERE c.org_id = w.org_id AND c.valid_to > %(day)s AND c.model_id <> 0
"""
"""The coverage of wallet `w` that had not ended when the day began, with what was used of it that day, as a sub-select."""

STOPPED = """
    SELECT json_object_agg(m.model_id, s.state)
    FROM subscription_model m JOIN subscription s ON s.id = m.subscription_id
    WHERE m.org_id = w.org_id AND m.open AND s.state IN ('past_due', 'suspended')
"""
"""The models of plans of wallet `w` that do not cover any more until something is paid or decided, as a sub-select."""

OWES = "SELECT d.balance < 0 FROM account d WHERE d.org_id = w.org_id AND d.code = 1110"
"""Whether claw-back debt of wallet `w` is open, as a sub-select."""
DISPUTED = """
    EXISTS (SELECT FROM dispute d WHERE d.org_id = w.org_id AND d.closed_at IS NULL AND (
        EXISTS (SELECT FROM dispute_movement m WHERE m.dispute_id = d.id)
        OR EXISTS (SELECT FROM account h
                   WHERE h.org_id = w.org_id AND h.code IN (2000, 2010) AND NOT h.exhausted AND h.held)))
"""
"""Whether a dispute that is open holds credit of wallet `w`, or has withdrawn it."""

UNPAID = """
    EXISTS (SELECT FROM settlement s JOIN account o ON o.org_id = s.org_id AND o.code = 1100 AND o.balance < 0
            WHERE s.org_id = w.org_id AND s.stage = 'unpaid')
"""
"""Whether the charge of a month end was given up, and wallet `w` still owes: whatever pays that ends it."""

FACTS = f"""
SELECT k.id, k.public_id, o.name, o.kind = 'personal', w.posted - w.accrued - ({HELD}), b.payer, coalesce(a.version, 0),
    k.revoked_at, k.expires_at, k.cap_usd,
    CASE WHEN k.cap_usd IS NOT NULL THEN
        (SELECT s.spent FROM key_spend s WHERE s.key_id = k.id AND s.month = %(month)s::date) END,
    CASE WHEN b.covered THEN ({SPANS}) END,
    (SELECT min(g.expires_at) FROM account g
     WHERE g.org_id = w.org_id AND g.code IN (2000, 2010) AND NOT g.exhausted AND g.expires_at > %(now)s),
    ({OWES}), ({DISPUTED}), ({UNPAID}), CASE WHEN b.covered THEN ({STOPPED}) END, k.last_used_at, z.version, z.changed_at
FROM {{keys}} k
JOIN organization o ON o.id = k.org_id
JOIN wallet w ON w.org_id = k.org_id
JOIN payer_base b ON b.org_id = k.org_id
JOIN limits_answer z ON z.org_id = 0
LEFT JOIN limits_answer a ON a.org_id = k.org_id
"""
OF_A_KEY = FACTS.format(keys="api_key")
BY_HASH = OF_A_KEY + "WHERE k.hash = %(hash)s"
BY_PUBLIC_ID = OF_A_KEY + "WHERE k.public_id = %(public_id)s"
MANY = OF_A_KEY + "WHERE k.id = ANY(%(ids)s)"
ANY_KEY = FACTS.format(
    keys="""(
        SELECT org_id AS id, '' AS public_id, org_id, NULL::timestamptz AS revoked_at, NULL::timestamptz AS expires_at,
            NULL::numeric AS cap_usd, NULL::timestamptz AS last_used_at
        FROM unnest(%(orgs)s::bigint[]) AS org_id
    )"""
)
"""For an organization: what a key of it would be told that is live and has no cap."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer with what the door needs beside it. `body`: its JSON, made once."""

    key_id: int
    answer: Answer
    body: bytes
    last_used_at: datetime | None


class _Kept(NamedTuple):
    told: Told | None
    until: datetime


_kept: dict[bytes | str, _Kept] = {}


def by_hash(sha256: bytes, *, now: datetime) -> Told | None:
    """What the key with this SHA-256 may do; None: there is no such key."""
    return _remembered(sha256, BY_HASH, "hash", now)


def by_public_id(public_id: str, *, now: datetime) -> Told | None:
    """The same for a key named by its public id, which opens nothing by itself: see `resolved`."""
    return _remembered(public_id, BY_PUBLIC_ID, "public_id", now)


def of_keys(key_ids: Iterable[int], *, now: datetime) -> dict[int, Told]:
    """Key id -> answer, freshly read in one statement."""
    rows = _read(MANY, {"ids": list(key_ids)}, now, prepare=False)
    return {row[0]: _told(row, now) for row in rows}


def pictures(org_ids: Iterable[int], *, now: datetime) -> dict[int, Picture]:
    """Organization -> the facts for any key of it, read in one statement; for pages."""
    with connection.cursor() as cursor:
        cursor.execute(ANY_KEY, {"orgs": list(org_ids), **_moments(now)})
        return {row[0]: picture(row[1:-3]) for row in cursor.fetchall()}


def of_one_key(public_id: str, org_ids: Iterable[int], *, now: datetime) -> tuple[int, Picture] | None:
    """The organization and the facts of a key that belongs to one of these, None where there is none; for pages."""
    statement = BY_PUBLIC_ID.replace("SELECT k.id,", "SELECT k.org_id,", 1) + " AND k.org_id = ANY(%(orgs)s)"
    with connection.cursor() as cursor:
        cursor.execute(statement, {"public_id": public_id, "orgs": list(org_ids), **_moments(now)})
        row = cursor.fetchone()
        return (row[0], picture(row[1:-3])) if row else None


def forget() -> None:
    """Drop what this process kept."""
    _kept.clear()


def _remembered(name: bytes | str, statement: str, parameter: str, now: datetime) -> Told | None:
    kept = _kept.get(name)
    if kept is not None and now < kept.until:
        return kept.told
    rows = _read(statement, {parameter: name}, now, prepare=True)
    told = _told(rows[0], now) if rows else None
    if len(_kept) >= MOST_KEPT:
        # All of it is at most two seconds old, so there is nothing worth choosing among.
        _kept.clear()
    _kept[name] = _Kept(told, min(now + KEPT_FOR, told.answer.valid_until) if told else now + KEPT_FOR)
    return told


def _read(statement: str, parameters: dict[str, Any], now: datetime, *, prepare: bool) -> list[tuple[Any, ...]]:
    """Bound by the server and, for one key, prepared there: planning this takes many times as long as running it."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    # Django switches preparing off for its connections as a whole, so it is on for this statement alone.
    usual, raw.prepare_threshold = raw.prepare_threshold, PREPARE_AT_ONCE
    try:
        with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
            cursor.execute(statement, parameters | _moments(now), prepare=prepare, binary=True)
            return cursor.fetchall()
    finally:
        raw.prepare_threshold = usual


def _moments(now: datetime) -> dict[str, datetime | date]:
    return {"now": now, "day": periods.floor_day(now), "month": periods.month_of(now)}


def _told(row: tuple[Any, ...], now: datetime) -> Told:
    *facts, last_used_at, version, changed_at = row
    catalog = current.at_stamp(Stamp(version, changed_at))
    answer = entitlements.answer(picture(facts[1:]), catalog, now=now)
    return Told(cast(int, facts[0]), answer, msgspec.json.encode(answer), last_used_at)


def picture(facts: Sequence[Any]) -> Picture:
    public_id, name, personal, available, base, version, revoked_at, expires_at, cap, spent, spans, *money = facts
    credit_ends, owes, disputed, unpaid, stopped = money
    return Picture(
        public_id=public_id,
        organization=name,
        personal=personal,
        available=available,
        base=Payer(base),
        version=version,
        revoked_at=revoked_at,
        expires_at=expires_at,
        cap=cap,
        spent=spent or ZERO,
        spans=spans_of(spans),
        credit_ends=credit_ends,
        owes=bool(owes),
        disputed=disputed,
        unpaid=unpaid,
        stopped={int(model_id): state for model_id, state in (stopped or {}).items()},
    )


def spans_of(rows: list[dict[str, Any]] | None) -> tuple[Span, ...]:
    return tuple(
        Span(
            row["model_id"],
            Payer(row["payer"]),
            row["source_id"],
            datetime.fromisoformat(row["valid_from"]),
            datetime.fromisoformat(row["valid_to"]),
            row["used"],
            _agreed(row["agreed"]),
        )
        for row in rows or ()
    )


def _agreed(row: dict[str, Any] | None) -> Agreed | None:
    if row is None:
        return None
    closes_at = datetime.fromisoformat(row["closes_at"]) if row["closes_at"] else None
    return Agreed(Windows(*row["windows"]), closes_at, row["over"], from_cents(row["limit_cents"]))
