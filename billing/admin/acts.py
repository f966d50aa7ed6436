"""Acts of staff that move money: a form on a row's page, what it will do told back, done when that is confirmed.

An act is done once per form: its nonce goes into the key of what it writes, so a second click finds it done. Who did it and
why is kept with what was done, and in the admin's own log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from billing.admin.reading import ReadOnly
from billing.money import NotMoney, written
from orgs.models import User

M = TypeVar("M", bound=Model)

LONGEST_REASON = 500


class ActRefused(Exception):
    """It cannot be done; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What staff asked for: the cleaned form, who asked, and when."""

    values: dict[str, Any]
    by: User
    now: datetime

    @property
    def amount(self) -> Decimal:
        amount: Decimal = self.values["amount"]
        return amount

    @property
    def reason(self) -> str:
        return str(self.values["reason"])

    @property
    def nonce(self) -> UUID:
        nonce: UUID = self.values["nonce"]
        return nonce


class ActForm(forms.Form):
    """An amount in whole cents and a reason. `nonce` makes two clicks one act; `confirmed` is set by the second page."""

    amount = forms.CharField(
        max_length=20,
        label="Amount (USD)",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON, label="Reason", widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept for good."
    )
    nonce = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, sent: QueryDict | None, *, most: Decimal | None, now: datetime) -> None:
        """`most`: what there is to be moved; the limit for one act stands beside it."""
        super().__init__(sent, initial={"nonce": uuid4()})
        self.most, self.now = most, now

    def clean_amount(self) -> Decimal:
        try:
            amount = written(self.cleaned_data["amount"])
        except NotMoney as error:
            raise ValidationError(str(error)) from error
        limit = settings.STAFF_LIMIT_USD
        if amount <= 0:
            raise ValidationError("The amount must be more than nothing.")
        if self.most is not None and amount > self.most:
            raise ValidationError(f"At most ${self.most:,.2f} is left.")
        if amount > limit:
            raise ValidationError(f"At most ${limit:,.2f} at a time: more needs a second person.")
        return amount


@dataclass(frozen=True)
class Act(Generic[M]):
    """One thing staff can do with a row. `facts`: what to know before; `most`: how much there is; `impossible`: why it
    cannot be done at all, or nothing; `tells`: what will happen, in a sentence; `does`: does it, answers what to say and
    the row to look at, or raises ActRefused."""

    name: str
    title: str
    permission: str
    facts: Callable[[M, datetime], list[tuple[str, str]]]
    most: Callable[[M, datetime], Decimal | None]
    tells: Callable[[M, Ask], str]
    does: Callable[[M, Ask], tuple[str, Model]]
    impossible: Callable[[M, datetime], str]
    form: type[ActForm] = ActForm


class WithActs(ReadOnly[M]):
    """A read-only table whose rows have acts. Their links stand on the row's page."""

    acts: tuple[Act[Any], ...] = ()
    change_form_template = "admin/billing/with_acts.html"

    def get_urls(self) -> list[URLPattern]:
        table = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(
                f"<path:object_id>/{act.name}/",
                self.admin_site.admin_view(self._view(act)),
                name=f"{table}_{act.name}",
            )
            for act in self.acts
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        table = f"{self.opts.app_label}_{self.opts.model_name}"
        shown = [
            (act.title, reverse(f"admin:{table}_{act.name}", args=[object_id]))
            for act in self.acts
            if request.user.has_perm(act.permission)
        ]
        return super().change_view(request, object_id, form_url, {"acts": shown, **(extra_context or {})})

    def _view(self, act: Act[Any]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            if not request.user.has_perm(act.permission):
                raise PermissionDenied
            row = self.get_object(request, object_id)
            if row is None:
                raise Http404
            return self._answer(request, act, row)

        return view

    def _answer(self, request: HttpRequest, act: Act[Any], row: M) -> HttpResponse:
        now = datetime.now(UTC)
        form = act.form(request.POST if request.method == "POST" else None, most=act.most(row, now), now=now)
        impossible, told = act.impossible(row, now), ""
        if not impossible and form.is_valid() and "back" not in request.POST:
            assert isinstance(request.user, User)
            ask = Ask(form.cleaned_data, request.user, now)
            told = act.tells(row, ask)
            if request.POST.get("confirmed") == "yes":
                try:
                    return self._done(request, act, row, ask)
                except ActRefused as refusal:
                    form.add_error(None, str(refusal))
                    told = ""
        shown = {"act": act, "facts": act.facts(row, now), "impossible": impossible, "form": form, "told": told}
        page = {**self.admin_site.each_context(request), "opts": self.opts, "original": row, "title": act.title}
        return TemplateResponse(request, "admin/billing/act.html", page | shown)

    def _done(self, request: HttpRequest, act: Act[Any], row: M, ask: Ask) -> HttpResponse:
        said, made = act.does(row, ask)
        self.log_change(request, row, f"{act.title}. {said} Reason: {ask.reason}")
        messages.info(request, said)
        table = f"{made._meta.app_label}_{made._meta.model_name}"
        return HttpResponseRedirect(reverse(f"admin:{table}_change", args=[made.pk]))
