"""Changing to a smaller plan, cancelling, taking that back; and a renewal that was declined."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from billing.catalog.models import Plan
from billing.payments.models import Intent
from billing.subscriptions.models import Change, Ended, State, Subscription
from orgs.models import Organization, Role, User
from sandbox.stripe import Running
from tests.billing.views.buying import text
from tests.billing.views.conftest import NOW
from tests.factories import adding_cards, cards, catalog, contracts, plans
from tests.factories.paying import PAYS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_are_right")]

PLANS = "/o/acme/plans"
DAY = timedelta(days=1)
END = "4 May 2026, 12:41 UTC"  # of the period that `running` is in


@pytest.fixture
def pro(acme: Organization) -> Plan:
    catalog.first_catalog()
    return Plan.objects.get(slug="code-pro")


@pytest.fixture
def larger(pro: Plan) -> Plan:
    return Plan.objects.get(slug="code-max")


@pytest.fixture
def running(at_noon: object, acme: Organization, alice: User, larger: Plan) -> Subscription:
    """Code Max since ten days."""
    return plans.begun(acme, larger, alice, now=NOW - 10 * DAY)


@pytest.fixture
def unpaid(at_noon: object, acme: Organization, alice: User, pro: Plan) -> Subscription:
    """Code Pro, whose second month the bank has declined three times."""
    running = plans.begun(acme, pro, alice, now=NOW.replace(month=3) - 3 * DAY)
    for days in (3, 2, 0):
        plans.refused(running, now=NOW - days * DAY)
    return running


def page_of(running: Subscription, what: str) -> str:
    return f"{PLANS}/{running.public_id}/{what}"


def seen(client: Client, page: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', client.get(page).content.decode())
    assert found is not None
    return found[1]


# --- A smaller plan --------------------------------------------------------------------------------------------------------


def test_what_stays_and_what_changes_is_said_before(alice_client: Client, running: Subscription) -> None:
    shown = text(alice_client.get(page_of(running, "change?to=code-pro")))
    for said in (
        f"Code Max becomes Code Pro on {END}", "Nothing is charged now, nothing is refunded",
        "zai-glm-4.7 Covered by Code Max Covered by Code Pro", "Tokens a day 120 M 24 M",
        "Rate limits 400,000 tokens and 100 requests a minute 250,000 tokens and 50 requests a minute",
        "Next charge None $50.00 at that moment, then monthly", f"You can undo it until {END}",
        "Then $50.00 is charged to Visa ending 4242", "Change to Code Pro on 4 May", "Keep Code Max",
    ):  # fmt: skip
        assert said in shown, said
    assert not Change.objects.exists()


def test_it_is_scheduled_once_and_replaces_what_was(
    alice_client: Client, running: Subscription, alice: User, pro: Plan
) -> None:
    plans.scheduled(running, None, alice, now=NOW)
    page = page_of(running, "change")
    assert f"This replaces what is scheduled: the end of Code Max. You can undo it until {END}" in text(
        alice_client.get(page)
    )
    sent = {"to": "code-pro", "seen": seen(alice_client, page)}
    for _ in range(2):
        answer = alice_client.post(page, sent, follow=True)
        assert f"Code Pro from {END}." in text(answer)
    assert list(Change.objects.order_by("pk").values_list("plan", "withdrawn_at")) == [(None, NOW), (pro.pk, None)]
    assert "that is scheduled already" in text(alice_client.get(page))


@pytest.mark.parametrize("what", ["the price", "the period"])
def test_what_was_not_shown_is_not_scheduled(
    alice_client: Client, acme: Organization, alice: User, larger: Plan, pro: Plan, at_noon: object, what: str
) -> None:
    running = plans.begun(acme, larger, alice, now=NOW.replace(month=3))
    page = page_of(running, "change")
    with time_machine.travel(NOW - DAY, tick=False):
        sent = {"to": "code-pro", "seen": seen(alice_client, page)}
    plans.renewed(running, now=NOW)
    if what == "the price":
        sent["seen"] = seen(alice_client, page)
        Plan.objects.filter(pk=pro.pk).update(price_usd=60)
    shown = text(alice_client.post(page, sent))
    assert "Look again before you change. Something has changed since this was shown. Nothing was scheduled." in shown
    assert ("Then $60.00 is charged" in shown) is (what == "the price")
    assert "Code Max becomes Code Pro on 14 May 2026" in shown
    assert not Change.objects.exists()


@pytest.mark.parametrize("missing", ["to", "seen"])
def test_a_change_that_did_not_arrive_whole(alice_client: Client, running: Subscription, missing: str) -> None:
    sent = {"to": "code-pro", "seen": "active:1:5000"}
    del sent[missing]
    assert "did not arrive whole" in text(alice_client.post(page_of(running, "change"), sent))
    assert not Change.objects.exists()


def test_only_a_smaller_plan_is_for_later(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, at_noon: object
) -> None:
    running = plans.begun(acme, pro, alice, now=NOW)
    assert "There is no smaller plan than Code Pro." in text(alice_client.get(page_of(running, "change")))
    for slug in ("code-max", "code-pro", "nothing"):
        assert alice_client.get(page_of(running, f"change?to={slug}")).status_code == 404
        assert alice_client.post(page_of(running, "change"), {"to": slug, "seen": ""}).status_code == 404


# --- The end ----------------------------------------------------------------------------------------------------------


def test_cancelling_is_two_clicks(alice_client: Client, running: Subscription) -> None:
    assert page_of(running, "cancel") in alice_client.get("/o/acme/billing").content.decode()
    page = page_of(running, "cancel")
    shown = text(alice_client.get(page))
    for said in (
        f"Code Max ends on {END}. Nothing is charged, nothing is refunded.",
        "Covered by Code Max Uses your credit: $2.25 in, $2.75 out per M tokens", "Tokens a day 120 M No daily limit",
        "400,000 tokens and 100 requests a minute 500,000 tokens and 500 requests a minute",
        "Credit and keys Stay as they are", f"You can undo it until {END}", "Cancel plan on 4 May", "Keep Code Max",
        "Cancellation policy",
    ):  # fmt: skip
        assert said in shown, said
    answer = alice_client.post(page, {"seen": seen(alice_client, page)}, follow=True)
    assert f"Code Max ends on {END}. Until then it stays as it is. Nothing more is charged for it." in text(answer)
    assert "Ending" in text(answer)
    change = Change.objects.get()
    assert (change.plan, change.effective_at) == (None, running.ends_at)
    assert "that is scheduled already" in text(alice_client.get(page))


def test_a_person_goes_back_to_free_usage(
    alice_client: Client, alice: User, alice_personal: Organization, pro: Plan, at_noon: object
) -> None:
    running = plans.begun(alice_personal, pro, alice, now=NOW - DAY)
    contracts.used(alice_personal, 2_000_000, at=NOW - timedelta(hours=1), slug="zai-glm-4.7")
    shown = text(alice_client.get(f"/o/{alice_personal.slug}/plans/{running.public_id}/cancel"))
    assert "Uses your credit: $2.25 in, $2.75 out per M tokens; without credit, free usage at its limits" in shown
    assert "zai-glm-4.7 would draw about $4.50 of credit a month. You have $0.00." in shown


def test_cancelling_replaces_a_change_and_says_so(
    alice_client: Client, running: Subscription, alice: User, pro: Plan
) -> None:
    plans.scheduled(running, pro, alice, now=NOW)
    page = page_of(running, "cancel")
    assert "This replaces the change to Code Pro." in text(alice_client.get(page))
    alice_client.post(page, {"seen": seen(alice_client, page)})
    assert Change.objects.get(withdrawn_at=None).plan is None


def test_past_due_it_ends_at_once_and_says_so(alice_client: Client, unpaid: Subscription) -> None:
    page = page_of(unpaid, "cancel")
    shown = text(alice_client.get(page))
    assert "Code Pro ends at once, since its renewal is not paid. Nothing is charged, nothing is owed" in shown
    assert "This cannot be taken back." in shown
    answer = alice_client.post(page, {"seen": seen(alice_client, page)}, follow=True)
    assert "Code Pro has ended. Nothing is owed for it." in text(answer)
    unpaid.refresh_from_db()
    assert (unpaid.state, unpaid.ended_as) == (State.ENDED, Ended.CANCELED)
    assert alice_client.get(page).status_code == 404


def test_who_read_that_it_ends_later_does_not_end_it_at_once(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, at_noon: object
) -> None:
    running = plans.begun(acme, pro, alice, now=NOW.replace(month=3))
    page = page_of(running, "cancel")
    with time_machine.travel(NOW - DAY, tick=False):
        sent = {"seen": seen(alice_client, page)}
    plans.refused(running, now=NOW)
    shown = text(alice_client.post(page, sent))
    assert "Look again before you cancel. The plan has changed since this was shown. Nothing was canceled." in shown
    assert "ends at once" in shown
    running.refresh_from_db()
    assert running.state == State.PAST_DUE
    assert "did not arrive whole" in text(alice_client.post(page))


def test_a_plan_that_has_not_begun_is_not_cancelled(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, at_noon: object
) -> None:
    begun = plans.of(plans.asked(acme, pro, alice, now=NOW))
    page = page_of(begun, "cancel")
    assert "has not begun: its first payment is not made" in text(alice_client.get(page))
    assert "There is no plan to cancel." in text(alice_client.post(page, {"seen": "incomplete:0:0"}))


# --- Taken back -------------------------------------------------------------------------------------------------------


def test_undo_takes_back_what_the_banner_named_and_nothing_newer(
    alice_client: Client, running: Subscription, alice: User, pro: Plan
) -> None:
    old = plans.scheduled(running, pro, alice, now=NOW)
    new = plans.scheduled(running, None, alice, now=NOW)
    answer = alice_client.post(page_of(running, "undo"), {"change": str(old.pk)}, follow=True)
    assert "Something else is scheduled by now. Look at it again." in text(answer)
    assert Change.objects.get(withdrawn_at=None) == new
    alice_client.post(page_of(running, "undo"), {"change": str(new.pk)})
    assert not Change.objects.filter(withdrawn_at=None).exists()
    again = alice_client.post(page_of(running, "undo"), {"change": str(new.pk)}, follow=True)
    assert "Nothing is scheduled." in text(again)


@pytest.mark.parametrize("sent", ["", "x", "-1", "01", "1.0", "٣", "9" * 30])
def test_an_undo_that_names_nothing_undoes_nothing(
    alice_client: Client, running: Subscription, alice: User, sent: str
) -> None:
    plans.scheduled(running, None, alice, now=NOW)
    answer = alice_client.post(page_of(running, "undo"), {"change": sent} if sent else {}, follow=True)
    assert "did not arrive whole" in text(answer)
    assert Change.objects.filter(withdrawn_at=None).exists()


# --- A renewal that was declined --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_declined_renewal_is_paid_in_the_browser(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    card = adding_cards.saved(stripe, acme, alice)
    running = plans.begun(acme, pro, alice, now=card.created_at - 31 * DAY, method=card)
    plans.refused(running, now=card.created_at)
    assert "Pay $50.00 now" in text(alice_client.get("/o/acme/"))
    answer = alice_client.post(page_of(running, "pay"))
    intent = Intent.objects.latest("created_at")
    assert answer["Location"] == intent.checkout_url
    assert "A payment of $50.00 for it is under way." in text(alice_client.get(PLANS))
    # Pressed again, it is the same page.
    assert alice_client.post(page_of(running, "pay"))["Location"] == intent.checkout_url
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    alice_client.post(f"{PLANS}/payments/{intent.pk}/check")
    assert "Paid Code Pro goes on." in text(alice_client.get(f"{PLANS}/payments/{intent.pk}"))
    running.refresh_from_db()
    assert (running.state, running.number) == (State.ACTIVE, 2)


def test_there_is_nothing_to_pay_for_a_plan_that_is_paid(alice_client: Client, running: Subscription) -> None:
    answer = alice_client.post(page_of(running, "pay"), follow=True)
    assert "There is nothing to pay: the plan is not past due." in text(answer)


def test_another_card_is_charged_from_now_on(
    alice_client: Client, running: Subscription, acme: Organization, charlie_personal: Organization
) -> None:
    other, theirs = cards.saved(acme, "5555"), cards.saved(charlie_personal, "6666")
    assert "Charge this card" in text(alice_client.get(PLANS))
    answer = alice_client.post(page_of(running, "card"), {"card": str(other.pk)}, follow=True)
    assert "Renewals of Code Max charge Visa ending 5555 from now on." in text(answer)
    refused = alice_client.post(page_of(running, "card"), {"card": str(theirs.pk)}, follow=True)
    assert "This card was removed, or has expired." in text(refused)
    assert "did not arrive whole" in text(alice_client.post(page_of(running, "card"), follow=True))
    running.refresh_from_db()
    assert running.method == other


# --- Who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bob_role", [Role.DEVELOPER, Role.VIEWER])
def test_who_moves_no_money_changes_nothing(bob_client: Client, running: Subscription, alice: User) -> None:
    change = plans.scheduled(running, None, alice, now=NOW)
    for what in ("change", "cancel"):
        assert bob_client.get(page_of(running, what)).status_code == 403
    for what in ("change", "cancel", "undo", "pay", "card"):
        assert bob_client.post(page_of(running, what), {"change": str(change.pk)}).status_code == 403
    assert Change.objects.get() == change


def test_another_organizations_plan_does_not_exist(
    charlie_client: Client, charlie_personal: Organization, running: Subscription
) -> None:
    for where in ("acme", charlie_personal.slug):
        for what in ("change", "cancel", "undo", "pay", "card"):
            assert charlie_client.post(f"/o/{where}/plans/{running.public_id}/{what}").status_code == 404
