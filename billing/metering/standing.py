"""Who pays, at which price, or why not: what holds for a key and a model over the time of a batch.

The state of keys, models, prices and coverage is read fresh for each batch, in three small queries; the decision is pure.
It is taken once, at acceptance, and never revised (A6).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

import psycopg

from billing.coverage.models import ANY_MODEL, Payer
from billing.metering.events import Reason

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
PAYERS = {payer.value: payer for payer in Payer}


class Base(NamedTuple):
    """Who pays where nothing covers. `since` matters for the marketplace alone, and is read for it alone."""

    payer: Payer
    since: datetime = BEGINNING


class Key(NamedTuple):
    """A key, whose it is, and when it ends."""

    id: int
    org_id: int
    base: Base
    revoked_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """`prices`: (valid from, price id) in order of time."""

    id: int
    refused_from: datetime | None = None
    prices: Sequence[tuple[datetime, int]] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of coverage; model 0 tells the past of the base payer."""

    id: int
    model_id: int
    payer: Payer
    start: datetime
    end: datetime


class Rate(NamedTuple):
    """How an event is charged: everything about it but its tokens and its time."""

    org_id: int
    key_id: int
    coverage_id: int | None
    price_id: int
    model_id: int
    payer: Payer


Verdict = Rate | Reason
Verdicts = Sequence[tuple[datetime, datetime, Verdict]]
"""(from, to, verdict), half-open, without gaps over the time of the batch."""


def decide(key: Key | None, model: Model | None, spans: Sequence[Span], at: datetime) -> Verdict:
    """What holds for usage that occurred at `at`."""
    if key is None:
        return Reason.UNKNOWN_KEY
    if key.revoked_at is not None and at >= key.revoked_at:
        return Reason.KEY_REVOKED
    if key.expires_at is not None and at >= key.expires_at:
        return Reason.KEY_EXPIRED
    if model is None:
        return Reason.UNKNOWN_MODEL
    if model.refused_from is not None and at >= model.refused_from:
        return Reason.DEPRECATED
    price_id = price_in_force(model, at)
    if price_id is None:
        return Reason.NO_PRICE
    payer, coverage_id = who_pays(key.base, model.id, spans, at)
    return Rate(key.org_id, key.id, coverage_id, price_id, model.id, payer)


def price_in_force(model: Model, at: datetime) -> int | None:
    """The version of the greatest start that is not after `at`."""
    for valid_from, price_id in reversed(model.prices):
        if valid_from <= at:
            return price_id
    return None


def who_pays(base: Base, model_id: int, spans: Sequence[Span], at: datetime) -> tuple[Payer, int | None]:
    """Coverage goes by the time of occurrence alone. Uncovered use is paid by credit if there was any at acceptance (that
    is `base`) or when it occurred (that is the history); else it is free, which only a Personal organization can be."""
    past = None
    for span in spans:
        if span.start <= at < span.end:
            if span.model_id == model_id:
                return span.payer, span.id
            if span.model_id == ANY_MODEL:
                past = span.payer
    if past is None or past == base.payer:
        return base.payer, None
    before_marketplace = base.payer == Payer.MARKETPLACE and at < base.since
    if past == Payer.MARKETPLACE or base.payer == Payer.FREE or before_marketplace:
        return past, None
    return base.payer, None


