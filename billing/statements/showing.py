"""A stored document as pages, PDF and CSV show it: read from its body and the names beside it, and from nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing import wording
from billing.statements import verifier, writing
from billing.statements.drafting import Kind
from billing.statements.models import Receipt, ReceiptParty, Statement, StatementParty

LABELS = {
    Kind.PURCHASES: "Purchases",
    Kind.RECHARGES: "Auto-recharges",
    Kind.PROMOTIONAL: "Promotional credit",
    Kind.REINSTATED: "Disputed payments returned",
    Kind.SETTLEMENT: "Overdraft charged",
    Kind.WRITTEN_OFF: "Written off",
    Kind.USAGE: "Usage",
    Kind.TAKEN_BACK: "Usage taken back",
    Kind.EXPIRED: "Expired",
    Kind.REFUNDED: "Refunds",
    Kind.REFUND_RETURNED: "Refunds that came back",
    Kind.CLAWED_BACK: "Disputed payments taken back",
    Kind.ADJUSTMENTS: "Adjustments",
}
ALWAYS = (
    Kind.PURCHASES, Kind.RECHARGES, Kind.PROMOTIONAL, Kind.USAGE, Kind.EXPIRED, Kind.REFUNDED, Kind.SETTLEMENT,
)  # fmt: skip
"""Lines that stand there without movement too: people look for them."""
PURPOSES = {
    "purchase": "Credits",
    "credits": "Credits",
    "recharge": "Auto-recharge",
    "settlement": "Overdraft at month end",
    "settlement_rest": "Overdraft at month end",
    "contract": "Reserved capacity",
    "subscription": "Plan",
    "plan_fee": "Plan",
    "unapplied": "Not credited yet",
}
PAYERS = {"free": "Free", "subscription": "Plan", "contract": "Contract", "marketplace": "AWS Marketplace"}
MOST_SAID = 3
"""Days or titles that are said beside a line; how many more there are is said after them."""


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    address: tuple[str, ...]
    tax_id: str


@dataclass(frozen=True, slots=True)
class WalkLine:
    """`detail`: the days, or what the credit was called."""

    kind: Kind
    label: str
    detail: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class UsedRow:
    """`payer` is empty where credit paid."""

    name: str
    payer: str
    requests: int
    tokens_in: int
    tokens_out: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ChargeRow:
    at: datetime
    label: str
    card: str
    intent_id: str
    amount: Decimal
    credited: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A statement, ready to be shown. `decimals`: as many as its longest amount has, for all of them."""

    name: str
    period: date
    since: datetime
    until: datetime
    issued_at: datetime
    opening: Decimal
    closing: Decimal
    walk: tuple[WalkLine, ...]
    models: tuple[UsedRow, ...]
    keys: tuple[UsedRow, ...]
    used: Decimal
    less_taken_back: bool
    charges: tuple[ChargeRow, ...]
    charged: Decimal
    issuer: Party | None
    customer: Party | None
    decimals: int
    hash: str
    ledger_head: str
    ledger_lines: int

    @property
    def month(self) -> str:
        return f"{self.period:%B} {self.period.year}"

    @property
    def lines(self) -> tuple[WalkLine, ...]:
        return tuple(line for line in self.walk if line.amount or line.kind in ALWAYS)

    @property
    def hash_in_fours(self) -> str:
        return " ".join(self.hash[n : n + 4] for n in range(0, len(self.hash), 4))


@dataclass(frozen=True, slots=True)
class ShownReceipt:
    """A receipt, ready to be shown, in USD."""

    name: str
    issued_at: datetime
    charged_at: datetime
    label: str
    amount: Decimal
    overdraft_paid: Decimal
    debt_paid: Decimal
    new_credit: Decimal
    expires_at: datetime | None
    card: str
    intent_id: str
    issuer: Party | None
    customer: Party | None
    decimals: int

    @property
    def plan_fee(self) -> Decimal:
        """What it paid for a plan: that becomes no credit."""
        return self.amount - self.overdraft_paid - self.debt_paid - self.new_credit


