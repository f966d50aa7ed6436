"""The ceiling of one organization's overdraft: what staff set is of the months that end afterwards, and of no other."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, transaction

from billing.settlement import ceilings
from billing.settlement.models import OverdraftCeiling
from orgs.models import Organization, User
from tests.factories import months, usage
from tests.factories.months import APRIL, MARCH, MAY

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_are_right")]

LAST_SECOND = datetime.fromisoformat("2026-03-31T23:59:59Z")


def put(org: Organization, by: User, usd: str, *, at: datetime = MARCH, nonce: UUID | None = None) -> OverdraftCeiling:
    return ceilings.put(org.pk, Decimal(usd), reason="They asked", nonce=nonce or uuid4(), by=by.pk, now=at)


def test_without_one_of_its_own_the_houses_is_the_ceiling(acme: Organization) -> None:
    assert ceilings.of(acme.pk, now=MARCH) == 10


def test_what_staff_set_is_charged_at_most_and_the_rest_is_written_off(
    acme: Organization, alice_personal: Organization, alice: User
) -> None:
    """A10: each organization by its own, in one run."""
    put(acme, alice, "20")
    months.owing(acme, "25")
    months.owing(alice_personal, "25")
    months.closed()
    settled, other = months.settlement(acme), months.settlement(alice_personal)
    assert (settled.ceiling, settled.charge_cents, settled.written_off) == (20, 20_00, 5)
    assert (other.ceiling, other.charge_cents, other.written_off) == (10, 10_00, 15)


@pytest.mark.parametrize(
    ("at", "charged"), [(LAST_SECOND, 20_00), (LAST_SECOND + timedelta(seconds=1), 10_00)], ids=["March", "April"]
)
def test_a_month_is_settled_by_what_was_in_force_when_it_ended(
    acme: Organization, alice: User, at: datetime, charged: int
) -> None:
    """However late it is closed: who looked at the page when the month ended saw what is charged."""
    months.owing(acme, "25")
    put(acme, alice, "20", at=at)
    months.closed(APRIL + timedelta(days=2))
    assert months.settlement(acme).charge_cents == charged


def test_a_change_rewrites_no_month_that_is_closed(acme: Organization, alice: User) -> None:
    months.owing(acme, "25")
    months.closed()
    before = months.settlement(acme)
    put(acme, alice, "3", at=APRIL)
    months.closed(APRIL + timedelta(hours=1))
    after = months.settlement(acme)
    assert (after.ceiling, after.charge_cents, after.written_off) == (10, 10_00, 15)
    assert after.closed_at == before.closed_at

    usage.bought(acme, "10", now=APRIL)
    usage.spent(acme, "8", now=APRIL)
    months.closed(MAY)
    april = months.settlement(acme, 4)
    assert (april.ceiling, april.charge_cents, april.written_off) == (3, 3_00, 5)


def test_the_newest_counts_and_the_same_form_sets_it_once(acme: Organization, alice: User) -> None:
    nonce = uuid4()
    put(acme, alice, "20")
    for _ in range(2):
        put(acme, alice, "15", at=MARCH + timedelta(days=1), nonce=nonce)
    assert OverdraftCeiling.objects.count() == 2
    assert ceilings.of(acme.pk, now=MARCH + timedelta(days=1, seconds=1)) == 15
    with pytest.raises(ceilings.CeilingRefused, match="used before"):
        put(acme, alice, "16", nonce=nonce)


@pytest.mark.parametrize("usd", ["0", "-1", "0.001", "1000.01"])
def test_figures_that_are_no_ceiling(acme: Organization, alice: User, usd: str) -> None:
    with pytest.raises(ceilings.CeilingRefused, match=r"from \$0.01 to \$1,000.00"):
        put(acme, alice, usd)
    assert not OverdraftCeiling.objects.exists()


def test_what_was_set_stays(as_owner: None, acme: Organization, alice: User) -> None:
    made = put(acme, alice, "20")
    for change in (OverdraftCeiling.objects.filter(pk=made.pk).delete, lambda: made.save()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
