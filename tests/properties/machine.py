"""The state machine: what can happen to an organization's money, done to the portal and to the model alike.

After each step both must say the same, to the last decimal: balance, overdraft, debt, every grant's rest and end, the trial
balance by account, what a gateway is told. Steps that find nothing to act on are not drawn.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition

from billing import flows
from billing.metering.reversing import Conflict, Reversal
from billing.payments import collecting, outcomes
from billing.payments.models import Intent
from tests.factories import paying
from tests.properties.steps import (
    ANY_SPAN,
    CENTS,
    COST,
    COUNTED,
    GIFTS,
    LATE,
    PICK,
    REFUNDS_PEND,
    SHORT,
    UNKNOWN_TO_STRIPE,
    Payment,
    pick,
    step,
)
from tests.properties.takebacks import Money
from tests.properties.world import START, World, told_apart


class Machine(RuleBasedStateMachine):
    cast: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.cast)
        self.money = Money()
        self.payments: list[Payment] = []
        self.events: list[tuple[UUID, UUID]] = []
        self.told: datetime | None = None
        self.seen: datetime | None = None
        self.steps = 0
        self.failed = False
        COUNTED["examples"] += 1

    @property
    def now(self) -> datetime:
        return self.world.now

    # --- Time ----------------------------------------------------------------------------------------------------------

    @step(span=ANY_SPAN)
    def time_passes(self, span: timedelta) -> None:
        self.world.now += span

    def _grant_ends(self) -> list[datetime]:
        return sorted(grant.expires_at for grant in self.money.grants.values() if grant.expires_at > self.now)

    def _ends_soon(self) -> bool:
        ends = self._grant_ends()
        return bool(ends) and ends[0] - self.now < timedelta(days=60)

    @precondition(lambda self: self._ends_soon())
    @step(before=st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(seconds=30), timedelta(minutes=3)]))
    def the_end_of_a_grant_comes(self, before: timedelta) -> None:
        self.world.now = max(self.now, self._grant_ends()[0] - before)

    @precondition(lambda self: self._ends_soon())
    @step(cost=COST, after=st.sampled_from([timedelta(0), timedelta(seconds=50), timedelta(minutes=3)]))
    def is_used_when_a_grant_has_ended(self, cost: Decimal, after: timedelta) -> None:
        self.world.now = self._grant_ends()[0] + after
        self._use(cost, self.now)

    @step(behind=LATE)
    def gateways_report(self, behind: timedelta) -> None:
        """Complete through a moment that may lie far back: a gateway that stalls holds the watermark."""
        self.world.report(self.now - behind)
        self._seen(self.now - behind)

        assert self.world.complete_through() == self._complete_through()

    def _seen(self, complete_through: datetime | None = None) -> None:
        self.seen = self.now
        if complete_through is not None:
            self.told = max(self.told or complete_through, complete_through)

    def _complete_through(self) -> datetime | None:
        at_work = self.seen is not None and self.seen >= self.now - timedelta(hours=72)
        return (self.told or START) if at_work else None

    # --- Credit --------------------------------------------------------------------------------------------------------

    @step(first=True, cents=CENTS, gift=GIFTS, lasts=st.one_of(st.none(), SHORT))
    def has_credit_of_both_kinds(self, cents: int, gift: Decimal, lasts: timedelta | None) -> None:
        """The gift for so long, or (None) as long as what was bought."""
        self._buy(cents, timedelta(0), REFUNDS_PEND, "looked")
        self._give(gift, self.now + lasts if lasts else self._grant_ends()[0])

    def _order(self, cents: int) -> Payment | None:
        least = self.money.least_purchase(self.now)
        try:
            intent = self.world.order(cents)
        except collecting.AmountRefused:
            assert Decimal(cents) / 100 < least
            return None
        assert Decimal(cents) / 100 >= least
        payment = Payment(intent.pk, cents)
        self.payments.append(payment)
        return payment

    @step(
        cents=CENTS,
        age=st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=364, hours=23), timedelta(days=350)]),
        card=st.sampled_from([paying.PAYS, REFUNDS_PEND]),
        told=st.sampled_from(["looked", "webhook", "both"]),
    )
    def buys(self, cents: int, age: timedelta, card: str, told: str) -> None:
        self._buy(cents, age, card, told)

    def _buy(self, cents: int, age: timedelta, card: str, told: str) -> None:
        payment = self._order(cents)
        if payment is not None:
            self._pay(payment, card, age)
            if told != "webhook":
                self.world.look(payment.intent_id)
                self._paid(payment)
            if told != "looked":
                self.webhooks()
            self._paid(payment)

    def webhooks(self, times: int = 2) -> None:
        """Whatever Stripe has to tell arrives; what the portal has not heard otherwise it hears now."""
        self.world.webhooks(times)

    def _pay(self, payment: Payment, card: str, age: timedelta) -> None:
        intent = Intent.objects.get(pk=payment.intent_id)
        payment.charge, payment.charged_at = self.world.pay(intent, card, age=age)

    def _paid(self, payment: Payment) -> None:
        if payment.state != "paid":
            payment.state = "paid"
            self.money.buy(payment.name, Decimal(payment.cents) / 100, payment.charged_at)

    @step(cents=CENTS)
    def opens_a_page(self, cents: int) -> None:
        self._order(cents)

    def _unpaid(self) -> list[Payment]:
        return [payment for payment in self.payments if not payment.charge]

    @precondition(lambda self: self._unpaid())
    @step(
        which=PICK, outcome=st.sampled_from(["canceled", "declined", "unknown", "processing"]), times=st.integers(1, 2)
    )
    def a_payment_comes_to_nothing(self, which: int, outcome: str, times: int) -> None:
        payment = pick(self._unpaid(), which)
        told: dict[str, outcomes.Outcome] = {
            "canceled": outcomes.Canceled(),
            "declined": outcomes.Declined("card_declined"),
            "unknown": outcomes.Unknown(),
            "processing": outcomes.Processing(),
        }
        for _ in range(times):
            flows.payment_outcome(payment.intent_id, told[outcome], now=self.now)

    @precondition(lambda self: self._unpaid())
    @step(which=PICK, times=st.integers(1, 2))
    def a_payment_arrives_after_all(self, which: int, times: int) -> None:
        """Late, also when it was canceled or declined before: it is credited (A15, A54)."""
        payment = pick(self._unpaid(), which)
        payment.charge, payment.charged_at = UNKNOWN_TO_STRIPE, self.now.replace(microsecond=0)
        paid = outcomes.Paid(payment.cents, "usd", f"pi_{payment.name}", f"ch_{payment.name}", payment.charged_at)
        for _ in range(times):
            flows.payment_outcome(payment.intent_id, paid, now=self.now)
        self._paid(payment)

    @step(
        amount=st.sampled_from([Decimal("2.5"), Decimal(10), Decimal("33.000000000001")]),
        lasts=ANY_SPAN,
        like=st.booleans(),
    )
    def is_given_promotional_credit(self, amount: Decimal, lasts: timedelta, like: bool) -> None:
        """With an end of its own, or one that a paid grant has too."""
        paid = sorted(g.expires_at for g in self.money.grants.values() if g.paid and g.expires_at > self.now)
        self._give(amount, paid[0] if like and paid else self.now + lasts)

    def _give(self, amount: Decimal, ends: datetime) -> None:
        name = f"promo {self.world.number()}"
        for _ in range(2):
            flows.grant_promotional(
                self.world.org_id, amount, key=name, title="Promotion", expires_at=ends, reason="a gift",
                issued_by=None, now=self.now,
            )  # fmt: skip
        self.money.promo(name, amount, ends)

    # --- Use -----------------------------------------------------------------------------------------------------------

    def _use(self, cost: Decimal, occurred_at: datetime, times: int = 1, **other: str) -> None:
        id_ = self.world.use(cost, occurred_at, times=times, **other)
        self._seen()
        self.events.append((id_, uuid5(id_, "reversal")))
        self.money.use(str(id_), cost, occurred_at)

    @step(cost=COST, late=LATE, times=st.integers(1, 2))
    def uses(self, cost: Decimal, late: timedelta, times: int) -> None:
        self._use(cost, self.now - late, times)

    @precondition(lambda self: self._ended_lately())
    @step(cost=COST, which=PICK, before=st.sampled_from([timedelta(seconds=1), timedelta(minutes=2), timedelta(0)]))
    def late_use_from_before_the_end_of_a_grant(self, cost: Decimal, which: int, before: timedelta) -> None:
        self._use(cost, pick(self._ended_lately(), which) - before)

    def _ended_lately(self) -> list[datetime]:
        """When grants ended that ended within the time for which usage is still accepted."""
        ends = [grant.expires_at for grant in self.money.grants.values()]
        return [end for end in ends if self.now - timedelta(days=30) < end <= self.now]

    @step(cost=COST, times=st.integers(2, 4))
    def a_burst(self, cost: Decimal, times: int) -> None:
        for n in range(times):
            self._use(cost, self.now - timedelta(seconds=n * 20))

    @precondition(lambda self: self.events)
    @step(which=PICK, times=st.integers(1, 2), other=st.booleans())
    def an_event_is_taken_back(self, which: int, times: int, other: bool) -> None:
        event_id, reversal_id = pick(self.events[::-1], which)
        again = self.money.uses[str(event_id)].reversed
        for _ in range(times):
            flows.reverse_usage(Reversal(reversal_id, event_id, "a test", self.world.cast.gateway.pk), now=self.now)
        if other or again:
            try:
                another = Reversal(uuid5(reversal_id, "another"), event_id, "a test", self.world.cast.gateway.pk)
                flows.reverse_usage(another, now=self.now)
                raise AssertionError("An event was taken back twice.")
            except Conflict:
                pass
        self.money.reverse(str(event_id), self.now)

    # --- Tasks: late, doubled, left out --------------------------------------------------------------------------------

    @step(times=st.integers(1, 2))
    def sweep(self, times: int) -> None:
        for _ in range(times):
            flows.sweep(now=self.now)
        self.money.sweep()

    @step(times=st.integers(1, 2))
    def expire(self, times: int) -> None:
        for _ in range(times):
            flows.expire(now=self.now)
        self.money.expire(self.now, self._complete_through())

    @step(times=st.integers(1, 2))
    def late_webhooks_arrive(self, times: int) -> None:
        self.webhooks(times)

    # --- Both say the same ---------------------------------------------------------------------------------------------

    def agree(self) -> None:
        try:
            self._agree()
        except BaseException:
            self.failed = True
            raise

    def _agree(self) -> None:
        money, balance = self.money, self.world.balance()
        told = {
            "available": (balance.available, money.available(self.now)),
            "overdraft": (balance.overdraft, money.overdraft),
            "debt": (balance.debt, money.debt),
            "grants": (self.world.rests(), self._rests()),
            "books": (self.world.books(), {code: amount for code, amount in money.books.items() if amount}),
            "refused": (self.world.refusal(), money.refusal(self.now)),
        }
        differences = {what: {"portal": real, "model": model} for what, (real, model) in told.items() if real != model}
        assert not differences, differences

    def _rests(self) -> list[Any]:
        grants = self.money.grants.values()
        return told_apart((g.source, g.amount, g.rest, g.expires_at, g.name.startswith("correction")) for g in grants)

    def teardown(self) -> None:
        try:
            if not self.failed and self.steps:
                flows.sweep(now=self.now)
                self.money.sweep()
                self.world.post_everything()
                self._agree()
                assert self.world.differences() == []
        finally:
            self.world.end()
