"""How a life ended, in words and figures that are the same whichever way it came there."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.ledger import balances
from billing.ledger.chart import Code
from billing.ledger.models import CreditGrant
from billing.money import from_cents
from billing.payments.models import Dispute, Intent, PaymentMethod, Refund
from billing.webhooks.models import InboxEvent, InboxState
from orgs.models import Organization
from sandbox.stripe import Sandbox

SUMS = """
SELECT code, sum(amount) FROM (
    SELECT d.code, -t.amount AS amount FROM transfer t JOIN account d ON d.id = t.debit_id WHERE t.org_id = %(org)s
    UNION ALL SELECT c.code, t.amount FROM transfer t JOIN account c ON c.id = t.credit_id WHERE t.org_id = %(org)s
) moved GROUP BY code HAVING sum(amount) <> 0
"""
Picture = dict[str, Any]


def sums(org: Organization) -> dict[int, str]:
    """Account number -> what it holds of this organization, credits less debits."""
    with connection.cursor() as cursor:
        cursor.execute(SUMS, {"org": org.pk})
        return {code: f"{amount:.2f}" for code, amount in sorted(cursor.fetchall())}


def of(org: Organization, sandbox: Sandbox, *, now: datetime) -> Picture:
    """What the customer has, what the ledger says, what Stripe says."""
    balance = balances.of(org.pk, now=now)
    totals = sandbox.admin.books()["totals"]
    sessions = sandbox.books.oldest_first("checkout.session")
    return {
        "payments": sorted(
            (intent.purpose, intent.amount_cents, intent.state, intent.failure_code)
            for intent in Intent.objects.filter(wallet_id=org.pk)
        ),
        "grants": [
            (f"{grant.account.granted:.2f}", f"{grant.account.rest:.2f}", grant.account.held)
            for grant in CreditGrant.objects.filter(wallet_id=org.pk).select_related("account").order_by("pk")
        ],
        "available": f"{balance.available:.2f}",
        "held": f"{balance.held:.2f}",
        "owed": (f"{balance.overdraft:.2f}", f"{balance.debt:.2f}"),
        "ledger": sums(org),
        "refunds": sorted(Refund.objects.filter(wallet_id=org.pk).values_list("amount_cents", "state")),
        "disputes": sorted(Dispute.objects.filter(wallet_id=org.pk).values_list("amount_cents", "status")),
        "cards": PaymentMethod.objects.filter(wallet_id=org.pk).count(),
        "charged at Stripe": f"{from_cents(totals['net']):.2f}" if totals["net"] > 0 else "0.00",
        "open pages at Stripe": sum(session["status"] == "open" for session in sessions),
        "news not worked on": InboxEvent.objects.filter(state__in=[InboxState.NEW, InboxState.FAILED]).count(),
    }


def is_lost(picture: Picture) -> bool:
    """Whether money is at Stripe that the ledger does not know, or the other way round."""
    return Decimal(picture["charged at Stripe"]) != -Decimal(picture["ledger"].get(int(Code.STRIPE), "0"))


def is_double(picture: Picture) -> bool:
    """Whether one purchase was charged or credited twice."""
    return len(picture["grants"]) > 1 or Decimal(picture["charged at Stripe"]) > 50
