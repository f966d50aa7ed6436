"""Contracts: staff draft and offer them, withdraw what nobody accepted, and end, two of them, what is not paid.

A draft is written on the page "Add contract" and never changed: a mistake is withdrawn, and written anew.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from billing import flows, wording
from billing.admin.acts import LONGEST_REASON, Act, ActForm, ActRefused, Ask, WithActs
from billing.admin.reading import ReadOnly, exact
from billing.catalog.models import AIModel
from billing.contracts import ending, signing
from billing.contracts.ending import EndRefused
from billing.contracts.models import Contract, State
from billing.contracts.monthly import ContractDue
from billing.contracts.signing import SigningRefused
from billing.contracts.terms import Terms, TermsRefused
from billing.money import NotMoney, from_cents, to_cents, written
from orgs.models import Organization, User

MOST_DIGITS = 14
ACCOUNT = "With at most 6 decimals."


class DraftForm(forms.Form):
    """What a contract says. Amounts are checked where the rules are (`contracts/terms.py`)."""

    organization = forms.CharField(max_length=80, label="Organization", help_text="Its address: the word in /o/…/.")
    models = forms.ModelMultipleChoiceField(AIModel.objects.order_by("slug"), label="Models")
    tokens = forms.CharField(max_length=20, label="Tokens a month", help_text="At least 10,000,000, digits only.")
    per_million = forms.CharField(max_length=MOST_DIGITS, label="USD per million tokens", help_text=ACCOUNT)
    overage_per_million = forms.CharField(max_length=MOST_DIGITS, label="USD per million beyond", help_text=ACCOUNT)
    overage_limit = forms.CharField(
        max_length=20,
        required=False,
        label="Overage limit a month (USD)",
        help_text="Empty: as much as the commitment.",
    )
    starts_on = forms.DateField(
        label="Starts on (UTC)", input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first of a coming month.",
    )  # fmt: skip
    requests_per_minute = forms.IntegerField(min_value=1, max_value=10**7, label="Requests per minute")
    tokens_per_minute = forms.IntegerField(min_value=1, max_value=10**12, label="Tokens per minute")
    requests_per_hour = forms.IntegerField(min_value=1, max_value=10**8, required=False, label="Requests per hour")
    tokens_per_hour = forms.IntegerField(min_value=1, max_value=10**13, required=False, label="Tokens per hour")
    reason = forms.CharField(
        max_length=LONGEST_REASON, label="Reason", widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept for good."
    )

    def clean_organization(self) -> Organization:
        found = Organization.objects.filter(slug=self.cleaned_data["organization"].strip()).first()
        if found is None:
            raise ValidationError("There is no organization with this address.")
        return found

    def clean_tokens(self) -> int:
        text = self.cleaned_data["tokens"].strip()
        if not (text.isascii() and text.isdigit()):
            raise ValidationError("Write it in digits, like 100000000.")
        return int(text)

    def clean_per_million(self) -> Decimal:
        return _price(self.cleaned_data["per_million"])

    def clean_overage_per_million(self) -> Decimal:
        return _price(self.cleaned_data["overage_per_million"])

    def clean_overage_limit(self) -> int | None:
        text = self.cleaned_data["overage_limit"].strip()
        if not text:
            return None
        try:
            return to_cents(written(text))
        except NotMoney as error:
            raise ValidationError(str(error)) from error

    @property
    def draft(self) -> signing.Draft:
        said = self.cleaned_data
        terms = Terms(
            said["tokens"], said["per_million"], said["overage_per_million"], said["starts_on"], said["overage_limit"]
        )
        rates = signing.Rates(**{name: said[name] for name in signing.Rates.__slots__})
        return signing.Draft(said["organization"].pk, terms, {one.pk: rates for one in said["models"]}, said["reason"])


def _price(text: str) -> Decimal:
    try:
        if not text.strip().isascii() or not set(text.strip()) <= set("0123456789."):
            raise InvalidOperation
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise ValidationError("Write it in dollars, like 0.35.") from error


# --- Acts ----------------------------------------------------------------------------------------------------------------


class WithoutReason(forms.Form):
    """Nothing is asked but to look once more."""

    nonce = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, sent: QueryDict | None, *, most: Decimal | None, now: datetime) -> None:
        super().__init__(sent)


class WithReason(WithoutReason):
    reason = forms.CharField(
        max_length=LONGEST_REASON, label="Reason", widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept for good."
    )


def _facts(contract: Contract, now: datetime) -> list[tuple[str, str]]:
    proposal = ending.proposed(contract)
    return [
        ("Organization", str(contract.wallet.organization)),
        ("State", str(contract.get_state_display())),
        ("Models", ", ".join(signing.names(contract))),
        ("Tokens a month", f"{contract.tokens:,}"),
        ("A month costs", wording.usd(contract.amount)),
        ("Term", f"{wording.day(contract.starts_on)} to {wording.day(contract.ends_on)}, 00:00 UTC"),
        *(
            [("End proposed", f"by {proposal.by} on {wording.moment(proposal.at)}: {proposal.reason}")]
            if proposal
            else []
        ),
    ]


def _only(*states: State) -> Callable[[Contract, datetime], str]:
    def why_not(contract: Contract, now: datetime) -> str:
        return (
            "" if contract.state in states else f"It is {contract.get_state_display().lower()}: this is not possible."
        )

    return why_not


def _offer(contract: Contract, ask: Ask) -> tuple[str, Model]:
    try:
        return "Offered; its owners are told.", flows.offer_contract(contract, by=ask.by.pk, now=ask.now)
    except SigningRefused as refusal:
        raise ActRefused(str(refusal)) from refusal


def _withdraw(contract: Contract, ask: Ask) -> tuple[str, Model]:
    try:
        gone = flows.withdraw_contract(contract, by=ask.by.pk, reason=ask.reason, now=ask.now)
    except SigningRefused as refusal:
        raise ActRefused(str(refusal)) from refusal
    return "Withdrawn.", gone


def _end(contract: Contract, ask: Ask) -> tuple[str, Model]:
    try:
        ended = flows.end_unpaid_contract(contract, by=ask.by.pk, reason=ask.reason, now=ask.now)
    except EndRefused as refusal:
        raise ActRefused(str(refusal)) from refusal
    said = "Ended." if ended.state == State.ENDED else "Proposed: a second person has to approve it."
    return said, ended


def _end_tells(contract: Contract, ask: Ask) -> str:
    if ending.proposed(contract) is None:
        return "You propose to end it for non-payment. Nothing happens before a second person approves it."
    return "It ends at once: its models are covered no more. What is owed stays owed."


def _act(name: str, title: str, form: type[forms.Form], **said: Any) -> Act[Contract]:
    return Act(
        name=name, title=title, permission="billing.change_contract", facts=_facts, most=lambda contract, now: None,
        form=cast(type[ActForm], form), **said,
    )  # fmt: skip


OFFER = _act(
    "offer", "Offer", WithReason, impossible=_only(State.DRAFT), does=_offer,
    tells=lambda contract, ask: f"{contract.wallet.organization} can read it, and an owner can accept it.",
)  # fmt: skip
WITHDRAW = _act(
    "withdraw", "Withdraw", WithReason, impossible=_only(State.DRAFT, State.OFFERED), does=_withdraw,
    tells=lambda contract, ask: "Nobody can accept it any more.",
)  # fmt: skip
END = _act(
    "end", "End for non-payment", WithReason, impossible=_only(State.PAST_DUE), does=_end, tells=_end_tells
)  # fmt: skip


# --- Tables --------------------------------------------------------------------------------------------------------------


@admin.register(Contract)
class ContractAdmin(WithActs[Contract]):
    acts = (OFFER, WITHDRAW, END)
    change_list_template = "admin/billing/contracts.html"
    list_display = ("organization", "state", "tokens", "a_month", "starts_on", "ends_on", "active_from")
    list_filter = ("state", "starts_on")
    list_select_related = ("wallet__organization",)
    search_fields = ("wallet__organization__slug", "=public_id")
    ordering = ("-drafted_at",)
    readonly_fields: ClassVar[tuple[str, ...]] = ("models", "history")

    def get_urls(self) -> list[URLPattern]:
        own = path("draft/", self.admin_site.admin_view(self.draft), name="billing_contract_draft")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        may = request.user.has_perm("billing.add_contract")
        return super().changelist_view(request, {**(extra_context or {}), "may_draft": may})

    def draft(self, request: HttpRequest) -> HttpResponse:
        """Write one down. It is shown to nobody before it is offered."""
        if not request.user.has_perm("billing.add_contract"):
            raise PermissionDenied
        form = DraftForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            assert isinstance(request.user, User)
            try:
                made = flows.draft_contract(form.draft, by=request.user.pk, now=datetime.now(UTC))
            except TermsRefused as refusal:
                form.add_error(refusal.field, str(refusal))
            except SigningRefused as refusal:
                form.add_error(None, str(refusal))
            else:
                self.log_change(request, made, f"Drafted. Reason: {form.cleaned_data['reason']}")
                return HttpResponseRedirect(reverse("admin:billing_contract_change", args=[made.pk]))
        page = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Draft a contract", "form": form}
        return TemplateResponse(request, "admin/billing/contract_draft.html", page)

    @admin.display(ordering="wallet_id")
    def organization(self, contract: Contract) -> object:
        return contract.wallet.organization

    @admin.display(description="a month", ordering="amount_cents")
    def a_month(self, contract: Contract) -> str:
        return exact(contract.amount)

    @admin.display(description="models")
    def models(self, contract: Contract) -> str:
        return ", ".join(signing.names(contract))

    @admin.display(description="what people did")
    def history(self, contract: Contract) -> str:
        acts = contract.acts.select_related("by").order_by("pk")
        lines = (
            f"{wording.moment(act.at)}: {act.get_act_display()} {f'by {act.by}' if act.by else ''} {act.reason}"
            for act in acts
        )
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))


@admin.register(ContractDue)
class ContractDueAdmin(ReadOnly[ContractDue]):
    list_display = ("organization", "what", "month", "amount", "stage", "tries", "due_at", "next_try_at", "closes_at")
    list_filter = ("stage", "what")
    list_select_related = ("wallet__organization", "month")
    search_fields = ("wallet__organization__slug", "=intent__id", "=contract__public_id")
    ordering = ("-due_at", "-id")

    @admin.display(ordering="wallet_id")
    def organization(self, due: ContractDue) -> object:
        return due.wallet.organization

    @admin.display(ordering="amount_cents")
    def amount(self, due: ContractDue) -> str:
        return exact(from_cents(due.amount_cents))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContractDue]:
        return super().get_queryset(request).select_related("wallet__organization", "month")
