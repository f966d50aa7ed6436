"""The Plans page: what there is, what one has, what a change would cost, and who may do something about it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from billing.catalog.models import AIModel, Plan
from billing.coverage.models import Payer, PayerBase
from orgs.models import Organization, Role, User
from tests.billing.views.buying import text
from tests.billing.views.conftest import NOW
from tests.factories import cards, catalog, contracts, plans

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon", "books_are_right")]

PLANS = "/o/acme/plans"
DAY = timedelta(days=1)


@pytest.fixture
def sold(acme: Organization) -> dict[str, AIModel]:
    """The first catalog: Code Pro and Code Max, both for zai-glm-4.7."""
    return catalog.first_catalog()


@pytest.fixture
def pro(sold: dict[str, AIModel]) -> Plan:
    return Plan.objects.get(slug="code-pro")


@pytest.fixture
def larger(sold: dict[str, AIModel]) -> Plan:
    return Plan.objects.get(slug="code-max")


def test_it_says_in_numbers_what_each_plan_gives(alice_client: Client, sold: Any) -> None:
    shown = text(alice_client.get(PLANS))
    for said in (
        "Prices and limits below are those of zai-glm-4.7",
        "$0 a month", "All 4 models", "$2.25 / $2.75", "no daily limit", "500,000",
        "$50 a month", "24 M", "250,000", "$200 a month", "120 M", "400,000",
        "$50.00 now. Paid until 14 May, then monthly", "Choose Code Pro",
        "gpt-oss-120b", "$0.35", "ends 27 May 2026", "Reserved capacity",
    ):  # fmt: skip
        assert said in shown, said
    assert "/o/acme/plans/what-if" in alice_client.get(PLANS).content.decode()


def test_ones_own_use_says_which_plan_is_enough(
    alice_client: Client, acme: Organization, sold: dict[str, AIModel]
) -> None:
    """Of the last thirty days: what is older says nothing any more."""
    for days, millions in ((1, 30), (2, 10), (33, 200)):
        contracts.used(acme, millions * 1_000_000, at=NOW - days * DAY, slug="zai-glm-4.7")
    shown = text(alice_client.get(PLANS))
    assert "Your zai-glm-4.7 usage of the last 30 days comes to $90.00 in credit" in shown
    assert "On 1 of the last 30 days you used more than 24 M tokens" in shown
    assert "Enough on all of the last 30 days. Busiest: 13 Apr, 30.00 M" in shown


def test_what_one_has_and_what_can_be_done_with_it(
    alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    cards.saved(acme)
    running = plans.begun(acme, pro, alice, now=NOW - 10 * DAY)
    answer = alice_client.get(PLANS)
    shown = text(answer)
    for said in (
        "Active", "Cancel plan", "Upgrade to Code Max", "$100.00 now, for the rest of the period until 4 May",
        "Next charge $50.00 on 4 May 2026, 12:41 UTC", "Visa ending 4242",
    ):  # fmt: skip
        assert said in shown, said
    assert f"{PLANS}/{running.public_id}/cancel" in answer.content.decode()
    assert "Choose Code Pro" not in shown


def test_a_smaller_plan_is_for_later(alice_client: Client, acme: Organization, alice: User, larger: Plan) -> None:
    running = plans.begun(acme, larger, alice, now=NOW - 10 * DAY)
    answer = alice_client.get(PLANS)
    assert "From 4 May, 12:41 UTC. Nothing is charged now. Change to Code Pro" in text(answer)
    assert f"{PLANS}/{running.public_id}/change?to=code-pro" in answer.content.decode()


@pytest.mark.parametrize("bob_role", [Role.DEVELOPER, Role.VIEWER])
def test_who_moves_no_money_reads_it_without_buttons(
    bob_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    before = text(bob_client.get(PLANS))
    assert "$50.00 now" in before
    assert "Choose Code Pro" not in before
    running = plans.begun(acme, pro, alice, now=NOW)
    answer = bob_client.get(PLANS)
    assert "Active" in text(answer)
    # Only the account's own forms are left: theme and sign-out.
    assert "/plans/quote" not in answer.content.decode()
    assert str(running.public_id) not in answer.content.decode()


def test_what_is_not_sold_at_all_is_said_once(alice_client: Client, acme: Organization, sold: Any) -> None:
    PayerBase.objects.filter(wallet_id=acme.pk).update(payer=Payer.MARKETPLACE)
    shown = text(alice_client.get(PLANS))
    assert shown.count("AWS Marketplace bills this organization: plans are not sold to it here.") == 1
    assert "Choose Code Pro" not in shown


def test_a_disputed_plan_says_so_and_is_not_upgraded(
    alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    running = plans.begun(acme, pro, alice, now=NOW - DAY)
    intent = running.charges.get().intent
    assert intent is not None
    plans.disputed(intent, -50_00, now=NOW)
    shown = text(alice_client.get(PLANS))
    assert "Code Pro is suspended" in shown
    assert "Upgrade to" not in shown


def test_the_page_of_its_payment_says_how_the_dispute_was_decided(
    alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    intent = plans.begun(acme, pro, alice, now=NOW - DAY).charges.get().intent
    assert intent is not None
    page = f"{PLANS}/payments/{intent.pk}"
    plans.disputed(intent, -50_00, now=NOW)
    assert "Disputed $50.00, open since" in text(alice_client.get(page))
    plans.disputed(intent, -50_00, 50_00, now=NOW, status="won")
    assert "Disputed $50.00, decided for us" in text(alice_client.get(page))


def test_of_another_organization_nothing_is_seen(charlie_client: Client, acme: Organization, sold: Any) -> None:
    assert charlie_client.get(PLANS).status_code == 404


@pytest.mark.parametrize("much", [1, 4])
def test_it_costs_the_same_for_much_and_little(
    alice_client: Client,
    acme: Organization,
    alice: User,
    sold: Any,
    pro: Plan,
    much: int,
    django_assert_num_queries: Any,
) -> None:
    for number in range(much):
        cards.saved(acme, f"424{number}")
        contracts.used(acme, 1_000_000, at=NOW - (1 + number) * DAY, slug="zai-glm-4.7")
    running = plans.begun(acme, pro, alice, now=NOW)
    for _ in range(much - 1):
        plans.scheduled(running, None, alice, now=NOW)
        plans.taken_back(running, alice, now=NOW)
    alice_client.get(PLANS)
    with django_assert_num_queries(25):
        alice_client.get(PLANS)


# --- The banner ----------------------------------------------------------------------------------------------------------


def everywhere(client: Client) -> list[str]:
    return [text(client.get(page)) for page in (PLANS, "/o/acme/billing", "/o/acme/")]


def test_a_change_that_is_scheduled_is_said_everywhere_until_it_is_undone(
    alice_client: Client, acme: Organization, alice: User, larger: Plan, pro: Plan
) -> None:
    running = plans.begun(acme, larger, alice, now=NOW - 10 * DAY)
    change = plans.scheduled(running, pro, alice, now=NOW)
    for shown in everywhere(alice_client):
        assert "Code Pro from 4 May 2026, 12:41 UTC. Until then Code Max" in shown
        assert "Then $50.00 is charged instead of $200.00." in shown
        assert "Undo change" in shown
    sent = {"change": str(change.pk), "back": "billing"}
    answer = alice_client.post(f"{PLANS}/{running.public_id}/undo", sent, follow=True)
    assert answer.redirect_chain == [("/o/acme/billing", 302)]
    assert "Code Max goes on. Nothing is scheduled any more." in text(answer)
    assert not any("Undo change" in shown for shown in everywhere(alice_client))


def test_who_only_reads_sees_the_banner_without_undo(
    bob_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    plans.scheduled(plans.begun(acme, pro, alice, now=NOW), None, alice, now=NOW)
    for shown in everywhere(bob_client):
        assert "Code Pro ends on 14 May 2026, 12:41 UTC. Until then it stays as it is." in shown
        assert "Keep Code Pro" not in shown


@pytest.mark.parametrize("proven", [True, False])
def test_past_due_says_why_what_still_works_and_until_when(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, proven: bool
) -> None:
    begins = NOW.replace(month=2 if proven else 3)
    running = plans.begun(acme, pro, alice, now=begins)
    if proven:
        plans.renewed(running, now=NOW.replace(month=3))
    plans.refused(running, now=NOW)
    for shown in everywhere(alice_client):
        assert "Code Pro is not paid. The card does not have enough funds. $50.00 was not charged." in shown
        assert "We try Visa ending 4242 again on 15 Apr 2026, 12:41 UTC" in shown
        assert ("Until then it covers zai-glm-4.7 as before" in shown) is proven
        assert ("Until it is paid it covers nothing" in shown) is not proven
        assert "Not paid by 21 Apr 2026, 12:41 UTC, it ends, and nothing is owed" in shown
        assert "Pay $50.00 now" in shown
    shown = text(alice_client.get(PLANS))
    assert "Cancel plan now" in shown
    assert "An upgrade is not possible while a payment for the plan is due." in shown
    limits = text(alice_client.get("/o/acme/limits"))
    assert ("402, plan not paid" in limits) is not proven
    assert ("Pay it in the portal, or cancel the plan" in limits) is not proven


def test_a_card_that_renews_a_plan_is_not_removed(
    alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    """A47: what has to be done first is said before the click, and the click alone does nothing."""
    running = plans.begun(acme, pro, alice, now=NOW)
    page = f"/o/acme/billing/cards/{running.method_id}/remove"
    assert "A plan is renewed with Visa ending 4242. It cannot be removed while that is so." in text(
        alice_client.get(page)
    )
    assert "A plan is renewed with this card." in text(alice_client.post(page, follow=True))
    plans.scheduled(running, None, alice, now=NOW)
    assert "Remove Visa ending 4242" in text(alice_client.get(page))


# --- On Billing ----------------------------------------------------------------------------------------------------------


def test_billing_says_what_there_is_and_how_far_it_is_used(
    alice_client: Client, acme: Organization, alice: User, sold: dict[str, AIModel], larger: Plan
) -> None:
    assert "No plan." in text(alice_client.get("/o/acme/billing"))
    plans.begun(acme, larger, alice, now=NOW - 10 * DAY)
    contracts.used(acme, 9_140_000, at=NOW - timedelta(hours=1), slug="zai-glm-4.7")
    overview = text(alice_client.get("/o/acme/"))
    assert "Code Max, today’s allowance 9.14 M of 120 M tokens, resets 00:00" in overview
    shown = text(alice_client.get("/o/acme/billing"))
    for said in ("Code Max", "$200.00 a month", "covers zai-glm-4.7", "9.14 M of 120 M", "$200.00 on 4 May 2026, 12:41 UTC",
                 "Visa ending 4242",
                 "20 d left", "Change plan", "Cancel plan"):  # fmt: skip
        assert said in shown, said
