"""The form of the Alerts page: where mail goes, what goes by mail, and the balances to be told at."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.http import QueryDict

from billing.money import NotMoney, written
from billing.notices.models import ALWAYS, Kind
from billing.notices.wishes import CHOOSABLE, LEAST_THRESHOLD, MOST_THRESHOLDS, Wishes


class AsSent(forms.CheckboxInput):
    """Django's own takes whatever is sent for a tick."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        return data.get(name)


class Box(forms.BooleanField):
    """Sent as "on" or not at all."""

    widget = AsSent

    def to_python(self, value: object) -> bool:
        if value not in (None, "on"):
            raise ValidationError("This box cannot be read. Open the page again.")
        return value == "on"


class AlertForm(forms.Form):
    """A box for each kind that can be switched off, under the kind's name. `thresholds` is one amount in a line, written
    out: "1,500" is an error, not two amounts."""

    billing_email = forms.EmailField(
        required=False,
        max_length=254,
        label="Billing e-mail",
        help_text="Everything goes there, once the address is confirmed by the mail we send to it. Empty: to the owners"
        " and to members with the billing role.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    thresholds = forms.CharField(
        required=False,
        max_length=100,
        strip=False,
        label="Tell us when credit falls below",
        help_text=f"Dollars and whole cents, one amount in a line, at most {MOST_THRESHOLDS}. Told once, and again after"
        " credit was above it.",
        widget=forms.Textarea(attrs={"rows": 3, "inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, data: QueryDict | None, wishes: Wishes) -> None:
        super().__init__(data)
        self.initial = {
            "billing_email": wishes.asked_email or wishes.billing_email,
            "thresholds": "\n".join(f"{amount:.2f}" for amount in wishes.thresholds),
        }
        for kind in CHOOSABLE:
            self.fields[kind.value] = Box(required=False, label=kind.label, initial=kind in wishes.mailed)

    def boxes(self) -> list[BoundField]:
        return [self[kind.value] for kind in CHOOSABLE]

    def always(self) -> str:
        """What has no box, in words."""
        return ", ".join(kind.label.lower() for kind in ALWAYS)

    def mailed(self) -> list[Kind]:
        return [kind for kind in CHOOSABLE if self.cleaned_data[kind.value]]

    def clean_thresholds(self) -> list[Decimal]:
        lines = [line.strip() for line in self.cleaned_data["thresholds"].splitlines()]
        amounts = [_threshold(line) for line in lines if line]
        if len(amounts) > MOST_THRESHOLDS:
            raise ValidationError(f"At most {MOST_THRESHOLDS} amounts.")
        if len(set(amounts)) < len(amounts):
            raise ValidationError("One amount is there twice.")
        return amounts

    def clean(self) -> dict[str, Any]:
        """A browser sends an empty field too: a body without it is no form of ours, and must not switch anything off."""
        if any(name not in self.data for name in ("billing_email", "thresholds")):
            raise ValidationError("This form did not arrive whole. Send it again from this page.")
        return self.cleaned_data


def _threshold(text: str) -> Decimal:
    try:
        amount = written(text)
    except NotMoney as error:
        raise ValidationError(str(error)) from error
    if amount < LEAST_THRESHOLD:
        raise ValidationError(f"The smallest amount is ${LEAST_THRESHOLD}.")
    return amount
