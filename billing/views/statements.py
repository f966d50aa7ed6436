"""Statements and receipts: as pages, and as files to keep."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.expressions import RawSQL
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing import periods
from billing.ledger.models import LedgerPeriod
from billing.settlement.closing import AT_LATEST
from billing.statements import exporting, printing, showing
from billing.statements.models import Receipt, Statement, number_in
from billing.views import reading
from orgs import access, throttle
from orgs.access import OrgRequest

CLOSING = RawSQL("(body::jsonb ->> 'closing')::numeric", [])


@require_safe
@access.requires(access.READ)
@reading.page
def statements(request: OrgRequest, slug: str) -> HttpResponse:
    issued = Statement.objects.filter(wallet=request.organization.pk).defer("body").annotate(closing=CLOSING)
    page = {"statements": issued.order_by("-period"), "months": _open_months(request, timezone.now())}
    return render(request, "billing/statements.html", page)


@require_safe
@access.requires(access.READ)
@reading.page
def statement(request: OrgRequest, slug: str, number: str) -> HttpResponse:
    shown = showing.statement(_named(request, number))
    paid = [UUID(charge.intent_id) for charge in shown.charges]
    receipts = Receipt.objects.filter(wallet=request.organization.pk, pk__in=paid).values_list("pk", flat=True)
    return render(request, "billing/statement.html", {"shown": shown, "receipts": {str(pk) for pk in receipts}})


@never_cache
@require_safe
@access.requires(access.READ)
def statement_pdf(request: OrgRequest, slug: str, number: str) -> HttpResponse:
    with reading.one_snapshot():
        shown = showing.statement(_named(request, number))
    return _printed(request, "billing/paper/statement.html", f"statement-{shown.name}.pdf", shown)


@never_cache
@require_safe
@access.requires(access.READ)
def statement_csv(request: OrgRequest, slug: str, number: str) -> HttpResponse:
    issued = _named(request, number)
    return _file(exporting.as_csv(issued), "text/csv; charset=utf-8", f"statement-{issued.name}.csv")


@never_cache
@require_safe
@access.requires(access.READ)
def statement_json(request: OrgRequest, slug: str, number: str) -> HttpResponse:
    issued = _named(request, number)
    return _file(exporting.as_json(issued), "application/json", f"statement-{issued.name}.json")


@require_safe
@access.requires(access.READ)
def statement_verifier(request: OrgRequest, slug: str) -> HttpResponse:
    """The program that checks a statement offline, as it stands in the source."""
    return _file(exporting.program(), "text/x-python; charset=utf-8", "verify_statement.py")


@require_safe
@access.requires(access.READ)
@reading.page
def receipt(request: OrgRequest, slug: str, intent_id: UUID) -> HttpResponse:
    shown = showing.receipt(access.own(request, Receipt, pk=intent_id))
    return render(request, "billing/receipt.html", {"shown": shown})


@never_cache
@require_safe
@access.requires(access.READ)
def receipt_pdf(request: OrgRequest, slug: str, intent_id: UUID) -> HttpResponse:
    shown = showing.receipt(access.own(request, Receipt, pk=intent_id))
    return _printed(request, "billing/paper/receipt.html", f"receipt-{shown.name}.pdf", shown)


def _named(request: OrgRequest, name: str) -> Statement:
    """The statement of this organization that is called so; letter by letter, else 404."""
    number = number_in(name)
    if number is None:
        raise Http404("No such statement.")
    found = access.own(request, Statement, number=number)
    if found.name != name:
        raise Http404("No such statement.")
    return found


def _open_months(request: OrgRequest, now: datetime) -> list[dict[str, Any]]:
    """The month that runs, and those before it that are not told yet. `closes`: at the earliest, and at the latest."""
    moved = LedgerPeriod.objects.filter(wallet=request.organization.pk, seq__gt=0)
    told = Statement.objects.filter(wallet=request.organization.pk).values("period")
    waiting = set(moved.exclude(period__in=told).values_list("period", flat=True)) | {periods.month_of(now)}
    ends = {period: periods.month_start(periods.next_month(period)) for period in waiting}
    return [
        {"period": period, "closes": ends[period], "latest": ends[period] + AT_LATEST, "now": now}
        for period in sorted(waiting, reverse=True)
    ]


def _file(text: str, kind: str, name: str) -> HttpResponse:
    answer = HttpResponse(text, content_type=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _printed(request: OrgRequest, template: str, name: str, shown: object) -> HttpResponse:
    """Drawing pages takes about a second of a processor, so there is a limit to it."""
    try:
        throttle.take(throttle.DOCUMENTS, f"user:{request.user.pk}", now=timezone.now())
        made = printing.pdf(printing.page(template, shown=shown))
    except throttle.TooOften as refusal:
        return throttle.page(request, refusal.retry_after)
    except printing.NoPrinter:
        return render(request, "billing/no_pdf.html", status=503)
    answer = HttpResponse(made, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
