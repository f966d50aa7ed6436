"""The ledger: the part of the Billing page with every movement, and the page that says why there was one."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.graphs import credits, lines, monthends, movements, takenback, telling, tracing
from billing.graphs.movements import Kind, Movement
from billing.graphs.telling import Row
from billing.ledger.models import Transfer
from billing.metering.models import UsageReversal
from billing.payments.models import Intent
from billing.statements.models import Receipt
from billing.views import query, reading
from orgs import access
from orgs.access import OrgRequest

PART = "ledger-part"
"""The id of the element that a click in the ledger replaces."""
PLACE = ("before", "after", "open", "whole")
"""What an address says about the place in the ledger; another kind of lines starts at the newest."""
LABELS = {Kind.ALL: "All", Kind.MONEY_IN: "Money in", Kind.USAGE: "Usage", Kind.EXPIRY: "Expiry"}


def part(request: OrgRequest) -> dict[str, Any]:
    """Everything the ledger shows for this address. A fixed number of queries."""
    org_id = request.organization.pk
    kind = query.choice(request, "kind", Kind.ALL)
    opened = query.days(request, "open")
    page = lines.read(
        org_id, kind, before=query.line(request, "before", org_id), after=query.line(request, "after", org_id)
    )
    rows = telling.rows(org_id, page, opened, query.days(request, "whole"))
    return {
        "kinds": [_segment(request, one, kind) for one in Kind],
        "kind": kind,
        "page": page,
        "rows": [(row, _toggle(request, "open", row), _toggle(request, "whole", row)) for row in rows],
        "extent": movements.extent(org_id, kind),
        "exact": query.flag(request, "exact"),
        "decimals": telling.decimals(page, rows),
        "exact_url": query.link(request, {"exact": "" if query.flag(request, "exact") else "1"}, anchor="ledger"),
        "newer_url": _page(request, "after", page.lines[0].newest.name) if page.newer and page.lines else "",
        "older_url": _page(request, "before", page.lines[-1].oldest.name) if page.older and page.lines else "",
        "newest_url": query.link(request, anchor="ledger", without=PLACE),
    }


@require_safe
@access.requires(access.READ)
@reading.page
def why(request: OrgRequest, slug: str, line: str) -> HttpResponse:
    transfer = movements.named(request.organization.pk, line)
    movement = movements.of_transfer(request.organization.pk, transfer) if transfer else None
    if transfer is None or movement is None:
        raise Http404("No such line.")
    if movement.is_usage:
        assert movement.hour is not None
        assert movement.model_id is not None
        trace = tracing.of_hour(request.organization.pk, movement.hour, movement.model_id)
        return render(request, "billing/why_usage.html", {"trace": trace, "decimals": trace.decimals})
    return render(request, "billing/why.html", _standing_alone(request, transfer, movement))


def _standing_alone(request: OrgRequest, transfer: Transfer, movement: Movement) -> dict[str, Any]:
    """A line that is not usage: the grant it gave or took from, the payment behind it, what it paid at once."""
    grant = credits.grants_of([movement.account_id]).get(movement.account_id)
    month_end = monthends.behind(request.organization.pk, movement)
    payment = Intent.objects.filter(pk=grant.payment_id).first() if grant and grant.payment_id else None
    if movement.reason == "settlement":
        payment = Intent.objects.filter(pk=movement.cause_id, wallet=request.organization.pk).first()
    after = movements.settled_after(request.organization.pk, transfer)
    refund, dispute = takenback.behind(request.organization.pk, movement.cause_kind, movement.cause_id)
    return {
        "movement": movement,
        "title": telling.title(movement, grant),
        "grant": grant,
        "payment": payment,
        "receipt": Receipt.objects.filter(pk=payment.pk).first() if payment else None,
        "debts": tracing.debts_paid(movement.account_id) if movement.is_money_in else [],
        "reversal": _reversal(request, movement),
        "refund": refund,
        "dispute": dispute,
        "month_end": month_end,
        "owed": movement.is_debt and movement.amount < 0,
        "after": after,
        "before": after - movement.amount,
    }


def _reversal(request: OrgRequest, movement: Movement) -> UsageReversal | None:
    """The request that was taken back, when this line gives its cost back."""
    if movement.is_money_in or movement.is_expiry:
        return None
    try:
        return UsageReversal.objects.filter(pk=UUID(movement.cause_id), wallet=request.organization.pk).first()
    except ValueError:
        return None


def _segment(request: OrgRequest, kind: Kind, current: Kind) -> dict[str, object]:
    asked = "" if kind is Kind.ALL else kind.value
    url = query.link(request, {"kind": asked}, anchor="ledger", without=PLACE)
    return {"label": LABELS[kind], "url": url, "current": kind is current, "id": f"lines-{kind}"}


def _toggle(request: OrgRequest, name: str, row: Row) -> str:
    """The address that opens this day (or shows all of it) where it is not, and closes it where it is."""
    days = query.days(request, name) ^ {row.line.day}
    return query.link(request, {name: sorted(day.isoformat() for day in days)})


def _page(request: OrgRequest, cursor: str, line: str) -> str:
    return query.link(request, {cursor: line}, anchor="ledger", without=PLACE)
