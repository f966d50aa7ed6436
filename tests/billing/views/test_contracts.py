"""The page of a contract: read by whoever moves money, accepted by an owner, and what it says while it runs."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.test import Client

from billing.contracts.models import Acceptance, Contract
from orgs.models import Organization, Role, User
from tests.factories import cards, contracts
from tests.factories.contracts import MILLION

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon", "books_are_right")]

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 20, tzinfo=UTC)
MAY = date(2026, 5, 1)


def page_of(contract: Contract) -> str:
    return f"/o/acme/billing/contracts/{contract.public_id}"


def offered(acme: Organization, alice: User) -> Contract:
    return contracts.offered(acme, alice, now=MARCH, starts_on=MAY)


def running(acme: Organization, alice: User, **other: Any) -> Contract:
    return contracts.running(acme, alice, now=APRIL, starts_on=date(2026, 4, 1), **other)


def form(client: Client, contract: Contract) -> dict[str, str]:
    """As the page gives it, with the name typed."""
    text = client.get(page_of(contract)).content.decode()
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', text)
    assert seen is not None
    return {"seen": seen[1], "name": "Alice Archer"}


def test_an_owner_reads_and_accepts_it(acme: Organization, alice: User, alice_client: Client) -> None:
    cards.saved(acme)
    contract = offered(acme, alice)
    shown = alice_client.get(page_of(contract)).content.decode().replace("\u00a0", " ")
    for said in ("10,000,000 tokens per calendar", "$60.00", "Accept for 12 months", "ending 4242"):
        assert said in shown
    assert "Read and accept" in alice_client.get("/o/acme/billing").content.decode()
    answer = alice_client.post(f"{page_of(contract)}/accept", form(alice_client, contract), follow=True)
    contract.refresh_from_db()
    assert (contract.state, Acceptance.objects.get().name) == ("accepted", "Alice Archer")
    assert "Accepted as" in answer.content.decode()
    # Sent once more, it is accepted once.
    again = {"seen": bytes(Acceptance.objects.get().digest).hex(), "name": "Alice Archer"}
    assert alice_client.post(f"{page_of(contract)}/accept", again).status_code == 302


@pytest.mark.parametrize("missing", ["seen", "name"])
def test_a_form_that_did_not_arrive_whole_accepts_nothing(
    acme: Organization, alice: User, alice_client: Client, missing: str
) -> None:
    cards.saved(acme)
    contract = offered(acme, alice)
    sent = {name: value for name, value in form(alice_client, contract).items() if name != missing}
    answer = alice_client.post(f"{page_of(contract)}/accept", sent)
    assert answer.status_code == 200
    assert not Acceptance.objects.exists()
    if missing == "seen":
        assert "did not arrive whole" in answer.content.decode()


def test_without_a_card_it_asks_for_one(acme: Organization, alice: User, alice_client: Client) -> None:
    shown = alice_client.get(page_of(offered(acme, alice))).content.decode()
    assert "Add a card" in shown
    assert "Accept for 12 months" not in shown


@pytest.mark.parametrize(
    ("bob_role", "reads"), [(role, role in (Role.ADMIN, Role.BILLING)) for role in Role if role != Role.OWNER]
)
def test_who_moves_money_may_read_and_only_an_owner_accepts(
    acme: Organization, alice: User, bob_client: Client, reads: bool
) -> None:
    cards.saved(acme)
    contract = offered(acme, alice)
    answer = bob_client.get(page_of(contract))
    assert answer.status_code == (200 if reads else 403)
    if reads:
        assert "Only an owner can accept it" in answer.content.decode()
    sent = {"seen": "0" * 64, "name": "Bob Baker"}
    assert bob_client.post(f"{page_of(contract)}/accept", sent).status_code == 403
    assert bob_client.post(f"{page_of(contract)}/limit", {"limit": "1.00"}).status_code == 403


def test_a_draft_and_a_strangers_contract_do_not_exist(
    acme: Organization, alice: User, alice_client: Client, charlie_client: Client
) -> None:
    draft = contracts.drafted(acme, alice, now=MARCH, starts_on=MAY)
    assert alice_client.get(page_of(draft)).status_code == 404
    assert charlie_client.get(page_of(offered(acme, alice))).status_code == 404


def test_the_bar_says_how_far_the_month_is_used(acme: Organization, alice: User, alice_client: Client) -> None:
    contract = running(acme, alice, overage_limit_cents=2_00)
    contracts.used(acme, 12 * MILLION, at=APRIL.replace(day=10))
    for page in ("/o/acme/billing", page_of(contract)):
        shown = " ".join(alice_client.get(page).content.decode().replace("\u00a0", " ").split())
        assert "12.00 M of 10 M tokens used in April (UTC)" in re.sub(r"<[^>]+>", "", shown)
        assert "$1.60" in shown
    contracts.used(acme, MILLION, at=APRIL.replace(day=10))
    assert "overage limit is reached" in alice_client.get(page_of(contract)).content.decode()


def test_an_owner_raises_the_limit(acme: Organization, alice: User, alice_client: Client) -> None:
    contract = running(acme, alice)
    assert alice_client.post(f"{page_of(contract)}/limit", {"limit": "25.50"}).status_code == 302
    contract.refresh_from_db()
    assert contract.overage_limit_cents == 25_50
    for wrong in ("", "-1", "1,000", "NaN", "0.001", "1000000.01"):
        assert alice_client.post(f"{page_of(contract)}/limit", {"limit": wrong}).status_code == 200
    contract.refresh_from_db()
    assert contract.overage_limit_cents == 25_50


def test_nothing_to_pay(acme: Organization, alice: User, alice_client: Client) -> None:
    contract = running(acme, alice)
    answer = alice_client.post(f"{page_of(contract)}/pay", follow=True)
    assert "nothing to pay" in answer.content.decode()
