"""Stripe's own lists and the books, compared both ways: what is safely ours is settled, and the rest is said to staff.

Every charge, refund and dispute at Stripe has its counterpart here with the same gross amount in account 1000, and whatever
moved account 1000 exists at Stripe (A61). What differs is read from Stripe once more, made so by the same functions that
webhooks use, and compared again: what still differs is a finding. A run can be made at any time, and two at once.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Min, QuerySet

from billing.money import ZERO
from billing.payments import booked, comparing, gateway, outcomes
from billing.payments.answers import Charge, Dispute, Refund
from billing.payments.booked import Named
from billing.payments.comparing import Difference, Judged
from billing.payments.reconciliations import Kind, Reconciliation, ReconciliationFinding, Thing

log = structlog.get_logger(__name__)

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(days=3)
"""So much of what the run before has seen is looked at again."""
IN_FLIGHT = timedelta(minutes=10)
"""What is younger may be on its way, and clocks differ: the next run sees it."""
ONCE_IN = timedelta(hours=20)
"""The nightly run is tried each hour until it was finished, once a night."""
PAGE = 100
ERROR_LENGTH = 500


class ApplyPayment(Protocol):
    def __call__(self, intent_id: UUID, outcome: outcomes.Outcome, *, now: datetime) -> object: ...


class ApplyRefund(Protocol):
    def __call__(self, told: Refund, *, now: datetime) -> object: ...


class ApplyDispute(Protocol):
    def __call__(self, told: Dispute, *, now: datetime) -> object: ...


@dataclass(frozen=True, slots=True)
class Apply:
    """How what Stripe says is made so: the functions of `billing.flows`, which lies above this room."""

    payment: ApplyPayment
    refund: ApplyRefund
    dispute: ApplyDispute


@dataclass(frozen=True, slots=True)
class Lane:
    """One of Stripe's lists. Its things change long after they were made, so it reaches back further than the run."""

    thing: Thing
    listed: Callable[[datetime], Iterator[Any]]
    read: Callable[[str], Any]
    judge: Callable[[list[Any]], dict[str, Judged]]
    changes_for: timedelta


LANES = (
    Lane(Thing.CHARGE, gateway.charges_since, gateway.read_charge, comparing.charges, timedelta(0)),
    # A bank may send a refund back for weeks; a dispute is decided after months.
    Lane(Thing.REFUND, gateway.refunds_since, gateway.read_refund, comparing.refunds, timedelta(days=35)),
    Lane(Thing.DISPUTE, gateway.disputes_since, gateway.read_dispute, comparing.disputes, timedelta(days=200)),
)


class NotFinished(Exception):
    """Stripe could not be asked about everything. `run` holds what was seen until then."""

    def __init__(self, run: Reconciliation) -> None:
        super().__init__(run.error)
        self.run = run


def reconcile(
    apply: Apply, *, now: datetime, since: datetime | None = None, say: Callable[[str], None] = lambda words: None
) -> Reconciliation:
    """Compare from `since` on (else from where the last run ended, three days earlier), and keep what was found.

    Raises NotFinished when Stripe could not be asked to the end. Not inside a transaction.
    """
    comparison = _Comparison(apply, _begin(now, since), now, say)
    try:
        comparison.compare()
    except (gateway.Unknown, gateway.Refused, gateway.Declined) as error:
        log.warning("stripe_not_reconciled", run=comparison.run.pk, error=str(error))
        comparison.finish(error=f"{type(error).__name__}: {error}"[:ERROR_LENGTH])
        raise NotFinished(comparison.run) from error
    comparison.finish()
    return comparison.run


def _begin(now: datetime, since: datetime | None) -> Reconciliation:
    before = _before(now)
    return Reconciliation.objects.create(
        started_at=now,
        since=since or (before.through - OVERLAP if before else None),
        through=now - IN_FLIGHT,
        by_hand=since is not None,
    )


def _before(now: datetime) -> Reconciliation | None:
    """The last run that saw everything from where the one before it had ended."""
    return _finished(now).filter(by_hand=False).order_by("-through").first()


def is_done(*, now: datetime) -> bool:
    """Tonight's run has seen everything."""
    return _finished(now).filter(by_hand=False, started_at__gt=now - ONCE_IN).exists()


def _finished(now: datetime) -> QuerySet[Reconciliation]:
    return Reconciliation.objects.filter(finished_at__isnull=False, error="", started_at__lte=now)


