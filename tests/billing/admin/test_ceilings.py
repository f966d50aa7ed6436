"""Staff set the ceiling of an organization's overdraft, with a reason, and the customer sees it."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from billing.ledger.models import Wallet
from billing.settlement.models import OverdraftCeiling
from orgs.models import Organization, User
from tests.billing.admin.test_acts import address, confirmed, form

pytestmark = pytest.mark.django_db


def test_it_is_told_back_first_set_when_confirmed_and_shown_to_the_customer(
    staff: User, staff_client: Client, alice_client: Client, acme: Organization
) -> None:
    where = address("ceiling", Wallet.objects.get(pk=acme.pk))
    sent = form(staff_client, where, amount="20")
    told = staff_client.post(where, sent).content.decode()
    assert "at most $20.00 of an overdraft of Acme Research is charged" in told
    assert not OverdraftCeiling.objects.exists()
    assert "The ceiling is $20.00." in confirmed(staff_client, where, sent).content.decode()
    made = OverdraftCeiling.objects.get()
    assert (made.usd, made.set_by, made.reason) == (20, staff, "Asked for by Alice, ticket 12")
    assert "The ceiling is $20.00. Reason: Asked for" in LogEntry.objects.get().change_message
    shown = " ".join(alice_client.get("/o/acme/billing").content.decode().replace("\u00a0", " ").split())
    assert 'at most <data value="20">$20.00</data> of it is charged at month end' in shown


@pytest.mark.parametrize(
    ("amount", "says"),
    [("0", "more than nothing"), ("1000.01", "No ceiling is above $1,000.00."), ("x", "whole cents")],
)
def test_a_ceiling_that_cannot_be(
    staff_client: Client, acme: Organization, settings: object, amount: str, says: str
) -> None:
    settings.STAFF_LIMIT_USD = Decimal(5_000)  # type: ignore[attr-defined]
    where = address("ceiling", Wallet.objects.get(pk=acme.pk))
    assert says in confirmed(staff_client, where, form(staff_client, where, amount=amount)).content.decode()
    assert not OverdraftCeiling.objects.exists()


def test_one_person_sets_no_more_than_the_limit_of_one_person(staff_client: Client, acme: Organization) -> None:
    where = address("ceiling", Wallet.objects.get(pk=acme.pk))
    page = confirmed(staff_client, where, form(staff_client, where, amount="100.01")).content.decode()
    assert "more needs a second person" in page
    assert not OverdraftCeiling.objects.exists()