def statement(issued: Statement) -> Shown:
    body: dict[str, Any] = writing.read(issued.body)
    names = _names(issued)
    walk = tuple(_line(line, names) for line in body["walk"])
    rows = [_row(row) for row in (*body["models"], *body["covered"])]
    keys = tuple(_row(row, names["keys"]) for row in body["keys"])
    charges = tuple(_charge(charge, names["cards"]) for charge in body["charges"])
    amounts = [verifier.amount(body["opening"]), verifier.amount(body["closing"])]
    amounts += [line.amount for line in walk] + [row.amount for row in (*rows, *keys)]
    return Shown(
        issued.name, issued.period, _moment(body["from"]), _moment(body["to"]), _moment(body["issued_at"]), amounts[0],
        amounts[1], walk, tuple(rows), keys, sum((row.amount for row in keys), Decimal(0)),
        any(line.kind is Kind.TAKEN_BACK and line.amount for line in walk), charges,
        sum((charge.amount for charge in charges), Decimal(0)), _party(names, "issuer"), _party(names, "customer"),
        wording.decimals_needed(*amounts), bytes(issued.hash).hex(), bytes(issued.ledger_head).hex(), body["ledger_lines"],
    )  # fmt: skip


def receipt(issued: Receipt) -> ShownReceipt:
    body: dict[str, Any] = writing.read(issued.body)
    names = _names(issued)
    amount, overdraft, debt, rest = (
        verifier.amount(body[part]) for part in ("amount", "overdraft_paid", "debt_paid", "new_credit")
    )
    return ShownReceipt(
        issued.name, issued.issued_at, _moment(body["charged_at"]), PURPOSES[body["purpose"]], amount, overdraft, debt, rest,
        _moment(body["expires_at"]) if body["expires_at"] else None, names["cards"].get(body["intent"], ""), body["intent"],
        _party(names, "issuer"), _party(names, "customer"), wording.decimals_needed(amount, overdraft, debt, rest),
    )  # fmt: skip


def parties(issued: Statement) -> dict[str, object] | None:
    """The names beside a statement as they are downloaded, None once they are erased."""
    party = StatementParty.objects.filter(pk=issued.pk).first()
    return {"salt": bytes(party.salt).hex(), "text": writing.read(party.text)} if party else None


def _names(issued: Statement | Receipt) -> dict[str, Any]:
    """The block beside a document; empty where it was erased."""
    party: StatementParty | ReceiptParty | None
    if isinstance(issued, Statement):
        party = StatementParty.objects.filter(pk=issued.pk).first()
    else:
        party = ReceiptParty.objects.filter(pk=issued.pk).first()
    said: dict[str, Any] = writing.read(party.text) if party else {}
    return {"titles": {}, "keys": {}, "cards": {}, **said}


def _party(names: dict[str, Any], which: str) -> Party | None:
    said = names.get(which)
    return Party(said["name"], tuple(said["address"]), said["tax_id"]) if said else None


def _line(line: dict[str, Any], names: dict[str, Any]) -> WalkLine:
    kind = Kind(line["kind"])
    titled = kind in (Kind.PROMOTIONAL, Kind.EXPIRED)
    titles = [names["titles"].get(item["line"], "") for item in line["items"]] if titled else []
    days = [wording.day(_moment(item["at"]), year=False) for item in line["items"]]
    return WalkLine(kind, LABELS[kind], _some([*titles, *days]), verifier.amount(line["amount"]))


def _some(said: Iterable[str]) -> str:
    """The first few, each once: "12 Mar, 30 Mar and 4 more"."""
    different: Sequence[str] = list(dict.fromkeys(one for one in said if one))
    more = len(different) - MOST_SAID
    return ", ".join(different[:MOST_SAID]) + (f" and {more} more" if more > 0 else "")


def _row(row: dict[str, Any], names: dict[str, str] | None = None) -> UsedRow:
    name = row["name"] if names is None else names.get(row["name"]) or row["name"]
    payer = PAYERS.get(row.get("payer", ""), "")
    return UsedRow(
        name, payer, row["requests"], row["tokens_in"], row["tokens_out"], verifier.amount(row["amount"])
    )  # fmt: skip


def _charge(charge: dict[str, Any], cards: dict[str, str]) -> ChargeRow:
    return ChargeRow(
        _moment(charge["at"]), PURPOSES.get(charge["purpose"], charge["purpose"].replace("_", " ").capitalize()),
        cards.get(charge["intent"], ""), charge["intent"], verifier.amount(charge["amount"]), not charge["outside"],
    )  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
