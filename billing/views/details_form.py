"""The form of the billing details: read strictly, kept as it was written."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from stdnum.exceptions import ValidationError as NotATaxId
from stdnum.util import get_cc_module

from billing.statements import countries

LINES = 4
LINE_LENGTH = 80
TAX_ID = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z ./-]{2,30})[0-9A-Za-z]", re.ASCII)


def one_line(text: str) -> str:
    """Runs of white space are one space."""
    return " ".join(text.split())


class DetailsForm(forms.Form):
    """Nothing here is required to use the portal; what is written here is printed."""

    legal_name = forms.CharField(
        max_length=120,
        label="Name on statements",
        help_text="The legal name of the company, or your own.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    address = forms.CharField(
        max_length=LINES * (LINE_LENGTH + 2),
        help_text=f"Street, postal code and city, on at most {LINES} lines.",
        widget=forms.Textarea(attrs={"rows": LINES, "autocomplete": "street-address"}),
    )
    country = forms.ChoiceField(choices=lambda: [("", "Choose a country"), *countries.names().items()])
    tax_id = forms.CharField(
        required=False,
        max_length=32,
        label="Tax id",
        help_text="Printed on statements and receipts as you write it. No tax is computed or collected.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_legal_name(self) -> str:
        name = one_line(self.cleaned_data["legal_name"])
        if not name:
            raise ValidationError("Write the name that statements are made out to.")
        return name

    def clean_address(self) -> str:
        lines = [line for line in map(one_line, self.cleaned_data["address"].splitlines()) if line]
        if not lines:
            raise ValidationError("Write the address.")
        if len(lines) > LINES or any(len(line) > LINE_LENGTH for line in lines):
            raise ValidationError(f"At most {LINES} lines of {LINE_LENGTH} characters.")
        return "\n".join(lines)

    def clean(self) -> dict[str, Any]:
        """The tax id is that of the country, where its form is known; elsewhere letters and digits."""
        if "tax_id" not in self.data:
            # A form that arrived in part must not erase what it does not say.
            raise ValidationError("This form did not arrive whole. Send it again from this page.")
        tax_id, country = one_line(self.cleaned_data.get("tax_id") or ""), self.cleaned_data.get("country", "")
        self.cleaned_data["tax_id"] = tax_id
        if tax_id and "tax_id" not in self.errors:
            kind = get_cc_module(country.lower(), "vat") if country else None
            try:
                if kind is not None:
                    kind.validate(tax_id)
                elif not TAX_ID.fullmatch(tax_id):
                    raise ValidationError(
                        "Letters, digits, spaces, dots, slashes and hyphens only, at least 4 of them."
                    )
            except NotATaxId:
                self.add_error("tax_id", f"This is not a tax id of {countries.name(country)}. Look for a wrong digit.")
            except ValidationError as error:
                self.add_error("tax_id", error)
        return self.cleaned_data
