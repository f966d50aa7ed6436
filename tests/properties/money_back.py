"""More of the machine: refunds by staff and in Stripe's dashboard, disputes, debts.

What happens at Stripe is told to the portal at once, or later with everything that happened to the same refund or dispute
meanwhile. Until then nothing else happens at Stripe that goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from billing import flows
from billing.payments import refunds
from tests.properties.machine import Machine
from tests.properties.steps import PICK, UNKNOWN_TO_STRIPE, Payment, pick, step
from tests.properties.takebacks import DEBT_AGE

NONCE = UUID(int=1)
SHARES = st.sampled_from([Decimal(1), Decimal(1), Decimal("0.5"), Decimal("0.13"), Decimal(0)])
"""Of what can be taken; never less than a cent."""
HOW_TOLD = st.sampled_from(["looked", "webhook", "later"])


@dataclass
class MoneyBack:
    """A refund or a dispute of Stripe's."""

    id: str
    payment: Payment
    cents: int
    state: str = "open"
    inquiry: bool = False
    withdrawn: bool = False
    reinstated: bool = False
    lost: bool = False


def _portion(cents: int, share: Decimal) -> int:
    return max(1, int(cents * share))


class MoneyMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.refunds: list[MoneyBack] = []
        self.disputes: list[MoneyBack] = []
        self.untold: list[Callable[[], None]] = []
        self.untold_of = ""

    # --- How the portal hears of it -------------------------------------------------------------------------------------

    def _happened(self, what: MoneyBack, told: str, *changes: Callable[[], None]) -> None:
        """`changes`: what it means for the model, once the portal was told."""
        self.untold += changes
        self.untold_of = what.id
        if told == "webhook":
            self.webhooks()
        elif told == "looked":
            self._draw_first()
            look = self.world.look_at_dispute if what in self.disputes else self.world.look_at_refund
            look(what.id)
            look(what.id)
            self._hear()

    def _hear(self) -> None:
        for change in self.untold:
            change()
        self.untold = []

    def webhooks(self, times: int = 2) -> None:
        self._draw_first()
        super().webhooks(times)
        self._hear()

    def _buy(self, cents: int, age: timedelta, card: str, told: str) -> None:
        """The news of a purchase of an hour ago come before those that nobody has told yet: so these are told before."""
        if self.untold and told == "webhook":
            self.webhooks()
        super()._buy(cents, age, card, told)

    def _draw_first(self) -> None:
        """News of a refund or dispute draw what was used, also when they are no news: so it is drawn here before."""
        if self.refunds or self.disputes:
            flows.sweep(now=self.now)
            self.money.sweep()

    def _among(self, all_: list[MoneyBack], *states: str) -> list[MoneyBack]:
        """Those that can move now: while something is untold, only that can."""
        return [one for one in all_ if one.state in states and (not self.untold or one.id == self.untold_of)]

    # --- Refunds -------------------------------------------------------------------------------------------------------

    def _charged(self) -> list[Payment]:
        """Payments whose money is at Stripe: the bank can dispute them."""
        found = [p for p in self.payments if p.state == "paid" and p.charge != UNKNOWN_TO_STRIPE]
        return [p for p in found if p.cents > p.refunded and not self._open_disputes(p) and not self._gone(p)]

    def _refundable(self) -> list[Payment]:
        """Stripe refunds no payment of which a dispute was lost, though its money may have come back."""
        return [p for p in self._charged() if not self._lost(p)]

    def _open_disputes(self, payment: Payment) -> list[MoneyBack]:
        return [d for d in self.disputes if d.payment is payment and d.state == "open"]

    def _gone(self, payment: Payment) -> list[MoneyBack]:
        return [d for d in self.disputes if d.payment is payment and d.withdrawn and not d.reinstated]

    def _lost(self, payment: Payment) -> list[MoneyBack]:
        return [d for d in self.disputes if d.payment is payment and d.lost]

    @precondition(lambda self: not self.untold and any(p.state == "paid" for p in self.payments))
    @step(which=PICK, share=st.sampled_from([Decimal(1), Decimal(1), Decimal("0.37"), Decimal(0), Decimal(2)]))
    def staff_refund(self, which: int, share: Decimal) -> bool:
        """What is left of the credit, a part of it, or more than that, which is refused."""
        payment = pick([p for p in self.payments if p.state == "paid"], which)
        flows.sweep(now=self.now)
        self.money.sweep()
        refundable = min(int(self.money.refundable(payment.name, self.now) * 100), payment.cents - payment.refunded)
        cents = _portion(refundable, share) + (share > 1)
        unknown = payment.charge == UNKNOWN_TO_STRIPE
        assert refunds.refundable(payment.intent_id, now=self.now) * 100 == refundable
        if cents > min(refundable, 100_00):
            self._is_refused(payment, cents)
        elif unknown or self._lost(payment) or self._gone(payment):
            return False
        else:
            self._staff_refund(payment, cents)
        return True

    def _is_refused(self, payment: Payment, cents: int) -> None:
        try:
            self.world.refund(payment.intent_id, cents, uuid5(NONCE, f"{self.world.number()}"))
        except refunds.RefundRefused:
            return
        raise AssertionError(f"{cents} cents were refunded.")

    def _staff_refund(self, payment: Payment, cents: int) -> None:
        nonce = uuid5(NONCE, f"{self.world.number()}")
        made = self.world.refund(payment.intent_id, cents, nonce)
        assert self.world.refund(payment.intent_id, cents, nonce).pk == made.pk
        refund = MoneyBack(made.provider_id or "", payment, cents, made.state)
        self.refunds.append(refund)
        payment.refunded += cents
        self.money.ask_refund(refund.id, payment.name, Decimal(cents) / 100, self.now)
        if made.state == "succeeded":
            self.money.refund_succeeded(refund.id)

    @precondition(lambda self: not self.untold and self._refundable())
    @step(which=PICK, share=SHARES, fraud=st.booleans(), told=HOW_TOLD)
    def a_refund_is_made_in_the_dashboard(self, which: int, share: Decimal, fraud: bool, told: str) -> None:
        payment = pick(self._refundable(), which)
        cents = _portion(payment.cents - payment.refunded, share)
        reason = "fraudulent" if fraud else "duplicate"
        made = self.world.admin.refund(payment.charge, amount=cents, reason=reason)
        refund = MoneyBack(made["id"], payment, cents, made["status"])
        self.refunds.append(refund)
        payment.refunded += cents
        name, amount = payment.name, Decimal(cents) / 100

        def asked() -> None:
            self.money.ask_refund(refund.id, name, amount, self.now, fraud=fraud)

        def done() -> None:
            if made["status"] == "succeeded":
                self.money.refund_succeeded(refund.id)

        self._happened(refund, told, asked, done)

    @precondition(lambda self: self._among(self.refunds, "pending"))
    @step(which=PICK, told=HOW_TOLD)
    def a_refund_arrives(self, which: int, told: str) -> None:
        refund = pick(self._among(self.refunds, "pending"), which)
        self.world.admin.succeed_refund(refund.id)
        refund.state = "succeeded"
        self._happened(refund, told, lambda: self.money.refund_succeeded(refund.id))

    def _can_fail(self) -> list[MoneyBack]:
        return self._among(self.refunds, "pending", "succeeded")

    @precondition(lambda self: self._can_fail())
    @step(which=PICK, told=HOW_TOLD)
    def a_refund_fails(self, which: int, told: str) -> None:
        """Also one that had arrived: its bank sends it back."""
        refund = pick(self._can_fail(), which)
        self.world.admin.fail_refund(refund.id)
        refund.state = "failed"
        refund.payment.refunded -= refund.cents
        self._happened(refund, told, lambda: self.money.refund_failed(refund.id, self.now))

    # --- Disputes ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.untold and self._charged())
    @step(which=PICK, share=SHARES, kind=st.sampled_from(["inquiry", "chargeback", "whole"]), told=HOW_TOLD)
    def a_payment_is_disputed(self, which: int, share: Decimal, kind: str, told: str) -> None:
        payment = pick(self._charged(), which)
        cents = _portion(payment.cents - payment.refunded, share)
        made = self.world.admin.dispute(
            payment.charge, amount=cents, inquiry=kind == "inquiry", withdraw=kind == "whole"
        )
        dispute = MoneyBack(made["id"], payment, cents, inquiry=kind == "inquiry", withdrawn=kind == "whole")
        self.disputes.append(dispute)
        changes: list[Callable[[], None]] = [lambda: self.money.open_dispute(dispute.id, payment.name, self.now)]
        if dispute.withdrawn:
            changes.append(self._withdrawal(dispute))
        self._happened(dispute, told, *changes)

    def _withdrawal(self, dispute: MoneyBack) -> Callable[[], None]:
        return lambda: self.money.withdraw(dispute.id, Decimal(dispute.cents) / 100, self.now)

    def _reinstatement(self, dispute: MoneyBack) -> Callable[[], None]:
        return lambda: self.money.reinstate(dispute.id, Decimal(dispute.cents) / 100, self.now)

    @precondition(lambda self: any(not d.withdrawn for d in self._among(self.disputes, "open")))
    @step(which=PICK, told=HOW_TOLD)
    def funds_are_withdrawn(self, which: int, told: str) -> None:
        dispute = pick([d for d in self._among(self.disputes, "open") if not d.withdrawn], which)
        if dispute.inquiry:
            self.world.admin.escalate(dispute.id)
        else:
            self.world.admin.withdraw(dispute.id)
        dispute.inquiry, dispute.withdrawn = False, True
        self._happened(dispute, told, self._withdrawal(dispute))

    def _away(self) -> list[MoneyBack]:
        return [d for d in self._among(self.disputes, "open", "closed") if d.withdrawn and not d.reinstated]

    @precondition(lambda self: self._away())
    @step(which=PICK, told=HOW_TOLD)
    def funds_are_reinstated(self, which: int, told: str) -> None:
        """Before the dispute is closed, or after."""
        dispute = pick(self._away(), which)
        self.world.admin.reinstate(dispute.id)
        dispute.reinstated = True
        self._happened(dispute, told, self._reinstatement(dispute))

    @precondition(lambda self: self._among(self.disputes, "open"))
    @step(which=PICK, won=st.booleans(), told=HOW_TOLD)
    def a_dispute_is_closed(self, which: int, won: bool, told: str) -> None:
        dispute = pick(self._among(self.disputes, "open"), which)
        changes: list[Callable[[], None]] = []
        if dispute.inquiry:
            self.world.admin.drop_inquiry(dispute.id)
        elif won:
            self.world.admin.win(dispute.id)
            if dispute.withdrawn and not dispute.reinstated:
                dispute.reinstated = True
                changes.append(self._reinstatement(dispute))
        else:
            self.world.admin.lose(dispute.id)
            dispute.lost = True
        dispute.state = "closed"
        changes.append(lambda: self.money.close_dispute(dispute.id, self.now))
        self._happened(dispute, told, *changes)

    # --- Debts and what the clock does ----------------------------------------------------------------------------------

    @precondition(lambda self: self.money.debt)
    @step(age=st.sampled_from(["old", "as it is"]))
    def old_debts_are_written_off(self, age: str) -> None:
        oldest = next(lot for lot in self.money.lots if lot.open)
        if age == "old":
            self.world.now = max(self.now, oldest.since + DEBT_AGE)
        for _ in range(2):
            flows.write_off_debts(now=self.now)
        self.money.write_off(self.now)

    @precondition(lambda self: self.money.debt)
    @step(share=st.sampled_from([Decimal(1), Decimal("0.5")]))
    def staff_forgive_a_debt(self, share: Decimal) -> None:
        amount = min(Decimal(100), (self.money.debt * share).quantize(Decimal("1e-12")))
        nonce = uuid5(NONCE, f"{self.world.number()}")
        for _ in range(2):
            flows.forgive_debt(
                self.world.org_id, amount, reason="a test", nonce=nonce, by=self.world.cast.alice.pk, now=self.now
            )
        self.money.forgive(amount)

    @precondition(lambda self: not self.untold)
    @step(times=st.integers(1, 2))
    def the_pollers_ask(self, times: int) -> None:
        """Of what was told already nothing is new."""
        self._draw_first()
        for _ in range(times):
            self.world.poll()
