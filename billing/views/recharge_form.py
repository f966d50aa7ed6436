"""The form of the Auto-recharge page: the amounts, the card, and what the page showed when it was sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from billing import wording
from billing.money import NotMoney, to_cents, written
from billing.payments.models import PaymentMethod
from billing.recharge.models import Rule
from billing.recharge.rules import Wish

SUGGESTED = {"threshold": "10.00", "recharge_to": "50.00", "cap": "", "per_day": "5"}
PER_DAY = (1, 2, 3, 5, 10, 20, 50)
SEEN = re.compile(r"([0-9]{1,12}):([0-9]{1,12}):([0-9]{0,12}):([0-9]{1,2}):([0-9]{1,18}):([0-9]{1,12})", re.ASCII)
CLOSE_CENTS = 100
"""Usage goes on while somebody reads: what is charged at once may differ from what was shown by a dollar."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the outcome well told: the rule, and the cents that are charged at once by it."""

    wish: Wish
    now_cents: int

    @property
    def text(self) -> str:
        wish = self.wish
        cap = "" if wish.cap_cents is None else wish.cap_cents
        return f"{wish.threshold_cents}:{wish.recharge_to_cents}:{cap}:{wish.per_day}:{wish.method_id}:{self.now_cents}"

    def still_holds(self, now: "Shown") -> bool:
        """The same rule, which charges at once or does not as it was shown, and about as much."""
        close = abs(self.now_cents - now.now_cents) <= CLOSE_CENTS and bool(self.now_cents) == bool(now.now_cents)
        return self.wish == now.wish and close


def money(label: str, hint: str, *, required: bool = True) -> forms.CharField:
    attrs = {"inputmode": "decimal", "autocomplete": "off", "data-prefix": "$"}
    return forms.CharField(
        label=label, help_text=hint, required=required, max_length=20, widget=forms.TextInput(attrs=attrs),
        error_messages={"required": "Write an amount."},
    )  # fmt: skip


class RechargeForm(forms.Form):
    """`seen` is what the well showed, `version` that of the rule the page was made for (0: there was none)."""

    threshold = money("When credit falls below", "At least $1.00.")
    recharge_to = money("Bring it back up to", "At least $5.00 above the first amount.")
    cap = money("At most per calendar month", "In UTC. Leave it empty for no cap.", required=False)
    per_day = forms.ChoiceField(label="At most charges per day", help_text="Three within 10 minutes always stop it.")
    card = forms.ChoiceField(label="Card", error_messages={"invalid_choice": "Choose one of the saved cards."})
    consent = forms.BooleanField(required=False)
    seen = forms.CharField(required=False, max_length=90)
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)

    def __init__(self, data: QueryDict | dict[str, str], cards: Sequence[PaymentMethod]) -> None:
        super().__init__(data)
        days = [str(number) for number in PER_DAY]
        given = str(data.get("per_day", ""))
        if re.fullmatch(r"[1-9]|[1-4][0-9]|50", given, re.ASCII) and given not in days:
            days = sorted([*days, given], key=int)
        self.fields["per_day"].choices = [(day, day) for day in days]  # type: ignore[attr-defined]
        self.fields["card"].choices = [(str(one.pk), _named(one)) for one in cards]  # type: ignore[attr-defined]
        self.wish: Wish | None = None

    def clean_threshold(self) -> int:
        return _cents(self.cleaned_data["threshold"])

    def clean_recharge_to(self) -> int:
        return _cents(self.cleaned_data["recharge_to"])

    def clean_cap(self) -> int | None:
        text = self.cleaned_data["cap"]
        return _cents(text) if text else None

    def clean(self) -> dict[str, Any]:
        told = self.cleaned_data
        if not self.errors:
            self.wish = Wish(
                threshold_cents=told["threshold"],
                recharge_to_cents=told["recharge_to"],
                method_id=int(told["card"]),
                cap_cents=told["cap"],
                per_day=int(told["per_day"]),
            )
        return told

    def shown(self) -> Shown | None:
        """What the well showed when the form was sent, None when that cannot be read."""
        found = SEEN.fullmatch(self.cleaned_data.get("seen", ""))
        if found is None:
            return None
        threshold, recharge_to, cap, per_day, method, now = found.groups()
        wish = Wish(int(threshold), int(recharge_to), int(method), int(cap) if cap else None, int(per_day))
        return Shown(wish, int(now))


def as_it_stands(rule: Rule | None, cards: Sequence[PaymentMethod]) -> dict[str, str]:
    """What the form says when the page is opened: the rule there is, else what we suggest."""
    if rule is None:
        default = next((card for card in cards if card.is_default), cards[0] if cards else None)
        return {**SUGGESTED, "card": str(default.pk) if default else "", "version": "0"}
    usable = {card.pk for card in cards}
    return {
        "threshold": _dollars(rule.threshold_cents),
        "recharge_to": _dollars(rule.recharge_to_cents),
        "cap": "" if rule.cap_cents is None else _dollars(rule.cap_cents),
        "per_day": str(rule.per_day),
        "card": str(rule.method_id if rule.method_id in usable else cards[0].pk if cards else ""),
        "version": str(rule.version),
    }


def _cents(text: str) -> int:
    try:
        return to_cents(written(text))
    except NotMoney as error:
        raise ValidationError(str(error)) from error


def _dollars(cents: int) -> str:
    return f"{Decimal(cents) / 100:.2f}"


def _named(card: PaymentMethod) -> str:
    return f"{wording.card(card.brand, card.last4)}, expires {wording.card_expiry(card.exp_month, card.exp_year)}"
