"""What staff do with contracts in the admin: draft, offer, withdraw, and end, two of them, what is not paid."""

from datetime import UTC, date, datetime

import pytest
import time_machine
from django.test import Client

from billing.contracts.models import Contract, ContractAct, State
from orgs.models import Organization, User
from tests.factories import contracts
from tests.factories import orgs as people
from tests.factories.contracts import DAY

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_are_right")]

NOW = datetime(2026, 4, 14, 12, 41, tzinfo=UTC)
REASON = {"reason": "Asked for by Alice, ticket 12", "confirmed": "yes"}


def draft(acme: Organization, **other: str) -> dict[str, str]:
    return {
        "organization": acme.slug, "models": str(contracts.model().pk), "tokens": "100000000", "per_million": "0.35",
        "overage_per_million": "0.50", "overage_limit": "", "starts_on": "2026-05-01", "requests_per_minute": "600",
        "tokens_per_minute": "600000", "requests_per_hour": "", "tokens_per_hour": "", "reason": "Ticket 12", **other,
    }  # fmt: skip


def act(client: Client, contract: Contract, name: str) -> str:
    """Confirmed at once; answers the page that follows."""
    return client.post(f"/admin/billing/contract/{contract.pk}/{name}/", REASON, follow=True).content.decode()


@time_machine.travel(NOW, tick=False)
def test_drafted_offered_and_withdrawn(acme: Organization, staff: User, staff_client: Client) -> None:
    assert "Draft a contract" in staff_client.get("/admin/billing/contract/").content.decode()
    assert staff_client.post("/admin/billing/contract/draft/", draft(acme)).status_code == 302
    contract = Contract.objects.get()
    assert (contract.state, contract.amount_cents, contract.overage_limit_cents) == (State.DRAFT, 35_00, 35_00)
    act(staff_client, contract, "offer")
    contract.refresh_from_db()
    assert contract.state == State.OFFERED
    assert "Withdrawn." in act(staff_client, contract, "withdraw")
    contract.refresh_from_db()
    assert contract.state == State.WITHDRAWN
    said = ContractAct.objects.order_by("pk").values_list("act", "by", "reason")
    assert list(said) == [
        ("drafted", staff.pk, "Ticket 12"),
        ("offered", staff.pk, ""),
        ("withdrawn", staff.pk, "Asked for by Alice, ticket 12"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": "9999999"}, {"tokens": "1e8"}, {"tokens": "１0000000"}, {"per_million": "0.3333333"},
        {"per_million": "NaN"}, {"per_million": "-1"}, {"overage_per_million": "0"}, {"overage_limit": "1.001"},
        {"starts_on": "2026-05-02"}, {"starts_on": "2026-04-01"}, {"reason": ""}, {"organization": "nobody"}, {"models": ""},
        {"models": "424242"}, {"requests_per_minute": "0"}, {"tokens_per_hour": "many"},
    ],
)  # fmt: skip
@time_machine.travel(NOW, tick=False)
def test_what_cannot_be_drafted(acme: Organization, staff_client: Client, wrong: dict[str, str]) -> None:
    answer = staff_client.post("/admin/billing/contract/draft/", draft(acme, **wrong))
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not Contract.objects.exists()


def test_two_of_the_staff_end_what_is_not_paid(
    acme: Organization, alice: User, staff: User, staff_client: Client
) -> None:
    march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    contract = contracts.running(acme, alice, now=march, starts_on=date(2026, 3, 1))
    contracts.begun(april)
    for day in (0, 1, 3, 7, 13):
        contracts.refused(acme, now=april + day * DAY)
    contracts.begun(april + 20 * DAY)
    with time_machine.travel(april + 21 * DAY, tick=False):
        assert "second person" in act(staff_client, contract, "end")
        assert "second person has to approve" in act(staff_client, contract, "end")
        other = people.person("kim@purser.example", "Kim Staff")
        other.is_staff = other.is_superuser = True
        other.save()
        assert "Ended." in act(people.signed_in(other), contract, "end")
    contract.refresh_from_db()
    assert (contract.state, contract.ended_as) == (State.ENDED, "unpaid")
