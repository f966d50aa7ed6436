"""One more part of the machine: a plan is begun, used, renewed late or twice, canceled, kept after all.

The model is of this page and of `docs/fine-print.md` alone (A11, A12, A23, A26, A51, decision 8): its card always pays, so
no renewal fails. What a plan covers costs nothing and never touches credit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import INITIALIZE_RULE_MARKER, RULE_MARKER, precondition

from billing import flows
from billing.coverage.models import Coverage
from billing.subscriptions import choosing
from tests.factories import paying
from tests.properties.model import CENT, NOTHING, STRIPE
from tests.properties.money_back import MoneyMachine
from tests.properties.steps import COST, LATE, step
from tests.simulation.promises import earned_cents, months_after

DEFERRED, EARNED = "2100", "4100"
PRICE = 50_00
BRIDGE, GRACE = timedelta(hours=1), timedelta(days=7)


@dataclass
class Fee:
    start: datetime
    end: datetime
    earned: int = 0


@dataclass
class Plan:
    """`covers`: from when to when it pays for its model, as it is dated ahead."""

    anchor: datetime
    number: int = 1
    canceled: bool = False
    ended: bool = False
    covers: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def ends_at(self) -> datetime:
        return months_after(self.anchor, self.number)

    def covered(self, at: datetime) -> bool:
        return any(start <= at < end for start, end in self.covers)

    def until(self) -> datetime:
        """Beyond its period it covers for the renewal: an hour, and seven days more once one was paid."""
        if self.canceled:
            return self.ends_at
        return self.ends_at + BRIDGE + (GRACE if self.number > 1 else timedelta(0))

    def date_ahead(self, now: datetime, until: datetime) -> None:
        """From now on it covers until then; what is past stays."""
        self.covers = [(start, min(end, now)) for start, end in self.covers if start < now]
        if until > now:
            self.covers.append((now, until))


class PlanMachine(MoneyMachine):
    def __init__(self) -> None:
        super().__init__()
        self.plan: Plan | None = None
        self.over: list[Plan] = []
        self.fees: list[Fee] = []

    def _runs(self) -> bool:
        return self.plan is not None and not self.plan.ended

    def _quiet(self) -> bool:
        """While a payment is disputed no plan is sold and no card is charged: the machine has no such plans."""
        return not self.untold and not any(dispute.state == "open" for dispute in self.disputes)

    @precondition(lambda self: not self._runs() and self._quiet())
    @step()
    def subscribes(self) -> None:
        """On Stripe's page; it covers from the moment its payment settles."""
        org, by, plan = self.world.org_id, self.world.cast.alice.pk, self.world.cast.plan.pk
        quote = flows.quote_plan(org, plan, by=by, now=self.now)
        assert quote.amount_cents == PRICE
        charge = flows.subscribe(org, quote.pk, by=by, now=self.now)
        assert charge.intent is not None
        self.world.admin.pay(charge.intent.checkout_id or "", paying.PAYS)
        self.world.look(charge.intent.pk)
        self.plan = Plan(self.now)
        self.over.append(self.plan)
        self.plan.date_ahead(self.now, self.plan.until())
        self._paid_for(self.plan)

    def _paid_for(self, plan: Plan) -> None:
        self.fees.append(Fee(months_after(plan.anchor, plan.number - 1), plan.ends_at))
        self.money.books[STRIPE] += PRICE * CENT
        self.money.books[DEFERRED] -= PRICE * CENT

    @precondition(lambda self: self.over)
    @step(cost=COST, late=LATE)
    def uses_the_model_of_the_plan(self, cost: Decimal, late: timedelta) -> None:
        """Covered by the moment at which it occurred, or paid by credit."""
        at = self.now - late
        if any(plan.covered(at) for plan in self.over):
            self.world.use(cost, at, model=self.world.cast.planned.slug)
            self._seen()
        else:
            self._use(cost, at, model=self.world.cast.planned.slug)

    @precondition(lambda self: self._runs() and self.plan.ends_at - self.now < timedelta(days=60))
    @step(
        after=st.sampled_from([timedelta(0), timedelta(seconds=40), timedelta(minutes=50), timedelta(hours=5)]),
        comes=st.booleans(),
    )
    def the_end_of_a_period_comes(self, after: timedelta, comes: bool) -> None:
        assert self.plan is not None
        self.world.now = max(self.now, self.plan.ends_at + after)
        if comes and self._quiet():
            self._renew()

    @precondition(lambda self: self._runs() and self._quiet())
    @step(times=st.integers(1, 2))
    def the_clock_renews(self, times: int) -> None:
        for _ in range(times):
            self._renew()

    def _renew(self) -> None:
        """One run of the clock: what is due happens once, however late."""
        flows.renew_plans(now=self.now)
        plan = self.plan
        assert plan is not None
        if plan.ended or self.now < plan.ends_at:
            return
        if plan.canceled:
            plan.ended = True
            return
        # Paid, it covers to the end of the next period and beyond. A clock that is months late finds that one over too: then
        # it is to be charged once more, and for that covers an hour.
        plan.number += 1
        due_again = self.now >= plan.ends_at
        plan.date_ahead(self.now, max(plan.until(), self.now + BRIDGE) if due_again else plan.until())
        self._paid_for(plan)

    @precondition(lambda self: self._runs() and not self.plan.canceled and self.now < self.plan.ends_at)
    @step(times=st.integers(1, 2))
    def cancels(self, times: int) -> None:
        """To the end of the period it has what it had."""
        assert self.plan is not None
        [running] = choosing.current(self.world.org_id)
        for _ in range(times):
            flows.cancel_plan(self.world.org_id, running.public_id, by=self.world.cast.alice.pk, now=self.now)
        self.plan.canceled = True
        self.plan.date_ahead(self.now, self.plan.until())

    @precondition(lambda self: self._runs() and self.plan.canceled and self.now < self.plan.ends_at)
    @step()
    def keeps_it_after_all(self) -> None:
        assert self.plan is not None
        [running] = choosing.current(self.world.org_id)
        flows.withdraw_change(self.world.org_id, running.public_id, by=self.world.cast.alice.pk, now=self.now)
        self.plan.canceled = False
        self.plan.date_ahead(self.now, self.plan.until())

    @precondition(lambda self: self.fees)
    @step(times=st.integers(1, 2))
    def fees_are_earned(self, times: int) -> None:
        for _ in range(times):
            flows.earn_plans(now=self.now)
        self._earn()

    def _earn(self) -> None:
        for fee in self.fees:
            earned = earned_cents(PRICE, fee.start, fee.end, self.now)
            self.money.books[DEFERRED] += (earned - fee.earned) * CENT
            self.money.books[EARNED] -= (earned - fee.earned) * CENT
            fee.earned = earned

    # --- Both say the same ---------------------------------------------------------------------------------------------

    def _agree(self) -> None:
        super()._agree()
        if not self.over:
            return
        running = choosing.current(self.world.org_id)
        told = [(one.number, one.ends_at, choosing.pending(one) is not None) for one in running]
        model = [(plan.number, plan.ends_at, plan.canceled) for plan in self.over if not plan.ended]
        assert told == model, {"portal": told, "model": model}
        there = _joined(
            Coverage.objects.filter(wallet_id=self.world.org_id, payer=3).values_list("valid_from", "valid_to")
        )
        ours = _joined(span for plan in self.over for span in plan.covers)
        assert there == ours, {"portal": there, "model": ours}
        assert sum((fee.earned for fee in self.fees), 0) * CENT >= NOTHING


def _joined(spans: object) -> list[tuple[datetime, datetime]]:
    """In order, those that meet as one."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):  # type: ignore[call-overload]
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        elif end > start:
            found.append((start, end))
    return found


def rules() -> set[str]:
    """The names of the machine's rules, of the one that opens an example too."""
    markers = (RULE_MARKER, INITIALIZE_RULE_MARKER)
    return {name for name in dir(PlanMachine) if any(hasattr(getattr(PlanMachine, name), one) for one in markers)}
