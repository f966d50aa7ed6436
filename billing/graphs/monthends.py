"""What became of a month end, as people read it: what was charged, written off or carried, and what has to be done."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from billing import wording
from billing.graphs.movements import Movement
from billing.money import from_cents
from billing.payments.models import Intent
from billing.settlement.models import Decided, Settlement, Stage, WrittenOff

CARRIED = {
    Decided.SMALL: "less than $0.50 is not charged",
    Decided.IN_FLIGHT: "a payment was under way",
    Decided.RECHARGING: "auto-recharge pays it",
    Decided.DISPUTED: "a payment is disputed",
    Decided.EARLIER: "an earlier month is not paid",
    Decided.NO_CARD: "no card is saved that can be charged",
}
WRITTEN_OFF = {
    WrittenOff.EXCESS: "beyond the ceiling of {ceiling}",
    WrittenOff.SMALL: "too small to be charged for six months",
    WrittenOff.NEVER_BOUGHT: "no credit was ever bought",
}


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """One settlement, USD. `owed`: what was due, `charge`: what was charged last, or is to be, `retry_at`: when again."""

    period: date
    owed: Decimal
    charge: Decimal
    written_off: Decimal
    carried: Decimal
    stage: Stage
    decided: Decided
    why_written_off: str
    payment: Intent | None
    tries: int
    retry_at: datetime | None

    @property
    def failed(self) -> bool:
        """Something has to be done about it, or the card is tried again."""
        waits = self.stage == Stage.DUE and self.tries > 0
        return waits or self.stage in (Stage.UNPAID, Stage.NO_CARD)

    @property
    def given_up(self) -> bool:
        return self.stage == Stage.UNPAID

    @property
    def paid(self) -> bool:
        return self.stage == Stage.PAID

    @property
    def month(self) -> str:
        return f"{self.period:%B %Y}"

    @property
    def why_carried(self) -> str:
        return CARRIED.get(self.decided, "less than a cent is not charged")

    @property
    def card(self) -> str:
        """ "Visa ending 4242", or nothing."""
        return wording.card(self.payment.card_brand, self.payment.card_last4) if self.payment else ""


def last(org_id: int) -> MonthEnd | None:
    """Of the month that was closed last, None where nothing was owed then."""
    found = Settlement.objects.filter(wallet=org_id).select_related("intent").order_by("-period").first()
    return _of(found) if found and found.decided != Decided.NOTHING else None


def behind(org_id: int, movement: Movement) -> MonthEnd | None:
    """The month end that a line of the ledger follows from: what was written off, or was paid for the overdraft."""
    settlements = Settlement.objects.filter(wallet=org_id).select_related("intent")
    if movement.reason == "write_off":
        found = settlements.filter(period=movement.period).first()
    elif movement.reason in ("settlement", "settlement_rest"):
        # The charge is that of one of its tries, by its key.
        key = Intent.objects.filter(pk=movement.cause_id, wallet=org_id).values_list("key", flat=True).first() or ""
        month = key.split(":")[2] if key.count(":") == 3 else ""
        found = next((one for one in settlements if f"{one.period:%Y-%m}" == month), None)
    else:
        found = None
    return _of(found) if found else None


def _of(settlement: Settlement) -> MonthEnd:
    charged = settlement.intent.amount_cents if settlement.intent else settlement.charge_cents
    reason = WRITTEN_OFF[WrittenOff(settlement.written_off_as)] if settlement.written_off_as else ""
    return MonthEnd(
        period=settlement.period,
        owed=min(settlement.overdraft_at_end, settlement.overdraft_at_closing),
        charge=from_cents(charged),
        written_off=settlement.written_off,
        carried=settlement.carried,
        stage=Stage(settlement.stage),
        decided=Decided(settlement.decided),
        why_written_off=reason.format(ceiling=wording.usd(settlement.ceiling)),
        payment=settlement.intent,
        tries=settlement.tries,
        retry_at=settlement.next_try_at,
    )