@dataclass
class Standing:
    """What a batch needs to know about usage from `first` to `last`. `verdicts` answers for a pair of names, most often
    with one span for all of that time."""

    first: datetime
    last: datetime
    keys: dict[str, Key]
    models: dict[str, Model]
    spans: dict[int, list[Span]]
    _told: dict[tuple[str, str], Verdicts] = field(default_factory=dict)
    _turns_of_model: dict[str, set[datetime]] = field(default_factory=dict)

    def verdicts(self, key_name: str, model_name: str) -> Verdicts:
        pair = (key_name, model_name)
        told = self._told.get(pair)
        if told is None:
            told = self._told[pair] = self._decided(key_name, model_name)
        return told

    def _decided(self, key_name: str, model_name: str) -> Verdicts:
        key, model = self.keys.get(key_name), self.models.get(model_name)
        spans = self.spans.get(key.org_id, ()) if key else ()
        turns = self._turns(key, model, model_name, spans)
        if not turns:
            return [(BEGINNING, END, decide(key, model, spans, self.first))]
        starts = [self.first, *sorted(turns)]
        return [(start, end, decide(key, model, spans, start)) for start, end in zip(starts, [*starts[1:], END])]

    def _turns(self, key: Key | None, model: Model | None, name: str, spans: Sequence[Span]) -> set[datetime]:
        """The instants after the first at which the answer can change."""
        turns: set[datetime] = set()
        if model is not None:
            kept = self._turns_of_model.get(name)
            if kept is None:
                starts = [valid_from for valid_from, _ in model.prices]
                kept = self._turns_of_model[name] = self._within(model.refused_from, *starts)
            turns |= kept
        if key is not None and (key.revoked_at or key.expires_at or spans or key.base.payer == Payer.MARKETPLACE):
            bounds = [instant for span in spans for instant in (span.start, span.end)]
            turns |= self._within(key.revoked_at, key.expires_at, key.base.since, *bounds)
        return turns

    def _within(self, *instants: datetime | None) -> set[datetime]:
        return {instant for instant in instants if instant is not None and self.first < instant <= self.last}


# --- Reading it ----------------------------------------------------------------------------------------------------------

KEYS = """
SELECT k.public_id, k.id, k.org_id, k.revoked_at, k.expires_at, b.payer, CASE WHEN b.payer = 5 THEN b.since END
FROM api_key k JOIN payer_base b ON b.org_id = k.org_id WHERE k.public_id = ANY(%s)
"""
MODELS = """
SELECT m.slug, m.id, m.deprecated_on, p.valid_from, p.id
FROM ai_model m LEFT JOIN price p ON p.model_id = m.id WHERE m.slug = ANY(%s) ORDER BY m.id, p.valid_from
"""
SPANS = """
SELECT org_id, id, model_id, payer, valid_from, valid_to FROM coverage
WHERE org_id = ANY(%s) AND valid_to > %s AND valid_from <= %s
"""


def read(
    cursor: psycopg.Cursor[Any],
    key_names: Collection[str],
    model_names: Collection[str],
    first: datetime,
    last: datetime,
) -> Standing:
    """Reads what is known of these names, for usage that occurred from `first` to `last`. Unknown names stay absent."""
    cursor.execute(KEYS, [_plausible(key_names, 24)])
    keys = {
        name: Key(id_, org_id, Base(PAYERS[payer], since or BEGINNING), revoked_at, expires_at)
        for name, id_, org_id, revoked_at, expires_at, payer, since in cursor.fetchall()
    }
    cursor.execute(MODELS, [_plausible(model_names, 64)])
    models = _models(cursor.fetchall())
    spans: dict[int, list[Span]] = defaultdict(list)
    if keys:
        cursor.execute(SPANS, [list({key.org_id for key in keys.values()}), first, last])
        for org_id, id_, model_id, payer, start, end in cursor.fetchall():
            spans[org_id].append(Span(id_, model_id, PAYERS[payer], start, end))
    return Standing(first, last, keys, models, spans)


def _plausible(names: Collection[str], longest: int) -> list[str]:
    """Names that could exist. A secret sent by mistake is longer, and never gets as far as a statement."""
    return [name for name in names if len(name) <= longest and "\0" not in name and not name.startswith("sk-")]


def _models(rows: Sequence[tuple[Any, ...]]) -> dict[str, Model]:
    prices: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    heads: dict[str, tuple[int, datetime | None]] = {}
    for slug, id_, deprecated_on, valid_from, price_id in rows:
        refused_from = None
        if deprecated_on is not None:
            refused_from = datetime.combine(deprecated_on + timedelta(days=1), time.min, UTC)
        heads[slug] = (id_, refused_from)
        if price_id is not None:
            prices[slug].append((valid_from, price_id))
    return {slug: Model(id_, refused_from, prices[slug]) for slug, (id_, refused_from) in heads.items()}