@dataclass
class _Comparison:
    """A run while it goes on."""

    apply: Apply
    run: Reconciliation
    begun: datetime
    say: Callable[[str], None]
    findings: list[ReconciliationFinding] = field(default_factory=list)
    seen: dict[Thing, set[str]] = field(default_factory=lambda: {lane.thing: set() for lane in LANES})
    here_cents: Decimal = ZERO
    started: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.begun + timedelta(seconds=time.monotonic() - self.started)

    def compare(self) -> None:
        for lane in LANES:
            self._from_there(lane)
        self._from_here()

    # --- Both ways -----------------------------------------------------------------------------------------------------

    def _from_there(self, lane: Lane) -> None:
        """Each thing at Stripe has its counterpart here."""
        since = max(self.run.since - lane.changes_for, BEGINNING) if self.run.since else BEGINNING
        settled = (told for told in lane.listed(since) if told.created <= self.run.through)
        while page := list(islice(settled, PAGE)):
            self._page(lane, page)
            self.say(f"{len(self.seen[lane.thing])} {lane.thing.label.lower()}s seen")

    def _from_here(self) -> None:
        """Whatever the books speak of, and whatever the run before found, exists at Stripe."""
        lanes = {lane.thing: lane for lane in LANES}
        for named in (*booked.between(self.run.since or BEGINNING, self.run.through), *self._found_before()):
            if named.thing == Thing.TRANSFER:
                words = "Account 1000 moved, and the cause is no payment, refund or dispute that is known at Stripe."
                self._find(named, Difference(Kind.NO_CAUSE, words, int(named.cents), None))
            elif named.provider_id not in self.seen[named.thing]:
                self._ask(lanes[named.thing], named)

    def _found_before(self) -> Iterator[Named]:
        """What did not agree is looked at again until it does, however long ago it happened."""
        before = _finished(self.begun).order_by("-started_at", "-pk").first()
        for found in before.findings.exclude(thing=Thing.TRANSFER) if before else ():
            yield Named(Thing(found.thing), found.provider_id, found.wallet_id, found.intent_id, ZERO)

    def _ask(self, lane: Lane, named: Named) -> None:
        """The list did not have it: made before its beginning, or unknown."""
        try:
            told = lane.read(named.provider_id)
        except gateway.Refused as error:
            if error.code != "resource_missing":
                raise
            self.seen[lane.thing].add(named.provider_id)
            words = f"The books speak of this {lane.thing.label.lower()}, and Stripe does not know it."
            self._find(named, Difference(Kind.UNKNOWN_THERE, words, int(named.cents), None))
        else:
            self._page(lane, [told])

    # --- One page ------------------------------------------------------------------------------------------------------

    def _page(self, lane: Lane, page: list[Any]) -> None:
        verdicts = lane.judge(page)
        for told in page:
            self.seen[lane.thing].add(told.id)
            judged = verdicts[told.id]
            self._count(judged if not judged.differences else self._again(lane, told.id))

    def _again(self, lane: Lane, id_: str) -> Judged:
        """It differs: as it is now, settled where that is safe. What differs still is a finding."""
        told = lane.read(id_)
        judged = lane.judge([told])[id_]
        failure = None
        if judged.differences and judged.safe:
            failure = self._settle(lane, told)
            judged = lane.judge([told])[id_]
        differences = [*judged.differences, *([failure] if failure and judged.differences else [])]
        for difference in differences:
            self._find(Named(lane.thing, id_, judged.org_id, judged.intent_id, judged.here_cents), difference)
        if not differences:
            self.run.healed += 1
            log.info("reconciled", thing=lane.thing.value, id=id_, org_id=judged.org_id)
        return judged

    def _settle(self, lane: Lane, told: Any) -> Difference | None:
        """Make what Stripe says so. One that fails does not stop the others."""
        try:
            if isinstance(told, Charge) and told.intent_id is not None:
                self.apply.payment(told.intent_id, _paid(told), now=self.now())
            elif isinstance(told, Refund):
                self.apply.refund(told, now=self.now())
            elif isinstance(told, Dispute):
                self.apply.dispute(told, now=self.now())
        except (gateway.Unknown, gateway.Refused, gateway.Declined):
            raise
        except Exception as error:
            log.exception("not_reconciled", thing=lane.thing.value, id=told.id)
            return Difference(Kind.NOT_APPLIED, f"{type(error).__name__}: {error}"[:ERROR_LENGTH])
        return None

    def _count(self, judged: Judged) -> None:
        self.run.not_ours += not judged.ours
        self.run.there_cents += judged.there_cents
        self.here_cents += judged.here_cents

    def _find(self, named: Named, difference: Difference) -> None:
        self.findings.append(
            ReconciliationFinding(
                run=self.run,
                kind=difference.kind,
                thing=named.thing,
                provider_id=named.provider_id,
                wallet_id=named.org_id,
                intent_id=named.intent_id,
                here_cents=difference.here_cents,
                there_cents=difference.there_cents,
                words=difference.words,
                first_seen_at=self.begun,
            )
        )

    # --- The end -------------------------------------------------------------------------------------------------------

    def finish(self, error: str = "") -> None:
        """Keep it, with what stood before under the moment it was first seen."""
        run = self.run
        run.charges, run.refunds, run.disputes = (len(self.seen[lane.thing]) for lane in LANES)
        run.here_cents, run.found = int(self.here_cents), len(self.findings)
        run.finished_at, run.error = self.now(), error
        first = _first_seen(self.findings)
        for finding in self.findings:
            finding.first_seen_at = first.get((finding.kind, finding.provider_id), self.begun)
        with transaction.atomic():
            run.save()
            ReconciliationFinding.objects.bulk_create(self.findings, batch_size=1000)


def _first_seen(findings: Iterable[ReconciliationFinding]) -> dict[tuple[str, str], datetime]:
    named = ReconciliationFinding.objects.filter(provider_id__in={finding.provider_id for finding in findings})
    rows = named.order_by().values_list("kind", "provider_id").annotate(first=Min("first_seen_at"))
    return {(kind, provider_id): first for kind, provider_id, first in rows}


def _paid(charge: Charge) -> outcomes.Outcome:
    return outcomes.Paid(
        charge.amount_cents, charge.currency, charge.payment_id, charge.id, charge.created, charge.card
    )
