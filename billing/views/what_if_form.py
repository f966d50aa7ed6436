"""The contract somebody thinks of: a model, tokens a month, and prices that may be left to their own use at list."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from billing import periods, wording
from billing.catalog.offer import Model
from billing.contracts import terms
from billing.contracts.terms import Terms, TermsRefused

A_MILLION = 1_000_000
FEWEST, MOST = terms.FEWEST_TOKENS // A_MILLION, terms.MOST_TOKENS // A_MILLION
WHOLE = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
PRICE = re.compile(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?", re.ASCII)
FIELDS = ("tokens", "price", "overage")
FIELD_OF = {"per_million": "price", "overage_per_million": "overage"}
"""Where the words of `TermsRefused` belong; the rest belongs to the tokens."""


def _price(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=16,
        strip=False,
        label=label,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "data-prefix": "$"}),
    )


class ContractForm(forms.Form):
    """Sent by GET. `tokens` is in millions, prices are in USD per million tokens; an empty one is what the same use of the
    model costs at list. `agreed` holds the terms once it is valid."""

    model = forms.ChoiceField(label="Model")
    tokens = forms.CharField(
        max_length=16,
        strip=False,
        label="Committed tokens a month, in millions",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    price = _price("Price per million tokens", "")
    overage = _price("Price per million beyond them", "")

    def __init__(
        self,
        data: QueryDict | None,
        *,
        models: tuple[Model, ...],
        chosen: Model,
        used: int,
        at_list: Decimal | None,
        now: datetime,
    ) -> None:
        """`used`: tokens of the chosen model a month; `at_list`: what a million of them cost, None without any."""
        super().__init__(data, initial={"model": chosen.slug, "tokens": str(max(FEWEST, used // A_MILLION))})
        self.at_list, self.now = at_list, now
        self.agreed: Terms | None = None
        choice = self.fields["model"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(model.slug, model.slug) for model in models]
        self.fields["tokens"].help_text = f"From {FEWEST}. You used {wording.tokens(used)} in thirty days."
        if at_list is not None:
            listed = f"Empty: {wording.price(at_list)}, which is what your use costs per million at list."
            self.fields["price"].help_text = self.fields["overage"].help_text = listed

    def clean_tokens(self) -> int:
        given = self.cleaned_data["tokens"]
        if not WHOLE.fullmatch(given) or not FEWEST <= int(given) <= MOST:
            raise ValidationError(f"Write whole millions of tokens, like 400; from {FEWEST} to {MOST:,}.")
        return int(given) * A_MILLION

    def clean_price(self) -> Decimal:
        return self._per_million("price")

    def clean_overage(self) -> Decimal:
        return self._per_million("overage")

    def clean(self) -> dict[str, Any]:
        """The same rules as for a contract that staff draft."""
        said = self.cleaned_data
        if all(name in said for name in FIELDS):
            soon = periods.next_month(periods.month_of(self.now))
            agreed = Terms(said["tokens"], said["price"], said["overage"], soon)
            try:
                terms.check(agreed, now=self.now)
            except TermsRefused as refusal:
                self.add_error(FIELD_OF.get(refusal.field, "tokens"), str(refusal))
            else:
                self.agreed = agreed
        return said

    def _per_million(self, name: str) -> Decimal:
        given = self.cleaned_data[name]
        if not given:
            if self.at_list is None:
                raise ValidationError("You have not used this model here: write a price.")
            return self.at_list
        if not PRICE.fullmatch(given) or not Decimal(given):
            raise ValidationError("Write dollars per million tokens, like 0.30, with at most 6 decimals.")
        return Decimal(given)
