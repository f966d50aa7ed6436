"""The form of the Buy credits page: one amount, chosen or typed, and what the page showed when it was sent."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from billing.money import NotMoney, from_cents, written
from billing.payments.buying import Bounds

PRESETS = tuple(Decimal(dollars) for dollars in (10, 25, 50, 100, 250, 500))
SUGGESTED = Decimal(100)
VERSION = re.compile(r"([0-9]{1,13}(?:\.[0-9]{1,12})?):([0-9]{1,13}(?:\.[0-9]{1,12})?)", re.ASCII)
CENTS = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shown:
    """The figures a purchase was decided on, in USD."""

    amount: Decimal
    overdraft: Decimal
    debt: Decimal

    @property
    def version(self) -> str:
        return f"{self.overdraft:f}:{self.debt:f}"


class BuyForm(forms.Form):
    """`other`, when something is written there, goes before `preset`. Nothing is guessed: "1e3" is an error, not 1,000.

    `seen` (the amount in cents) and `version` are what the outcome well showed; `nonce` makes two clicks one purchase.
    """

    preset = forms.CharField(required=False, max_length=12, label="Amount")
    other = forms.CharField(
        required=False,
        max_length=20,
        label="Or another amount",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    seen = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    version = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    nonce = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: QueryDict, bounds: Bounds) -> None:
        super().__init__(data)
        self.sent = data
        self.bounds = bounds
        self.fields["other"].help_text = f"From ${bounds.least:,.2f} to ${bounds.most:,.2f}, in whole cents."
        self.amount: Decimal | None = None

    def presets(self) -> list[tuple[Decimal, bool]]:
        """The amounts to choose from, each with whether it is chosen. Only what may be bought."""
        chosen = self.amount if not self["other"].value() else None
        return [(preset, preset == chosen) for preset in PRESETS if self.bounds.least <= preset <= self.bounds.most]

    def shown(self) -> "Shown | None":
        """What the outcome well showed when the form was sent, None when that cannot be read."""
        seen, version = self.cleaned_data.get("seen", ""), VERSION.fullmatch(self.cleaned_data.get("version", ""))
        if version is None or not CENTS.fullmatch(seen):
            return None
        return Shown(from_cents(int(seen)), Decimal(version[1]), Decimal(version[2]))

    def once(self) -> UUID:
        nonce: UUID = self.cleaned_data["nonce"]
        return nonce

    def clean(self) -> dict[str, Any]:
        for name in self.fields:
            if len(self.sent.getlist(name)) > 1:
                raise ValidationError("Something was sent twice in one form. Send it again from this page.")
        other, preset = self.cleaned_data.get("other", ""), self.cleaned_data.get("preset", "")
        field, text = ("other", other) if other or "other" in self.errors else ("preset", preset)
        if field in self.errors:
            if field == "preset":
                self.add_error("other", "Choose one of the amounts, or write another one.")
        else:
            try:
                self.amount = self._amount(text)
            except ValidationError as error:
                self.add_error("other", error)
        return self.cleaned_data

    def _amount(self, text: str) -> Decimal:
        if not text:
            raise ValidationError("Choose an amount, or write one.")
        try:
            amount = written(text)
        except NotMoney as error:
            raise ValidationError(str(error)) from error
        if amount < self.bounds.least:
            raise ValidationError(f"The smallest amount is ${self.bounds.least:,.2f}.")
        if amount > self.bounds.most:
            raise ValidationError(f"The largest amount is ${self.bounds.most:,.2f} at a time.")
        return amount
