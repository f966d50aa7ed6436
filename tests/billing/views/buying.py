"""Buying credits in the browser, in few words: for the tests of the pages."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.test import Client
from django.utils import timezone

from billing.catalog.models import AIModel
from billing.ledger import accruals, wallets
from billing.payments.models import Intent, State
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.factories.paying import PAYS, begin

BUY = "/o/acme/billing/buy"
HTMX = {"HX-Request": "true"}


def text(answer: Any) -> str:
    """What is read on the page: no tags, single spaces."""
    words = re.sub(r"</?(span|data|time|b)\b[^>]*>", "", answer.content.decode())
    words = re.sub(r"<[^>]+>", " ", words)
    return re.sub(r"\s+", " ", words.replace("\u00a0", " ").replace("&#x27;", "'")).replace(" .", ".")


def fields(answer: Any) -> dict[str, str]:
    """The hidden fields of the form as a browser would send them back."""
    html = answer.content.decode()
    return {
        name: found.group(1)
        for name in ("seen", "version", "nonce")
        if (found := re.search(rf'name="{name}" value="([^"]*)"', html))
    }


def sent(client: Client, *, follow: Any = None, **given: Any) -> Any:
    """Open the page with these amounts, then press its button."""
    shown = client.get(BUY, given)
    return client.post(BUY, {**fields(shown), **given})


def usage(org: Organization, amount: str) -> None:
    """Usage beyond credit: an overdraft."""
    model = AIModel.objects.filter(slug="m").first() or AIModel.objects.create(slug="m", name="m", provider="p")
    now = timezone.now()
    with transaction.atomic():
        wallets.lock([org.pk])
        minute = now.replace(second=0, microsecond=0)
        accruals.draw([accruals.Cost(org.pk, model.pk, minute, Decimal(amount))], now=now)


def page_of(intent: Intent | UUID) -> str:
    return f"/o/acme/billing/purchases/{intent.pk if isinstance(intent, Intent) else intent}"


def paid(stripe: Running, client: Client, acme: Organization, alice: User) -> Intent:
    intent = begin(acme, alice)
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    client.post(f"{page_of(intent)}/check")
    intent.refresh_from_db()
    assert intent.state == State.SUCCEEDED
    return intent
