"""Who a document is from and to, and what things were called then: everything on it that can be erased (A45)."""

from collections.abc import Iterable

from django.conf import settings

from billing import wording
from billing.ledger.models import CreditGrant
from billing.payments.models import Intent
from billing.statements import countries
from billing.statements.drafting import Draft
from billing.statements.models import BillingDetails
from orgs.models import ApiKey, Organization

Block = dict[str, object]


def of_statement(drawn: Draft) -> Block:
    """Also the names of keys and of grants: people chose them. By public id, and by line of the ledger."""
    grants = dict(
        CreditGrant.objects.filter(
            account__in={item.account_id for line in drawn.walk for item in line.items}
        ).values_list("account_id", "title")
    )
    titles = {
        item.line: grants[item.account_id] for line in drawn.walk for item in line.items if item.account_id in grants
    }
    keys = ApiKey.objects.filter(organization=drawn.org_id, public_id__in=[row.name for row in drawn.keys])
    return {
        **_both(drawn.org_id),
        "titles": titles,
        "keys": dict(keys.values_list("public_id", "name")),
        "cards": _cards(charge.intent_id for charge in drawn.charges),
    }


def of_receipt(intent: Intent) -> Block:
    return {**_both(intent.wallet_id), "cards": _cards([str(intent.pk)])}


def _both(org_id: int) -> Block:
    return {"issuer": _issuer(), "customer": _customer(org_id)}


def _issuer() -> Block:
    issuer = settings.ISSUER
    return {"name": issuer["name"], "address": list(issuer["address"]), "tax_id": issuer["tax_id"]}


def _customer(org_id: int) -> Block:
    details = BillingDetails.objects.filter(pk=org_id).first()
    if details is None:
        name = Organization.objects.values_list("name", flat=True).get(pk=org_id)
        return {"name": name, "address": [], "tax_id": ""}
    address = [*details.address.splitlines(), countries.name(details.country)]
    return {"name": details.legal_name, "address": address, "tax_id": details.tax_id}


def _cards(intent_ids: Iterable[str]) -> dict[str, str]:
    paid = Intent.objects.filter(pk__in=list(intent_ids)).exclude(card_last4="")
    return {
        str(pk): wording.card(brand, last4).replace(wording.NBSP, " ")
        for pk, brand, last4 in paid.values_list("pk", "card_brand", "card_last4")
    }
