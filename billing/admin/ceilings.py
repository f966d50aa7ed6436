"""The ceiling of an organization's overdraft: every figure that was set, and the act that sets another."""

from datetime import datetime
from decimal import Decimal

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model

from billing import periods, wording
from billing.admin.acts import Act, ActForm, ActRefused, Ask
from billing.admin.reading import ReadOnly, exact
from billing.ledger import balances
from billing.ledger.models import Wallet
from billing.settlement import ceilings
from billing.settlement.models import MOST_CEILING, OverdraftCeiling


class CeilingForm(ActForm):
    def clean_amount(self) -> Decimal:
        amount = super().clean_amount()
        if amount > MOST_CEILING:
            raise ValidationError(f"No ceiling is above {wording.usd(MOST_CEILING)}.")
        return amount


def _facts(wallet: Wallet, now: datetime) -> list[tuple[str, str]]:
    return [
        ("Organization", str(wallet.organization)),
        ("Ceiling now", wording.usd(ceilings.of(wallet.pk, now=now))),
        ("Overdraft now", wording.usd(balances.of(wallet.pk, now=now).overdraft)),
    ]


def _tells(wallet: Wallet, ask: Ask) -> str:
    month = f"{periods.month_of(ask.now):%B %Y}"
    return (
        f"From the end of {month} on, at most {wording.usd(ask.amount)} of an overdraft of {wallet.organization} is charged"
        " to a card at month end, and what lies beyond is written off. Its Billing page says so at once. Months that are"
        " over stay as they are."
    )


def _set(wallet: Wallet, ask: Ask) -> tuple[str, Model]:
    try:
        ceilings.put(wallet.pk, ask.amount, reason=ask.reason, nonce=ask.nonce, by=ask.by.pk, now=ask.now)
    except ceilings.CeilingRefused as refusal:
        raise ActRefused(str(refusal)) from refusal
    return f"The ceiling is {wording.usd(ask.amount)}.", wallet


SET: Act[Wallet] = Act(
    name="ceiling",
    title="Set overdraft ceiling",
    permission="billing.add_overdraftceiling",
    facts=_facts,
    most=lambda wallet, now: None,
    impossible=lambda wallet, now: "" if wallet.organization else "This is the house's own wallet.",
    tells=_tells,
    does=_set,
    form=CeilingForm,
)


@admin.register(OverdraftCeiling)
class OverdraftCeilingAdmin(ReadOnly[OverdraftCeiling]):
    list_display = ("set_at", "organization", "ceiling", "set_by", "reason")
    list_select_related = ("wallet__organization", "set_by")
    search_fields = ("wallet__organization__slug",)
    date_hierarchy = "set_at"
    ordering = ("-set_at", "-id")

    @admin.display(ordering="wallet_id")
    def organization(self, ceiling: OverdraftCeiling) -> object:
        return ceiling.wallet.organization

    @admin.display(ordering="usd")
    def ceiling(self, ceiling: OverdraftCeiling) -> str:
        return exact(ceiling.usd)
