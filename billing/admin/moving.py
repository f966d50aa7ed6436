"""What staff may do with a customer's money, each with a reason: refund a payment, give credit, forgive a debt."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model

from billing import flows, wording
from billing.admin.acts import Act, ActForm, ActRefused, Ask
from billing.contracts import forgiving
from billing.ledger import balances, debts, receivables
from billing.ledger.models import Wallet
from billing.money import ZERO, cents_down, from_cents, to_cents
from billing.payments import refunds, reversals
from billing.payments.models import Intent, Refund, RefundState, State

# --- Refund a payment --------------------------------------------------------------------------------------------------


def _payment_facts(intent: Intent, now: datetime) -> list[tuple[str, str]]:
    back = Refund.objects.filter(intent=intent).exclude(state=RefundState.FAILED)
    return [
        ("Organization", str(intent.wallet.organization)),
        ("Payment", f"{wording.usd(from_cents(intent.amount_cents))}, {intent.get_state_display()}"),
        ("Charged", wording.moment(intent.charged_at) if intent.charged_at else "Not charged"),
        ("Refunded so far", wording.usd(from_cents(sum(refund.amount_cents for refund in back)))),
        ("Left of its credit", wording.usd(refunds.refundable(intent.pk, now=now))),
    ]


def _not_refundable(intent: Intent, now: datetime) -> str:
    if intent.state != State.SUCCEEDED:
        return "This payment brought no money: there is nothing to refund."
    if reversals.is_disputed(intent):
        return "This payment is disputed. Its money goes back through the dispute, or not at all: answer it at Stripe."
    if not refunds.refundable(intent.pk, now=now):
        return "Nothing of this payment's credit is left, and spent credit is not refunded here."
    return ""


def _refund_tells(intent: Intent, ask: Ask) -> str:
    left = refunds.refundable(intent.pk, now=ask.now) - ask.amount
    card = f" to {intent.card_brand.capitalize()} ending {intent.card_last4}" if intent.card_last4 else ""
    return (
        f"{wording.usd(ask.amount)} goes back{card}, and {intent.wallet.organization} loses that credit at once. "
        f"{wording.usd(left)} of this purchase stays."
    )


SAID = {
    RefundState.SUCCEEDED: "Refunded {amount}.",
    RefundState.PENDING: "Stripe has taken the refund of {amount}; the bank has not confirmed it yet.",
    RefundState.FAILED: "Stripe refused to refund {amount}: the credit is back with the customer.",
}
NOT_KNOWN = "Stripe did not answer. The refund of {amount} is asked about every minute; the credit is held meanwhile."


def _refund(intent: Intent, ask: Ask) -> tuple[str, Model]:
    order = refunds.Order(
        intent.wallet_id, intent.pk, to_cents(ask.amount), reason=ask.reason, nonce=ask.nonce, asked_by=ask.by.pk
    )
    try:
        refund = flows.refund(order, now=ask.now)
    except refunds.RefundRefused as refusal:
        raise ActRefused(str(refusal)) from refusal
    said = SAID.get(RefundState(refund.state), NOT_KNOWN)
    return said.format(amount=wording.usd(ask.amount)), refund


REFUND: Act[Intent] = Act(
    name="refund",
    title="Refund",
    permission="billing.add_refund",
    facts=_payment_facts,
    most=lambda intent, now: refunds.refundable(intent.pk, now=now),
    impossible=_not_refundable,
    tells=_refund_tells,
    does=_refund,
)

# --- Give promotional credit -------------------------------------------------------------------------------------------

LONGEST = timedelta(days=366)


class GiveForm(ActForm):
    title = forms.CharField(max_length=80, label="Title", help_text="What the customer sees, like “Welcome credit”.")
    last_day = forms.DateField(
        label="Last day (UTC)",
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="It ends when this day ends.",
    )
    field_order = ("amount", "title", "last_day", "reason")

    def clean_last_day(self) -> date:
        day: date = self.cleaned_data["last_day"]
        today = self.now.date()
        if not today <= day <= today + LONGEST:
            raise ValidationError("The last day is today or later, and at most a year from now.")
        return day


def _ends(ask: Ask) -> datetime:
    day: date = ask.values["last_day"]
    return datetime.combine(day + timedelta(days=1), time(0), UTC)


def _wallet_facts(wallet: Wallet, now: datetime) -> list[tuple[str, str]]:
    balance = balances.of(wallet.pk, now=now)
    return [
        ("Organization", str(wallet.organization)),
        ("Available credit", wording.usd(balance.available)),
        ("Overdraft", wording.usd(balance.overdraft)),
        ("Debt", wording.usd(balance.debt)),
    ]


def _house(wallet: Wallet, now: datetime) -> str:
    return "" if wallet.organization else "This is the house's own wallet."


def _give_tells(wallet: Wallet, ask: Ask) -> str:
    overdraft = balances.of(wallet.pk, now=ask.now).overdraft
    first = f" It pays the overdraft of {wording.usd(overdraft)} first." if overdraft > 0 else ""
    return (
        f"{wallet.organization} gets {wording.usd(ask.amount)} of promotional credit, "
        f"“{ask.values['title']}”, until {wording.moment(_ends(ask))}.{first}"
    )


def _give(wallet: Wallet, ask: Ask) -> tuple[str, Model]:
    grant = flows.grant_promotional(
        wallet.pk,
        ask.amount,
        key=f"staff:{ask.nonce.hex}",
        title=ask.values["title"],
        expires_at=_ends(ask),
        reason=ask.reason,
        issued_by=ask.by.pk,
        now=ask.now,
    )
    return f"Gave {wording.usd(ask.amount)}.", grant


GIVE: Act[Wallet] = Act(
    name="give",
    title="Give credit",
    permission="billing.add_creditgrant",
    facts=_wallet_facts,
    most=lambda wallet, now: None,
    impossible=_house,
    tells=_give_tells,
    does=_give,
    form=GiveForm,
)

# --- Forgive a debt ----------------------------------------------------------------------------------------------------


def _debt(wallet: Wallet, now: datetime) -> Decimal:
    return cents_down(max(balances.of(wallet.pk, now=now).debt, ZERO))


def _no_debt(wallet: Wallet, now: datetime) -> str:
    return _house(wallet, now) or ("" if _debt(wallet, now) else "There is no debt to forgive.")


def _forgive_tells(wallet: Wallet, ask: Ask) -> str:
    left = _debt(wallet, ask.now) - ask.amount
    return (
        f"{wallet.organization} no longer owes {wording.usd(ask.amount)}: it becomes a bad debt of ours. "
        f"{wording.usd(left)} stays owed."
    )


def _forgive(wallet: Wallet, ask: Ask) -> tuple[str, Model]:
    try:
        flows.forgive_debt(wallet.pk, ask.amount, reason=ask.reason, nonce=ask.nonce, by=ask.by.pk, now=ask.now)
    except debts.ForgivenessRefused as refusal:
        raise ActRefused(str(refusal)) from refusal
    return f"Forgave {wording.usd(ask.amount)}.", wallet


FORGIVE: Act[Wallet] = Act(
    name="forgive",
    title="Forgive debt",
    permission="billing.change_wallet",
    facts=_wallet_facts,
    most=_debt,
    impossible=_no_debt,
    tells=_forgive_tells,
    does=_forgive,
)

# --- Write off what is owed for contracts --------------------------------------------------------------------------------


def _receivable(wallet: Wallet, now: datetime) -> Decimal:
    return cents_down(max(receivables.owed(wallet.pk), ZERO))


def _no_receivable(wallet: Wallet, now: datetime) -> str:
    return (
        _house(wallet, now)
        or ("" if _receivable(wallet, now) else "Nothing is owed for contracts.")
        or forgiving.why_not(wallet.pk)
    )


def _owed_facts(wallet: Wallet, now: datetime) -> list[tuple[str, str]]:
    return [
        ("Organization", str(wallet.organization)),
        ("Owed for contracts", wording.usd(receivables.owed(wallet.pk))),
    ]


def _let_go_tells(wallet: Wallet, ask: Ask) -> str:
    left = _receivable(wallet, ask.now) - ask.amount
    return (
        f"{wallet.organization} no longer owes {wording.usd(ask.amount)} for contracts: it becomes a bad debt of ours. "
        f"{wording.usd(left)} stays owed."
    )


def _let_go(wallet: Wallet, ask: Ask) -> tuple[str, Model]:
    try:
        flows.forgive_receivable(
            wallet.pk, ask.amount, reason=ask.reason, nonce=ask.nonce, by=ask.by.pk, now=ask.now
        )  # fmt: skip
    except debts.ForgivenessRefused as refusal:
        raise ActRefused(str(refusal)) from refusal
    return f"Wrote off {wording.usd(ask.amount)}.", wallet


LET_GO: Act[Wallet] = Act(
    name="let_go",
    title="Write off what is owed for contracts",
    permission="billing.change_wallet",
    facts=_owed_facts,
    most=_receivable,
    impossible=_no_receivable,
    tells=_let_go_tells,
    does=_let_go,
)
