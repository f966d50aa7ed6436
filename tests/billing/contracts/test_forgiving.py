"""Staff let go of what is owed for contracts: with a reason, once, and then nothing is collected any more."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry

from billing import flows
from billing.contracts.models import Contract
from billing.ledger import receivables
from billing.ledger.debts import ForgivenessRefused
from billing.ledger.models import Transfer
from orgs.models import Organization, User
from tests.factories import contracts
from tests.factories import orgs as people
from tests.factories.contracts import DAY, MARCH
from tests.factories.contracts import charging as being_charged

pytestmark = pytest.mark.django_db

APRIL = (MARCH + 32 * DAY).replace(day=1)
NOW = APRIL + 20 * DAY


@pytest.fixture
def owing(acme: Organization, alice: User) -> Contract:
    """April is not paid, and its grace is over."""
    contract = contracts.running(acme, alice)
    contracts.begun(APRIL)
    for day in (0, 1, 3, 7, 13):
        contracts.refused(acme, now=APRIL + day * DAY)
    contracts.begun(NOW)
    contract.refresh_from_db()
    assert contract.state == "past_due"
    return contract


def forgiven(
    org: Organization, by: User, usd: str, *, reason: str = "They are broke", nonce: UUID | None = None
) -> Decimal:
    return flows.forgive_receivable(
        org.pk,
        Decimal(usd),
        reason=reason,
        nonce=nonce or uuid4(),
        by=by.pk,
        now=NOW,
    )


def test_all_of_it_and_the_contract_goes_on(acme: Organization, alice: User, owing: Contract) -> None:
    nonce = uuid4()
    assert [forgiven(acme, alice, "5.00", nonce=nonce) for _ in range(2)] == [5, 5]
    assert receivables.owed(acme.pk) == 0
    assert contracts.dues(owing)[-1] == ("commitment", 5_00, "over")
    posted = Transfer.objects.get(reason="receivable_forgiven")
    assert (posted.debit_id, posted.amount, posted.cause_kind) == (6000, 5, "staff")
    contracts.begun(NOW)
    owing.refresh_from_db()
    assert owing.state == "active"


def test_a_part_of_it_and_the_rest_stays_owed(acme: Organization, alice: User, owing: Contract) -> None:
    forgiven(acme, alice, "2.00")
    assert receivables.owed(acme.pk) == 3
    assert contracts.dues(owing)[-1] == ("commitment", 5_00, "unpaid")


@pytest.mark.parametrize(
    ("usd", "reason", "says"),
    [("5.01", "why", "At most 5"), ("0", "why", "At most"), ("-1", "why", "At most"), ("1", " ", "Say why")],
)
def test_what_is_not_let_go(acme: Organization, alice: User, owing: Contract, usd: str, reason: str, says: str) -> None:
    with pytest.raises(ForgivenessRefused, match=says):
        forgiven(acme, alice, usd, reason=reason)
    assert receivables.owed(acme.pk) == 5


def test_not_while_a_card_is_charged(acme: Organization, alice: User) -> None:
    contracts.running(acme, alice)
    contracts.begun(APRIL)
    being_charged(acme, now=APRIL)
    with pytest.raises(ForgivenessRefused, match="outcome comes first"):
        forgiven(acme, alice, "5.00")


def test_the_first_month_is_never_given_away(acme: Organization, alice: User) -> None:
    """Nothing owed would make it look paid, and the contract would begin."""
    contract = contracts.accepted(acme, alice)
    contracts.begun(MARCH)
    with pytest.raises(ForgivenessRefused, match="taken back by itself"):
        forgiven(acme, alice, "5.00")
    contract.refresh_from_db()
    assert contract.state == "accepted"


def test_staff_do_it_in_the_admin(acme: Organization, owing: Contract) -> None:
    sam = people.person("sam@purser.example", "Sam Staff")
    sam.is_staff = sam.is_superuser = True
    sam.save()
    client, where = people.signed_in(sam), f"/admin/billing/wallet/{acme.pk}/let_go/"
    sent = {"nonce": str(uuid4()), "amount": "5.00", "reason": "Ticket 12"}
    assert "no longer owes $5.00 for contracts" in client.post(where, sent).content.decode()
    assert receivables.owed(acme.pk) == 5
    assert "Wrote off $5.00." in client.post(where, sent | {"confirmed": "yes"}, follow=True).content.decode()
    assert "Ticket 12" in LogEntry.objects.get(object_id=str(acme.pk)).change_message
    assert "Nothing is owed for contracts." in client.get(where).content.decode()
