"""What a key may do, decided from a frozen picture of the facts. Pure: the same picture gives the same answer.

The order of refusals (A24): the key; the model; who covers it, with the plan's allowance; then credit, the key's cap,
and free usage for Personal organizations. A disputed payment comes before credit (A2), and so does a month that could not be
charged (A43).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from billing import periods
from billing.catalog import prices
from billing.catalog.offer import FREE, PAYG, Catalog, Model, Plan, Windows
from billing.coverage.models import Payer
from billing.limits import remedies
from billing.limits.answers import NOTHING, STATUS, Allowance, Answer, Limits, ModelAnswer, Reason

TTL = timedelta(seconds=10)
"""How long any answer is served (A38)."""
STALE = timedelta(minutes=5)
"""How long a yes may be served while Purser cannot be reached (A38)."""

UNCOVERED = {Payer.CREDITS: PAYG, Payer.FREE: FREE}
OTHERS = {Payer.CONTRACT: "contract", Payer.MARKETPLACE: "marketplace"}
"""Who has no rate limits of its own in the catalog has those of pay-as-you-go; a contract has its own."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a contract says of a model, and how it stands. `closes_at`: from then on something of it is unpaid for too
    long. `over`: overage of this UTC month has reached its limit, `limit` in USD."""

    windows: Windows
    closes_at: datetime | None
    over: bool
    limit: Decimal


@dataclass(frozen=True, slots=True)
class Span:
    """One payer for one model over [valid_from, valid_to). Of a plan `source_id` is the plan's id, of a contract its own.

    `used`: tokens counted under it on the UTC day of the picture. `agreed`: of a contract alone.
    """

    model_id: int
    payer: Payer
    source_id: int | None
    valid_from: datetime
    valid_to: datetime
    used: int = 0
    agreed: Agreed | None = None

    def covers(self, model_id: int, at: datetime) -> bool:
        return self.model_id == model_id and self.valid_from <= at < self.valid_to


@dataclass(frozen=True, slots=True)
class Picture:
    """All that one answer depends on, besides the catalog and the moment. Money in USD.

    `spans`: coverage that had not ended when the UTC day began. `credit_ends`: the next expiry of a grant that has a rest.
    `owes`: claw-back debt is open. `disputed`: an open dispute holds credit. `unpaid`: what a month end left could not be
    charged, and is still owed. `stopped`: models whose plan is `past_due` or `suspended`, which where no span covers them is
    why.
    """

    public_id: str
    organization: str
    personal: bool
    available: Decimal
    base: Payer
    version: int = 0
    revoked_at: datetime | None = None
    expires_at: datetime | None = None
    cap: Decimal | None = None
    spent: Decimal = Decimal(0)
    spans: tuple[Span, ...] = ()
    credit_ends: datetime | None = None
    owes: bool = False
    disputed: bool = False
    unpaid: bool = False
    stopped: Mapping[int, str] = field(default_factory=dict)

    @property
    def closed_by_dispute(self) -> bool:
        """Pay as you go is closed while debt is open, and when nothing is left beside what a dispute holds (A2)."""
        return self.owes or (self.disputed and self.available <= 0)

    @property
    def capped(self) -> bool:
        return self.cap is not None and self.spent >= self.cap


def answer(picture: Picture, catalog: Catalog, *, now: datetime) -> Answer:
    """What the key of this picture may do at `now`, and until when that is known to hold."""
    refusal = _key_refusal(picture, now)
    models = [] if refusal else [for_model(picture, model, catalog, now=now) for model in catalog.models]
    boundary = next_boundary(picture, catalog, now=now)
    valid_until, stale_until = (min(now + span, boundary) if boundary else now + span for span in (TTL, STALE))
    return Answer(
        key=picture.public_id,
        version=picture.version,
        http_status=401 if refusal else 200,
        valid_until=valid_until,
        stale_until=stale_until,
        max_age=int((valid_until - now).total_seconds()),
        models=models,
        reason=refusal,
        remedy=remedies.for_key(refusal, picture.expires_at) if refusal else None,
    )


def for_model(picture: Picture, model: Model, catalog: Catalog, *, now: datetime) -> ModelAnswer:
    """The answer for one model, for a key that is itself in order."""
    if model.is_retired(now):
        return _refused(model, Reason.MODEL_RETIRED, remedies.retired(model, catalog))
    span = next((span for span in picture.spans if span.covers(model.id, now)), None)
    if span is None and model.id in picture.stopped:
        return _plan_stopped(picture, model)
    payer = span.payer if span else _uncovered_payer(picture)
    plan = catalog.plan(span.source_id) if span and payer == Payer.SUBSCRIPTION else None
    tier, windows = _tier(model, payer, plan)
    agreed = span.agreed if span else None
    if agreed is not None:
        windows = agreed.windows
    if windows is None or not _has_price(model, now):
        return _refused(model, Reason.NOT_OFFERED, remedies.not_offered(model, tier, catalog))
    if plan is not None:
        return _under_plan(picture, model, plan, windows, catalog, now)
    if agreed is not None and agreed.closes_at is not None and agreed.closes_at <= now:
        return _refused(model, Reason.CONTRACT_PAST_DUE, remedies.contract_past_due(picture.organization))
    if agreed is not None and agreed.over:
        return _refused(model, Reason.CONTRACT_OVERAGE_LIMIT, remedies.contract_overage_limit(agreed.limit, now))
    if span is None and payer in UNCOVERED:
        if payer == Payer.CREDITS and picture.closed_by_dispute:
            remedy = remedies.payment_disputed(picture.organization, owes=picture.owes)
            return _refused(model, Reason.PAYMENT_DISPUTED, remedy)
        if not picture.personal and picture.available <= 0 and picture.unpaid:
            return _refused(model, Reason.SETTLEMENT_UNPAID, remedies.settlement_unpaid(picture.organization))
        if not picture.personal and picture.available <= 0:
            return _refused(model, Reason.NO_CREDIT, remedies.no_credit(picture.organization))
        if picture.capped:
            return _refused(model, Reason.KEY_CAP, remedies.key_cap(picture.cap or Decimal(0), now))
    return _granted(model, tier, payer, windows)


def allowance(picture: Picture, plan: Plan, catalog: Catalog, *, now: datetime) -> Allowance:
    """The plan family's tokens of this UTC day: with two plans on one day the higher allowance, all use counted (A23)."""
    start = periods.floor_day(now)
    family = {other.id: other for other in catalog.plans if other.covers & plan.covers}
    today = [
        span
        for span in picture.spans
        if span.payer == Payer.SUBSCRIPTION
        and span.source_id in family
        and span.valid_from <= now
        and span.valid_to > start
    ]
    limit = max((family[span.source_id].daily_tokens for span in today if span.source_id), default=plan.daily_tokens)
    return Allowance(max(limit, plan.daily_tokens), sum(span.used for span in today), start + periods.DAY)


