"""What people fill in about themselves, their organizations and their keys."""

import re
import secrets
from datetime import UTC, datetime, time
from typing import Any

from django import forms

from orgs.models import ApiKey, Membership, Organization, Role, User


def one_line(text: str) -> str:
    """A name on one line: runs of white space are one space."""
    return " ".join(text.split())


class NameField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return one_line(str(super().to_python(value) or ""))


class TeamForm(forms.Form):
    name = NameField(
        max_length=80,
        help_text="People see it in the switcher and on statements. It can be changed later.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class OrganizationNameForm(forms.ModelForm[Organization]):
    name = NameField(max_length=80, label="Organization name", help_text="The address of its pages stays the same.")

    class Meta:
        model = Organization
        fields = ["name"]


class ProfileForm(forms.ModelForm[User]):
    name = NameField(
        max_length=120,
        required=False,
        label="Your name",
        help_text="Other members of your organizations see it beside your e-mail address.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )

    class Meta:
        model = User
        fields = ["name"]


class RoleForm(forms.ModelForm[Membership]):
    role = forms.ChoiceField(choices=Role.choices)

    class Meta:
        model = Membership
        fields = ["role"]


def form_token() -> str:
    return secrets.token_urlsafe(16)


class DayField(forms.DateField):
    """A day as YYYY-MM-DD, as browsers send it, and in no other way: 01/02/2030 is two days."""

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value).strip(), re.ASCII):
            raise forms.ValidationError("Write the day as YYYY-MM-DD.")
        return super().to_python(value)


class NewKeyForm(forms.ModelForm[ApiKey]):
    """`once` names this form: sent twice, it makes one key."""

    name = NameField(
        max_length=60,
        help_text="What will use it: release-bot, notebooks, staging.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires_on = DayField(
        required=False,
        label="Expires on",
        help_text="From 00:00 UTC on this day requests with the key get 401.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    once = forms.CharField(
        min_length=16,
        max_length=64,
        initial=form_token,
        widget=forms.HiddenInput,
        error_messages={"required": "This form is out of date. Open it again."},
    )

    class Meta:
        model = ApiKey
        fields = ["name"]

    def expires_at(self) -> datetime | None:
        """The instant the key ends: the start of the chosen day, UTC."""
        day = self.cleaned_data["expires_on"]
        return datetime.combine(day, time.min, UTC) if day else None