def next_boundary(picture: Picture, catalog: Catalog, *, now: datetime) -> datetime | None:
    """The next instant at which the answer may change by the clock alone (A37), so that it then does, in time."""
    moments: list[datetime | None] = [picture.expires_at, picture.credit_ends]
    moments += [model.refused_from for model in catalog.models]
    moments += [version.valid_from for model in catalog.models for version in model.prices[:1]]
    for span in picture.spans:
        moments += [span.valid_from, span.valid_to, span.agreed.closes_at if span.agreed else None]
    if any(span.payer == Payer.SUBSCRIPTION for span in picture.spans):
        moments.append(periods.floor_day(now) + periods.DAY)
    if picture.cap is not None or any(span.payer == Payer.CONTRACT for span in picture.spans):
        moments.append(periods.month_start(periods.next_month(periods.month_of(now))))
    return min((at for at in moments if at is not None and at > now), default=None)


def exhausted(picture: Picture, catalog: Catalog, *, now: datetime) -> list[int]:
    """The ids of the models whose plan allowance of the day is used up."""
    return sorted(
        model.id
        for model in catalog.models
        if for_model(picture, model, catalog, now=now).reason == Reason.DAILY_ALLOWANCE
    )


def contracted(picture: Picture, catalog: Catalog, *, now: datetime) -> list[tuple[int, str]]:
    """The ids of the models that a contract covers, each with why it is closed, or nothing."""
    covered = {
        span.model_id for span in picture.spans if span.payer == Payer.CONTRACT and span.covers(span.model_id, now)
    }
    return sorted(
        (model.id, for_model(picture, model, catalog, now=now).reason or "")
        for model in catalog.models
        if model.id in covered
    )


def _key_refusal(picture: Picture, now: datetime) -> Reason | None:
    if picture.revoked_at is not None:
        return Reason.KEY_REVOKED
    if picture.expires_at is not None and picture.expires_at <= now:
        return Reason.KEY_EXPIRED
    return None


def _uncovered_payer(picture: Picture) -> Payer:
    """Judged by the balance of this moment, not by the recorded base payer, which follows it within seconds."""
    if picture.base == Payer.MARKETPLACE:
        return Payer.MARKETPLACE
    if picture.personal and picture.available <= 0:
        return Payer.FREE
    return Payer.CREDITS


def _tier(model: Model, payer: Payer, plan: Plan | None) -> tuple[str, Windows | None]:
    if plan is not None:
        return plan.tier, model.tiers.get(plan.tier)
    tier = UNCOVERED.get(payer, PAYG)
    return OTHERS.get(payer, tier), model.tiers.get(tier)


def _has_price(model: Model, now: datetime) -> bool:
    try:
        prices.in_force(model, now)
    except prices.NoPrice:
        return False
    return True


def _under_plan(
    picture: Picture, model: Model, plan: Plan, windows: Windows, catalog: Catalog, now: datetime
) -> ModelAnswer:
    left = allowance(picture, plan, catalog, now=now)
    if left.used >= left.limit:
        remedy = remedies.daily_allowance(plan, left.limit, left.reset_at)
        return msgspec.structs.replace(_refused(model, Reason.DAILY_ALLOWANCE, remedy), allowance=left)
    return msgspec.structs.replace(_granted(model, plan.tier, Payer.SUBSCRIPTION, windows), allowance=left)


def _plan_stopped(picture: Picture, model: Model) -> ModelAnswer:
    """Credit never steps in for a plan that is past due or suspended (A24)."""
    if picture.stopped[model.id] == "suspended":
        return _refused(model, Reason.PLAN_DISPUTED, remedies.plan_disputed(picture.organization))
    return _refused(model, Reason.PLAN_PAST_DUE, remedies.plan_past_due(picture.organization))


def _granted(model: Model, tier: str, payer: Payer, windows: Windows) -> ModelAnswer:
    return ModelAnswer(
        model=model.slug,
        http_status=200,
        limits=Limits(
            windows.requests_per_minute,
            windows.requests_per_hour,
            windows.requests_per_day,
            windows.tokens_per_minute,
            windows.tokens_per_hour,
            windows.tokens_per_day,
        ),
        tier=tier,
        payer=payer.name.lower(),
        ends_at=model.refused_from,
    )


def _refused(model: Model, reason: Reason, remedy: str) -> ModelAnswer:
    status = STATUS[reason]
    assert status != 401, "a model is never refused for the key"
    return ModelAnswer(
        model=model.slug, http_status=status, limits=NOTHING, reason=reason, remedy=remedy, ends_at=model.refused_from
    )
